"""A multirun: its jobs train together, come out as if alone, and survive what happens to them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conftest import ROOT
from rnnlab import experiment, resuming
from rnnlab.record import LAST, Run
from rnnlab.results import Result
from rnnlab.stacking import Job, stacks
from rnnlab.verification import differences

SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "dataset.max_tokens=600"]
SMALL += ["log.sample_length=5", "dataset.val_fraction=0.1", "checkpoint.seconds=0.1"]


def start(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(ROOT / "run.py"), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def results(sweep: str) -> list[tuple[Path, Result]]:
    folders = sorted(
        (path.parent for path in Path(sweep).glob("*/result.json")),
        key=lambda path: int(path.name.partition("_")[0]),
    )
    return [(folder, Result.read(folder)) for folder in folders]


def metrics(folder: Path) -> list[float]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["perplexity"] for line in lines]


def test_a_studys_jobs_come_out_as_if_alone():
    """Two shapes, duplicates, one lane that diverges: exit status 1, the others complete."""
    study = ["lr=0.5,1,1e39", "num_hiddens=8,12", "theta=1,1", "num_epochs=5", "sampler=random"]
    status, out, err = finish(start("-m", *SMALL, *study, "sweep=S"))
    assert (status, err) == (1, "")
    assert "6 jobs (6 of 12 were duplicates)" in out
    assert out.count(": loss, gradient, weights or perplexity were not finite") == 2
    found = results("S")
    statuses = {folder.name: result.status for folder, result in found}
    diverged = [name for name in statuses if "lr=1e+39" in name]
    assert len(found) == 6
    assert [name for name in statuses if statuses[name] == "diverged"] == diverged
    assert {len(result.stack) for _, result in found} == {1, 2}  # two workers share three lanes
    for folder, result in found:
        if result.status == "diverged":
            continue
        for name in (".hydra/config.yaml", ".hydra/overrides.yaml", "run.log", LAST, "samples.txt"):
            assert (folder / name).exists(), name
        assert len(list(folder.glob("events.out.tfevents.*"))) == 1
        config = result.config
        alone = [f"lr={config['lr']}", f"num_hiddens={config['num_hiddens']}", "sampler=random"]
        finish(start(*SMALL, *alone, "num_epochs=5", f"hydra.run.dir=alone/{folder.name[0]}"))
        assert metrics(folder) == pytest.approx(metrics(Path("alone", folder.name[0])), rel=1e-4)
    # the same again: nothing is trained a second time
    before = {path: path.read_bytes() for path in Path("S").rglob("*.jsonl")}
    status, out, _ = finish(start("-m", *SMALL, *study, "sweep=S"))
    assert status == 1
    assert {path: path.read_bytes() for path in Path("S").rglob("*.jsonl")} == before


def test_a_study_that_is_killed_goes_on_as_if_it_had_not_been():
    """SIGKILL of the study's own process, three times; its workers notice, save and end."""
    study = ["-m", *SMALL, "lr=0.3,1", "seed=0,1", "num_epochs=60", "model=gru"]
    whole = start(*study, "sweep=whole")
    status, _, err = finish(whole)
    assert (status, err) == (0, "")
    for seconds in (0.5, 2.0, 4.0):
        process = start(*study, "sweep=killed")
        deadline = time.monotonic() + 60
        while not list(Path("killed").glob("*/result.json")) and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(seconds / 4)
        process.kill()
        process.communicate()
        time.sleep(2)  # the workers save and end
    status, _, err = finish(start(*study, "sweep=killed"))
    assert (status, err) == (0, "")
    pairs = zip(results("whole"), results("killed"), strict=True)
    assert [found for (one, _), (other, _) in pairs for found in differences(one, other)] == []


def test_ctrl_c_saves_every_job_and_the_study_goes_on():
    study = ["-m", *SMALL, "lr=0.3,1", "num_epochs=100000", "sweep=S"]
    process = start(*study)
    while not any(path.stat().st_size for path in Path("S").glob("*/metrics.jsonl")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    status, _, _ = finish(process)
    assert status == 130
    assert [result.status for _, result in results("S")] == ["interrupted"] * 2


def test_a_plan_trains_nothing():
    status, out, err = finish(start("-m", *SMALL, "lr=1,2,1", "seed=0,1", "plan=true", "sweep=S"))
    assert (status, err) == (0, "")
    assert out.count("the same again") == 2
    assert "stack 0: 2 lanes" in out
    assert [path.name for path in Path("S").iterdir()] == ["multirun.yaml"]  # Hydra's own


def test_what_goes_wrong_with_one_job_of_a_stack_is_that_jobs(compose, monkeypatch):
    after = Run.after_epoch

    def breaking(self, figures):
        if self.config.seed == 1 and figures.epoch == 2:
            raise RuntimeError("a bug")
        after(self, figures)

    monkeypatch.setattr(Run, "after_epoch", breaking)
    configs = [compose(*SMALL, "num_epochs=4", f"seed={k}") for k in range(3)]
    folders = [Path(f"{k}") for k in range(3)]
    for folder in folders:
        folder.mkdir()
    experiment.run_stack(configs, folders)
    found = [Result.read(folder) for folder in folders]
    assert [result.status for result in found] == ["completed", "failed", "completed"]
    assert found[1].error == "RuntimeError: a bug"
    # and it can go on, alone, from where it was
    monkeypatch.setattr(Run, "after_epoch", after)
    assert [r.status for r in resuming.resume_stack(folders, {})] == ["completed"] * 3
    alone = Path("alone")
    alone.mkdir()
    experiment.run(configs[1], alone)
    assert metrics(folders[1]) == pytest.approx(metrics(alone), rel=1e-4)


def test_stacks_hold_jobs_of_one_shape_and_keep_workers_busy(compose):
    from rnnlab.preflight import check

    def job(number: int, *overrides: str) -> Job:
        config = compose(*SMALL, *overrides)
        return Job(number, overrides, config, check(config, {}), Path(str(number)), str(number))

    jobs = [job(k, f"lr={k + 1}", f"seed={k}", "sampler=random") for k in range(6)]
    jobs += [job(6, "num_hiddens=9"), job(7, "model=lstm"), job(8, "optimizer=adam")]
    jobs += [job(9 + k, "optimizer=torch", "optimizer.algorithm=SGD") for k in range(2)]
    found = stacks(jobs, workers=2, gpu_bytes=None)
    assert [[own.number for own in stack] for stack in found] == [
        [0, 1, 2], [3, 4, 5], [6], [7], [8], [9], [10],
    ]  # fmt: skip
    assert [len(stack) for stack in stacks(jobs[:6], workers=1, gpu_bytes=1 << 30)] == [6]
    assert [len(stack) for stack in stacks(jobs[:6], 2, gpu_bytes=None, lanes=4)] == [3, 3]
    big = [job(k, "num_hiddens=1024", f"seed={k}") for k in range(4)]
    assert [len(stack) for stack in stacks(big, workers=2, gpu_bytes=None)] == [1, 1, 1, 1]
