"""Several processes at one folder, and folders that were used before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from commands import finish, run, start
from rnnlab.runs import stack as experiment
from rnnlab.runs.differences import differences
from rnnlab.runs.preflight import Corpora
from rnnlab.runs.result import Result
from rnnlab.runs.resume import resume, train_stack

TINY = ["num_hiddens=4", "batch_size=2", "num_steps=5", "num_epochs=3", "log.sample_length=5"]
TINY += ["dataset.max_tokens=200", "checkpoint.seconds=0", "checkpoint.every=1"]


def whole(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file() and p.name != ".lock"}


@pytest.mark.attack(9, "a finished run's folder used again")
def test_a_run_in_the_folder_of_another_changes_nothing_of_it():
    assert run(*TINY, "hydra.run.dir=run", "lr=0.5")[0] == 0
    before = whole(Path("run"))
    status, _, err = run(*TINY, "hydra.run.dir=run", "lr=0.25")
    assert status == 2
    assert "it holds a run already" in err
    assert whole(Path("run")) == before


@pytest.mark.attack(9, "four starts in one folder")
def test_of_four_starts_in_one_folder_one_trains_and_the_overrides_are_its_own():
    rates = ["0.1", "0.2", "0.3", "0.4"]
    starts = [start(*TINY, "hydra.run.dir=run", f"lr={rate}") for rate in rates]
    statuses = [finish(process)[0] for process in starts]
    assert sorted(statuses) == [0, 2, 2, 2]
    trained = rates[statuses.index(0)]
    assert f"lr={trained}" in yaml.safe_load(Path("run/.hydra/overrides.yaml").read_text())
    assert yaml.safe_load(Path("run/.hydra/config.yaml").read_text())["lr"] == float(trained)
    assert Result.read(Path("run")).config["lr"] == float(trained)


@pytest.mark.attack(9, "a worker begins what another one has begun meanwhile")
def test_what_was_to_begin_and_has_begun_goes_on(compose, stop_after):
    """The worker of a killed study was still starting when the study was begun again."""
    configs = {Path(name): compose(*TINY, f"seed={k}") for k, name in enumerate("ab")}
    whole_runs = [Path("x"), Path("y")]
    experiment.run_stack([*configs.values()], whole_runs)
    with pytest.MonkeyPatch.context():
        stop_after(30)
        train_stack(configs, Corpora(), ["seed"])
    assert Result.read(Path("a")).status == "interrupted"
    stop_after(10**9)
    results = train_stack(configs, Corpora(), ["seed"])
    assert [result.status for result in results] == ["completed"] * 2
    assert [len(result.resumed) for result in results] == [1, 1]
    for before, after in zip(whole_runs, configs, strict=True):
        assert [*differences(before, after)] == []


@pytest.mark.attack(9, "overrides.yaml is lost for a moment: no job is trained twice")
def test_a_job_whose_overrides_were_being_written_keeps_its_folder():
    """It was killed in between: the file is whole, or as it was before."""
    study = ["-m", *TINY, "seed=0,1", "sweep=S"]
    assert run(*study)[0] == 0
    torn = next(Path("S").glob("1_*/.hydra/overrides.yaml"))
    torn.with_name(".overrides.yaml.0123abcd").write_text("- nu")
    assert run(*study)[0] == 0
    assert len([*Path("S").glob("*_*/")]) == 2


@pytest.mark.attack(8, "a user's files in the folder of a run, and leftovers of killed writes")
def test_only_files_that_we_made_are_removed(compose):
    mine = [".env.template", ".notes.20241231", ".app.settings", ".result.json.backup1"]
    mine += [".result.json.0123ABCD", "result.json.0123abcd", ".other.json.0123abcd"]
    left = [".result.json.0123abcd", "checkpoints/.last.safetensors.0123abcd"]
    left += [".perplexity.svg.89abcdef"]
    folder = Path("run")
    experiment.run(compose(*TINY), folder)
    for name in [*mine, *left]:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    resume(folder, {"num_epochs": 4})
    assert [name for name in mine if not (folder / name).exists()] == []
    assert [name for name in left if (folder / name).exists()] == []


@pytest.mark.attack(8, "leftovers of a kill before the first checkpoint")
def test_what_was_left_before_the_first_checkpoint_is_cleaned(compose):
    folder = Path("run")
    (folder / "checkpoints").mkdir(parents=True)
    left = [".result.json.0123abcd", "checkpoints/.next.safetensors.0123abcd"]
    for name in left:
        (folder / name).write_text("x")
    (folder / "metrics.jsonl").write_text("{}\n")
    experiment.run(compose(*TINY), folder)
    assert [name for name in left if (folder / name).exists()] == []
    assert len((folder / "metrics.jsonl").read_text().splitlines()) == 3


@pytest.mark.attack(7, "a torn last line of commands.jsonl and of metrics.jsonl")
def test_a_torn_line_does_not_void_the_others():
    study = ["-m", *TINY, "seed=0,1", "sweep=S"]
    assert run(*study)[0] == 0
    with Path("S/commands.jsonl").open("a") as file:
        file.write('["-m", "num_hid')
    for path in Path("S").glob("*/metrics.jsonl"):
        with path.open("a") as file:
            file.write('{"epoch": 4, "perpl')
    assert run("resume", "S", "num_epochs=4", module=True)[0] in (0, 2)
    assert run("report", "S", module=True)[0] == 0
    assert json.loads(Path("S/commands.jsonl").read_text().splitlines()[0])[0] == "-m"


# --- exact -----------------------------------------------------------------------------------


@pytest.mark.attack(10, "another instruction set")
def test_another_instruction_set_is_not_exact(compose, monkeypatch):
    experiment.run(compose(*TINY), Path("run"))
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    status, out, _ = run("resume", "run", "num_epochs=4", module=True)
    assert status == 0
    resumed = Result.read(Path("run")).resumed[-1]
    assert resumed["exact"] is (Result.read(Path("run")).host["instructions"] != "DEFAULT")
    assert "not bit for bit: " in out and "instructions " in out
    monkeypatch.setenv("MKL_CBWR", "COMPATIBLE")
    monkeypatch.setenv("ATEN_CPU_CAPABILITY", "default")
    _, out, _ = run("resume", "run", "num_epochs=5", module=True)
    assert "MKL_CBWR None -> COMPATIBLE" in out


@pytest.mark.attack(12, "checkpoint.seconds=0.0001 gets on")
def test_checkpoints_never_take_more_time_than_training(compose):
    config = compose(*TINY, "checkpoint.seconds=0.0001", "num_epochs=20")
    result = experiment.run(config, Path("run"))
    assert (result.status, result.epochs) == ("completed", 20)
