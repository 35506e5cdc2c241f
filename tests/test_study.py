"""A multirun: its jobs train together, come out as if alone, and survive what happens to them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path

import pytest

from boards import Board
from commands import finish, run, start
from rnnlab.runs import resume as resuming
from rnnlab.runs import stack as experiment
from rnnlab.runs.differences import differences
from rnnlab.runs.preflight import Corpora, check
from rnnlab.runs.result import Result
from rnnlab.runs.run import LAST, Run
from rnnlab.studies.job import Job
from rnnlab.studies.stacks import job_bytes, stacks

SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "dataset.max_tokens=600"]
SMALL += ["log.sample_length=5", "dataset.val_fraction=0.1", "checkpoint.seconds=0.1"]
TWO = "hydra.launcher.workers=2"  # whatever the machine has
STUDY = ["-m", TWO, *SMALL]


def results(sweep: str) -> list[tuple[Path, Result]]:
    folders = sorted(
        (path.parent for path in Path(sweep).glob("*/result.json")),
        key=lambda path: int(path.name.partition("_")[0]),
    )
    return [(folder, Result.read(folder)) for folder in folders]


def metrics(folder: Path) -> list[float]:
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line)["perplexity"] for line in lines]


def wait_for(condition, process) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def interrupt(process) -> None:
    """Ctrl-C, which saves and says so."""
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 130


def test_a_studys_jobs_come_out_as_if_alone():
    """Two shapes, duplicates, one lane that diverges: exit status 1, the others complete."""
    study = ["lr=0.5,1,1e39", "num_hiddens=8,12", "theta=1,1", "num_epochs=20", "sampler=random"]
    status, out, err = run(*STUDY, *study, "sweep=S")
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
        run(*SMALL, *alone, "num_epochs=20", f"hydra.run.dir=alone/{folder.name[0]}")
        assert metrics(folder) == pytest.approx(metrics(Path("alone", folder.name[0])), rel=1e-4)
    # the same again: nothing is trained a second time
    before = {path: path.read_bytes() for path in Path("S").rglob("*.jsonl")}
    status, out, _ = run(*STUDY, *study, "sweep=S")
    assert status == 1
    assert {path: path.read_bytes() for path in Path("S").rglob("*.jsonl")} == before


def test_a_study_that_is_killed_goes_on_as_if_it_had_not_been():
    """SIGKILL of the study's own process, three times; its workers notice, save and end."""
    study = [*STUDY, "lr=0.3,1", "seed=0,1", "num_epochs=60", "model=gru"]
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
    status, _, err = run(*study, "sweep=killed")
    assert (status, err) == (0, "")
    pairs = zip(results("whole"), results("killed"), strict=True)
    assert [found for (one, _), (other, _) in pairs for found in differences(one, other)] == []


def test_ctrl_c_saves_every_job_and_the_study_goes_on():
    study = [*STUDY, "lr=0.3,1", "num_epochs=100000", "sweep=S"]
    process = start(*study)
    while sum(path.stat().st_size > 0 for path in Path("S").glob("*/metrics.jsonl")) < 2:
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    status, _, _ = finish(process)
    assert status == 130
    assert [result.status for _, result in results("S")] == ["interrupted"] * 2


def test_a_plan_trains_nothing():
    status, out, err = run(*STUDY, "lr=1,2,1", "seed=0,1", "plan=true", "sweep=S")
    assert (status, err) == (0, "")
    assert out.count("the same as job") == 2
    assert "stack 0: 2 lanes" in out
    assert not Path("S").exists()


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
    def job(number: int, *overrides: str) -> Job:
        config = compose(*SMALL, *overrides)
        return Job(number, overrides, config, check(config, Corpora()), Path(str(number)))

    jobs = [job(k, f"lr={k + 1}", f"seed={k}", "sampler=random") for k in range(6)]
    jobs += [job(6, "num_hiddens=9"), job(7, "model=lstm"), job(8, "optimizer=adam")]
    jobs += [job(9 + k, "optimizer=torch", "optimizer.algorithm=SGD") for k in range(2)]
    found = stacks(jobs, jobs, workers=2, gpu_bytes=None)
    assert [[own.number for own in stack] for stack in found] == [
        [0, 1, 2], [3, 4, 5], [6], [7], [8], [9], [10],
    ]  # fmt: skip
    assert depths(jobs[:6], workers=1, gpu_bytes=1 << 30) == [6]
    assert depths(jobs[:6], workers=2, gpu_bytes=None, lanes=4) == [3, 3]
    room = 4 * job_bytes(jobs[0], "cuda")  # a GPU with memory for four
    assert depths(jobs[:6], workers=1, gpu_bytes=room) == [3, 3]
    big = [job(k, "num_hiddens=1024", f"seed={k}") for k in range(4)]
    assert [len(stack) for stack in stacks(big, big, workers=2, gpu_bytes=None)] == [
        1,
        1,
        1,
        1,
    ]


def depths(jobs: list[Job], **on) -> list[int]:
    return [len(stack) for stack in stacks(jobs, jobs, **on)]


def test_what_has_not_begun_begins_with_those_it_would_have_begun_with(compose):
    """Whatever was done when the study was killed: as many lanes, and so the same bits."""

    def job(number):
        config = compose(*SMALL, f"seed={number}")
        return Job(number, (), config, check(config, Corpora()), Path(str(number)))

    jobs = [job(number) for number in range(4)]
    left = stacks(jobs[2:], jobs, workers=2, gpu_bytes=None)
    assert left == [jobs[2:]]
    assert stacks(jobs[1:], jobs, 2, None) == [jobs[1:2], jobs[2:]]


# --- twelve jobs, of which three go wrong ----------------------------------------------------


def named_experiments(folder: Path) -> str:
    """A folder of twelve experiments; the values of a sweep that is no grid."""
    own = {2: "lr: 1e39", 8: "lr: -1"}
    (folder / "experiment").mkdir(parents=True)
    for number in range(12):
        text = f"# @package _global_\nseed: {number}\n{own.get(number, '')}\n"
        (folder / "experiment" / f"e{number}.yaml").write_text(text)
    return "experiment=" + ",".join(f"e{number}" for number in range(12))


@pytest.mark.slow
def test_three_of_twelve_jobs_go_wrong_and_the_others_complete():
    """One diverges, one fails (its checkpoint cannot be written), one is invalid."""
    study = ["-m", "--config-dir=own", named_experiments(Path("own")), *SMALL[1:], "num_epochs=3"]
    study += [TWO, "sweep=S"]
    status, _, err = run(*study)
    assert status == 2  # not one of them is trained
    assert err.startswith("job 8 (experiment=e8): own/experiment/e8.yaml, line 3: lr=-1 is not")
    assert "on_invalid=skip trains the other jobs" in err
    assert not Path("S").exists()

    in_the_way = Path("S/5_experiment=e5/checkpoints/best.safetensors")
    in_the_way.mkdir(parents=True)
    status, out, err = run(*study, "on_invalid=skip")
    assert (status, err) == (1, "")
    found = results("S")
    statuses = [result.status for _, result in found]
    assert (
        statuses
        == ["completed"] * 2
        + ["diverged"]
        + ["completed"] * 2
        + ["failed"]
        + ["completed"] * 2
        + ["failed"]
        + ["completed"] * 3
    )
    why = {2: "loss, gradient", 5: "Is a directory", 8: "lr=-1 is not allowed"}
    page = Path("S/report.html").read_text()
    for number, reason in why.items():
        assert reason in (found[number][1].error or "")
        assert reason in page
        assert reason in next(line for line in out.splitlines() if f"job {number} " in line)
    assert "12 runs: 9 completed, 1 diverged, 2 failed." in page
    assert "run.log ends with:" in out

    # what was wrong is put right, and the study completed; only those two train
    (Path("own/experiment/e8.yaml")).write_text("# @package _global_\nseed: 8\n")
    before = {path: path.stat().st_mtime_ns for path in Path("S").glob("*/metrics.jsonl")}
    status, _, _ = run(*study, "on_invalid=skip")
    assert status == 1  # 2 and 5 are what they are
    assert [result.status for _, result in results("S")][8] == "completed"
    touched = {path for path, when in before.items() if path.stat().st_mtime_ns != when}
    assert {path.parent.name.partition("_")[0] for path in touched} <= {"5"}


def test_what_is_a_studys_own_is_refused_elsewhere():
    for given, rule in (
        (["plan=true"], "plan=true is not allowed: it is a study's; add -m."),
        (["-m", "lr=1,2", "plan=yes"], "plan=yes is not allowed: plan is true or false."),
        (["-m", "on_invalid=x"], "on_invalid=x is not allowed: on_invalid is abort or skip."),
    ):
        assert run(*SMALL, *given) == (2, "", rule + "\n")
    assert not list(Path().iterdir())


@pytest.mark.slow
def test_a_folder_may_have_any_name():
    for name in ("lr=1,2/it's", "a b/back\\slash"):
        assert run(*STUDY, "lr=0.3,1", "num_epochs=1", f"sweep={name}")[0] == 0
        assert len(results(name)) == 2
        assert run(f"resume={name}")[0] == 0


@pytest.mark.slow
def test_two_studies_at_once_have_folders_of_their_own():
    process = start(*STUDY, "lr=0.3,1", "num_epochs=100000", "sweep=S")
    wait_for(lambda: any(Path("S").glob("*/metrics.jsonl")), process)
    status, _, err = run(*STUDY, "lr=0.3,1", "num_epochs=100000", "sweep=S")
    assert status == 2
    assert err.startswith("S is in use: another study trains there")
    interrupt(process)
    assert [result.status for _, result in results("S")] == ["interrupted"] * 2


# --- going on --------------------------------------------------------------------------------


def test_a_study_is_resumed_by_its_folder():
    study = [*STUDY, "lr=0.3,1", "num_epochs=400", "sweep=S"]
    process = start(*study)
    wait_for(lambda: any(p.stat().st_size for p in Path("S").glob("*/metrics.jsonl")), process)
    interrupt(process)
    status, _, err = run("resume", "S", module=True)
    assert (status, err) == (0, "")
    assert [(r.status, r.epochs) for _, r in results("S")] == [("completed", 400)] * 2
    # and more seeds are added to it, with numbers of their own
    status, _, err = run("resume=S", "seed=0,1")
    assert (status, "for new jobs beside them type" in err.lower()) == (2, True)
    assert run(*study, "seed=0,1")[0] == 0
    assert [folder.name for folder, _ in results("S")] == [
        "0_lr=0.3", "1_lr=1", "2_lr=0.3,seed=1", "3_lr=1,seed=1"
    ]  # fmt: skip


@pytest.mark.slow
def test_a_study_that_was_added_to_is_resumed_as_a_whole():
    """plan=true, and what is added, do not make it forget what it began with."""
    for rates, jobs in (("0.3,1", 2), ("2", 3)):
        process = start(*STUDY, f"lr={rates}", "num_epochs=300", "sweep=S")
        wait_for(lambda jobs=jobs: len([*Path("S").glob("*/" + LAST)]) == jobs, process)
        interrupt(process)
    assert run(*STUDY, "lr=5", "plan=true", "sweep=S")[0] == 0
    assert run("resume=S")[0] == 0
    found = [(r.config["lr"], r.status, r.epochs) for _, r in results("S")]
    assert found == [(rate, "completed", 300) for rate in (0.3, 1, 2)]


def test_a_job_that_is_invalid_now_keeps_what_it_came_to():
    for name in ("a", "b"):
        Path(f"{name}.txt").write_text(f"some words {name} that are a text " * 40)
    study = [*STUDY, "dataset=text", "dataset.path=a.txt,b.txt", "lr=0.5", "num_epochs=2"]
    assert run(*study, "sweep=S")[0] == 0
    before = {path: path.read_bytes() for path in Path("S").glob("*/*.json*")}
    Path("b.txt").unlink()
    status, out, _ = run(*study, "sweep=S", "on_invalid=skip")
    assert status == 1
    assert "left out: b.txt" in out or "is left out: " in out
    assert {path: path.read_bytes() for path in Path("S").glob("*/*.json*")} == before


def test_lanes_whose_neighbour_vanished_go_on_from_where_they_were():
    study = ["-m", *SMALL, "lr=0.3,1,2", "num_epochs=2000", "sweep=S", "hydra.launcher.workers=1"]
    process = start(*study)
    lines = Path("S/1_lr=1/metrics.jsonl")
    wait_for(lambda: lines.exists() and len(lines.read_bytes()) > 2000, process)
    interrupt(process)
    shutil.rmtree("S/0_lr=0.3")
    begun = lines.read_bytes()
    process = start(*study)
    wait_for(lambda: len(lines.read_bytes()) > len(begun) + 2000, process)
    assert lines.read_bytes().startswith(begun)
    interrupt(process)
    assert {Path("S", name).exists() for name in ("1_lr=1", "2_lr=2", "3_lr=0.3")} == {True}


@pytest.mark.slow
def test_jobs_of_a_stack_that_were_taken_out_of_it_by_hand_go_on():
    study = ["-m", *SMALL, "lr=0.3,1", "num_epochs=400", "sweep=S", "hydra.launcher.workers=1"]
    process = start(*study)
    wait_for(lambda: all((Path("S") / n / LAST).exists() for n in ("0_lr=0.3", "1_lr=1")), process)
    interrupt(process)
    process = start("resume=S/0_lr=0.3")
    wait_for(lambda: Result.read(Path("S/0_lr=0.3")).status == "running", process)
    interrupt(process)
    status, _, err = run(*study)
    assert (status, err) == (0, "")
    assert [(r.status, r.epochs) for _, r in results("S")] == [("completed", 400)] * 2
    assert [r.stack for _, r in results("S")] == [["0_lr=0.3"], ["", "1_lr=1"]]


@pytest.mark.slow
def test_a_damaged_checkpoint_is_its_own_jobs_and_the_stack_goes_on():
    study = ["-m", *SMALL, "lr=0.3,1", "num_epochs=400", "sweep=S", "hydra.launcher.workers=1"]
    process = start(*study)
    wait_for(lambda: all((Path("S") / n / LAST).exists() for n in ("0_lr=0.3", "1_lr=1")), process)
    interrupt(process)
    Path("S/0_lr=0.3", LAST).write_bytes(b"nothing")
    status, out, _ = run(*study)
    assert status == 1
    assert [r.status for _, r in results("S")] == ["failed", "completed"]
    assert "last.safetensors" in (results("S")[0][1].error or "")
    assert "job 0 failed" in out


def test_folders_named_otherwise_are_a_study_too():
    study = [*STUDY, "num_epochs=2", "sweep=S", "hydra.sweep.subdir=${hydra.job.num}"]
    assert run(*study, "lr=0.3,1")[0] == 0
    before = {path: path.read_bytes() for path in Path("S").glob("*/metrics.jsonl")}
    assert sorted(path.parent.name for path in before) == ["0", "1"]
    status, _, _ = run(*study, "lr=0.3,1,2")
    assert status == 0
    assert sorted(path.name for path in Path("S").glob("*/")) == ["0", "1", "2"]
    assert all(path.read_bytes() == text for path, text in before.items())


def test_jobs_that_cannot_be_composed_are_left_out_too():
    status, out, _ = run(*STUDY, "lr=1,abc", "num_epochs=2", "on_invalid=skip", "sweep=S")
    assert status == 1
    assert [result.status for _, result in results("S")] == ["completed", "failed"]
    assert "job 1 is left out: lr=abc is not allowed: lr is a number" in out


@pytest.mark.parametrize("given", ["workers=-1", "lanes=0"])
def test_a_launcher_has_at_least_one_worker_and_lane(given):
    status, _, err = run("-m", *SMALL, "lr=1,2", f"hydra.launcher.{given}", "sweep=S")
    assert status == 2
    assert err == f"hydra.launcher.{given} is not allowed: it is at least 1.\n"


def test_a_job_that_was_defined_otherwise_is_refused_with_what_differs():
    Path("text.txt").write_text("some words that are a text " * 40)
    study = [*STUDY, "dataset=text", "dataset.path=text.txt", "lr=0.3,1", "num_epochs=2"]
    assert run(*study, "sweep=S")[0] == 0
    before = {path: path.read_bytes() for path in Path("S").rglob("*.json*")}
    Path("text.txt").write_text("other words that are a text " * 40)
    status, _, err = run(*study, "sweep=S")
    assert status == 2
    assert err.count("was trained as another experiment (the text: sha256 ") == 2
    assert "sweep=FOLDER" in err
    assert {path: path.read_bytes() for path in Path("S").rglob("*.json*")} == before


def test_jobs_of_a_worker_that_is_killed_go_on_in_another():
    study = [*STUDY, "lr=0.3,1", "num_epochs=300"]
    assert run(*study, "sweep=whole")[0] == 0
    process = start(*study, "sweep=S")
    metrics = Path("S/0_lr=0.3/metrics.jsonl")
    wait_for(lambda: metrics.exists() and metrics.stat().st_size, process)
    os.kill(Result.read(metrics.parent).process, signal.SIGKILL)
    status, out, _ = finish(process)
    assert status == 0
    assert "jobs 0: the worker process ended before its jobs, with exit status -9" in out
    pairs = zip(results("whole"), results("S"), strict=True)
    assert [found for (one, _), (other, _) in pairs for found in differences(one, other)] == []


def test_a_job_whose_workers_are_killed_twice_has_failed():
    process = start(*STUDY, "lr=0.3,1", "num_epochs=1000000", "sweep=S")
    metrics = Path("S/0_lr=0.3/metrics.jsonl")
    wait_for(lambda: metrics.exists() and metrics.stat().st_size, process)
    first = Result.read(metrics.parent).process
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: Result.read(metrics.parent).process != first, process)
    os.kill(Result.read(metrics.parent).process, signal.SIGKILL)
    wait_for(lambda: Result.read(metrics.parent).status == "failed", process)
    interrupt(process)
    assert "exit status -9, twice" in (Result.read(metrics.parent).error or "")


def test_a_folder_that_vanishes_is_trained_again_and_its_neighbours_are_left_alone():
    study = [*STUDY, "lr=0.3,1,2,3", "num_epochs=300", "sweep=S", "checkpoint.seconds=0.1"]
    process = start(*study)
    gone = Path("S/0_lr=0.3")
    wait_for(lambda: (gone / LAST).exists(), process)
    shutil.rmtree(gone)
    status, _, _ = finish(process)
    assert status == 0
    assert [(r.status, r.epochs) for _, r in results("S")] == [("completed", 300)] * 4
    assert len(metrics(Path("S/1_lr=1"))) == 300


# --- other sweepers --------------------------------------------------------------------------


@pytest.mark.slow
def test_a_batch_of_optunas_trials_is_a_stack():
    """Six trials in two batches of three; one cannot be trained, and is worth nothing.

    A study that goes on draws the trials that it has, and no others.
    """
    status, out, _ = run(
        *("-m", TWO, "hydra/sweeper=optuna", "hydra.sweeper.n_trials=6", "hydra.sweeper.n_jobs=3"),
        *("hydra/sweeper/sampler=random", "hydra.sweeper.sampler.seed=1"),
        *("lr=choice(0.5,1,1e39)", "theta=interval(0.5,5)", *SMALL, "num_epochs=2", "sweep=S"),
    )
    found = results("S")
    diverged = [result for _, result in found if result.status == "diverged"]
    assert len(found) == 6
    assert 0 < len(diverged) < 6
    assert status == 1
    assert {tuple(r.stack) for _, r in found if len(r.stack) > 1}
    best = min(result.figure for _, result in found if result.status == "completed")
    assert f"Best value: {best}" in out
    begun = [Path(folder, "metrics.jsonl").stat().st_mtime_ns for folder, _ in found]
    status, out, _ = run("resume", "S", module=True)
    assert (status, len(results("S"))) == (1, 6)
    assert [Path(folder, "metrics.jsonl").stat().st_mtime_ns for folder, _ in found] == begun
    assert f"held-out perplexity {best:.4g}" in out


def test_tensorboards_table_tells_what_the_study_varies_and_has_a_row_for_all_seeds():
    run(*STUDY, "optimizer=momentum", "optimizer.momentum=0.5,0.9", "seed=0,1", "lr=0.1",
        "num_epochs=2", "sweep=S")  # fmt: skip
    board = Board("S")
    columns = board.columns()
    assert columns[0]["name"] == "optimizer.momentum"  # which the table shows without being asked
    assert [column["name"] for column in columns if column.get("differs")] == ["optimizer.momentum"]
    assert sorted(board.ask("runs")) == sorted(folder.name for folder, _ in results("S"))
    groups = board.groups(columns)
    assert sorted([run["name"] for run in group["sessions"]] for group in groups) == [
        ["0_optimizer.momentum=0.5,seed=0", "1_optimizer.momentum=0.5,seed=1"],
        ["2_optimizer.momentum=0.9,seed=0", "3_optimizer.momentum=0.9,seed=1"],
    ]
