"""resume=STUDY num_epochs=N: every job goes on, in its folder, as the same words do for a run."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from rnnlab.config.compose import values_of
from rnnlab.config.words import as_override
from rnnlab.runs.differences import differences
from rnnlab.runs.folder import HYDRA
from rnnlab.runs.result import Result
from typed import SMALL, jobs, typed

STUDY = ["-m", *SMALL, "lr=0.5,1", "seed=0,1"]


def whole(folder: str) -> dict[str, bytes]:
    files = [path for path in Path(folder).rglob("*") if path.is_file() and path.name != ".lock"]
    return {str(path): path.read_bytes() for path in files}


def same(one: str, other: str) -> list[str]:
    """What differs between the jobs of two studies that have the same names."""
    return [found for job in jobs(one) for found in differences(Path(one, job), Path(other, job))]


def test_a_study_that_is_lengthened_is_the_study_that_was_as_long_from_the_start():
    assert typed(*STUDY, "num_epochs=4", "sweep=whole")[0] == 0
    assert typed(*STUDY, "num_epochs=2", "sweep=S")[0] == 0
    before = jobs("S")
    status, out, err = typed("resume=S", "num_epochs=4")
    assert (status, err) == (0, "")
    assert "4 jobs in S" in out
    assert list(jobs("S")) == list(before)  # in their folders
    assert [(r.epochs, len(r.resumed)) for r in jobs("S").values()] == [(4, 1)] * 4
    assert [place["exact"] for r in jobs("S").values() for place in r.resumed] == [True] * 4
    assert same("whole", "S") == []


def test_it_stays_as_long_whatever_is_typed_next():
    """The words of the first command, resume alone, a new job: none begins a job anew."""
    assert typed(*STUDY, "num_epochs=2", "sweep=S")[0] == 0
    assert typed("resume", "S", "num_epochs=4")[0] == 0
    before = whole("S")
    for words in (("resume=S",), (*STUDY, "num_epochs=2", "sweep=S"), ("resume=S", "num_epochs=4")):
        assert typed(*words)[0] == 0
        assert {name for name, text in whole("S").items() if before.get(name) != text} <= {
            "S/multirun.yaml", "S/report.html", "S/report.md", "S/results.csv"
        }  # fmt: skip
    assert typed("-m", *SMALL, "lr=2", "num_epochs=2", "sweep=S")[0] == 0
    assert typed("resume=S")[0] == 0
    assert [r.epochs for r in jobs("S").values()] == [4, 4, 4, 4, 2]
    assert typed("resume=S", "num_epochs=5")[0] == 0
    assert [r.epochs for r in jobs("S").values()] == [5] * 5


@pytest.mark.slow
def test_half_done_jobs_and_those_that_have_not_begun_go_on_to_the_new_length(stop_after):
    """Stopped, lengthened and stopped again at once: what was said of their length is noted."""
    study = [*STUDY, "hydra.launcher.lanes=2"]
    assert typed(*study, "num_epochs=6", "sweep=whole")[0] == 0
    stop_after(30)  # minibatches: the first two jobs are in their second epoch then
    assert typed(*study, "num_epochs=3", "sweep=S")[0] == 1
    assert [r.epochs for r in jobs("S").values()] == [1, 1, 0, 0]
    for folder in Path("S").glob("*_lr=1,*"):
        hydras = (folder / "../H").resolve()
        (folder / HYDRA).rename(hydras)
        shutil.rmtree(folder)
        folder.mkdir()
        hydras.rename(folder / HYDRA)
    stop_after(0)
    typed("resume=S", "num_epochs=6")
    assert [r.epochs for r in jobs("S").values()] == [1, 1, 0, 0]
    stop_after(float("inf"))
    assert typed("resume=S")[0] == 0
    assert [r.epochs for r in jobs("S").values()] == [6] * 4
    assert same("whole", "S") == []


def test_a_study_that_varies_its_length_is_lengthened_too():
    assert typed("-m", *SMALL, "num_epochs=1,2", "sweep=S")[0] == 0
    assert typed("resume=S", "num_epochs=3")[0] == 0
    assert [r.epochs for r in jobs("S").values()] == [3, 3]
    assert typed("resume=S")[0] == 0
    assert list(jobs("S")) == ["0_num_epochs=1", "1_num_epochs=2"]


def test_other_jobs_are_refused_with_the_words_for_them():
    assert typed(*STUDY, "num_epochs=2", "sweep=S")[0] == 0
    before = whole("S")
    for words, said in (
        (["lr=3"], "lr=3 would make other jobs of those in S"),
        (["lr=3"], "-m num_hiddens=4 batch_size=2 num_steps=5"),
        (["lr=3"], "lr=3 seed=0,1 num_epochs=2 sweep=S\n"),
        (["model=gru"], "model=gru would make other jobs"),
        (["num_epochs=1"], "num_epochs=1 is not allowed: S/0_lr=0.5,seed=0 has completed 2 epochs"),
        (["num_epochs=3,4"], "take one value of a name"),
        (["num_epochs=many"], "num_epochs=many is not allowed: num_epochs is a whole number"),
        (["num_epoch=3"], "here it is num_epochs; type num_epochs=3"),
    ):
        status, _, err = typed("resume=S", *words)
        assert (status, said in err) == (2, True), err
    assert whole("S") == before


def test_what_a_run_may_change_a_study_may():
    assert typed(*STUDY, "num_epochs=2", "sweep=S")[0] == 0
    assert typed("resume=S", "engine=eager", "log.every=2", "num_epochs=4")[0] == 0
    configs = [result.config for result in jobs("S").values()]
    assert {config["engine"] for config in configs} == {"eager"}
    assert {config["log"]["every"] for config in configs} == {2}


def test_a_job_of_a_study_that_was_lengthened_alone_stays_its_job():
    study = [*STUDY, "hydra.launcher.lanes=1"]  # as many as in a run alone: the same bits
    assert typed(*study, "num_epochs=2", "sweep=S")[0] == 0
    folder = "S/0_lr=0.5,seed=0"
    assert typed("resume", ".", "num_epochs=3", at=folder)[0] == 0
    assert Result.read(Path(folder)).stack == ["0_lr=0.5,seed=0"]
    assert typed("resume", "..", at=folder)[0] == 0
    assert typed(*study, "num_epochs=2", "sweep=S")[0] == 0
    assert [r.epochs for r in jobs("S").values()] == [3, 2, 2, 2]
    assert typed("resume=S", "num_epochs=4")[0] == 0
    assert typed(*study, "num_epochs=4", "sweep=whole")[0] == 0
    assert same("whole", "S") == []


@pytest.mark.slow
def test_a_lengthened_job_that_is_invalid_now_keeps_what_it_came_to():
    for name in "ab":
        Path(f"{name}.txt").write_text(f"some words {name} that are a text " * 40)
    own = ["dataset=text", "dataset.path=a.txt,b.txt", "dataset.max_tokens=null"]
    assert typed("-m", *SMALL, *own, "num_epochs=2", "sweep=S")[0] == 0
    assert typed("resume=S", "num_epochs=3")[0] == 0
    before = jobs("S")
    Path("b.txt").unlink()
    status, out, _ = typed("resume=S", "on_invalid=skip")
    assert (status, jobs("S")) == (1, before)
    assert "job 1 is left out" in out


@pytest.mark.parametrize("resumed", ["S", "S/0_lr=0.5,seed=0"])
def test_hydras_files_tell_what_has_trained(resumed):
    """Of a study, and of a run alone."""
    assert typed(*STUDY, "num_epochs=2", "sweep=S")[0] == 0
    assert typed(f"resume={resumed}", "num_epochs=3")[0] == 0
    folder = Path("S/0_lr=0.5,seed=0")
    result, stored = Result.read(folder), yaml.safe_load((folder / HYDRA / "config.yaml").open())
    assert stored["num_epochs"] == 3
    assert {name: stored[name] for name in ("lr", "seed", "engine")} == {
        name: result.config[name] for name in ("lr", "seed", "engine")
    }
    overrides = yaml.safe_load((folder / HYDRA / "overrides.yaml").read_text())
    assert overrides == [*SMALL, "lr=0.5", "seed=0", "num_epochs=3"]
    if resumed == "S":
        told = yaml.safe_load(Path("S/multirun.yaml").read_text())
        assert told["num_epochs"] == 3
        assert "num_epochs=3" in told["hydra"]["overrides"]["task"]


@pytest.mark.slow
def test_an_older_study_is_lengthened_too():
    """Its commands do not say where they were typed, its results not what was changed."""
    Path("a.txt").write_text("some words that are a text " * 40)
    own = ["dataset=text", "dataset.path=a.txt", "dataset.max_tokens=null"]
    own += ["hydra.launcher.lanes=1"]
    assert typed(*STUDY, *own, "num_epochs=2", "sweep=S")[0] == 0
    (made,) = [json.loads(line) for line in Path("S/commands.jsonl").read_text().splitlines()]
    Path("S/commands.jsonl").write_text(json.dumps([w for w in made if w[:4] != "cwd="]) + "\n")
    for path in Path("S").rglob("result.json"):
        values = json.loads(path.read_text())
        del values["formerly"]
        values["config"]["dataset"]["path"] = "a.txt"
        path.write_text(json.dumps(values))
    Path("elsewhere").mkdir()
    assert typed("resume", "../S", "num_epochs=3", at="elsewhere")[0] == 0
    assert [r.epochs for r in jobs("S").values()] == [3] * 4
    assert typed("reproduce", "../S/0_lr=0.5,seed=0", at="elsewhere")[0] == 0
    shutil.rmtree("elsewhere")


@pytest.mark.parametrize(
    "value",
    ["a b", "it's", "a\\'b", "x\\", "a,b", "[x]", "é.txt", "x=1/t", "#1", "null", "1e3", "2024_01"]
    + ["$x", "~/x", "", 3, 0.5, None, True, ("a'b", "c")],
)
def test_a_value_is_typed_so_that_it_is_read_as_it_was(value):
    read = values_of([as_override("dataset.path", value)])["dataset.path"]
    assert read == ([*value] if isinstance(value, tuple) else value)
