"""A study to which jobs are added, that is interrupted, or whose sweeper searches."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from hydra.core.plugins import Plugins

from boards import row
from hydra_plugins.rnnlab_launcher.search import OptunaSweeper
from rnnlab.runs.folder import HYDRA, ROW
from rnnlab.studies import launch
from rnnlab.studies.executors import Task
from typed import SMALL, jobs, typed

STUDY = ["-m", *SMALL, "num_epochs=2"]


def test_in_a_grown_study_every_job_has_all_columns():
    """What the first command did not vary is in its jobs' rows as well."""
    assert typed(*STUDY, "lr=0.5,1", "sweep=S")[0] == 0
    assert {tuple(result.swept) for result in jobs("S").values()} == {("lr",)}
    status, out, _ = typed(*STUDY, "lr=2", "theta=5", "sweep=S")
    assert status == 0
    assert list(jobs("S")) == ["0_lr=0.5", "1_lr=1", "2_lr=2,theta=5"]
    assert {tuple(result.swept) for result in jobs("S").values()} == {("lr", "theta")}
    rows = [row(Path("S", job)) for job in jobs("S")]
    assert [(own.values["lr"], own.values["theta"]) for own in rows] == [(0.5, 1), (1, 1), (2, 5)]
    assert len({frozenset(own.values) for own in rows}) == 1
    assert {own.status for own in rows} == {1}  # success
    for job in ("lr=0.5 theta=1", "lr=1 theta=1", "lr=2 theta=5"):
        assert job in out[out.index("changed") :]  # the table is the whole study's


def test_a_lengthened_runs_row_has_its_length_and_its_end(stop_after):
    stop_after(30)
    typed(*SMALL, "num_epochs=3", "hydra.run.dir=run")
    values, _, status = row(Path("run"))
    assert (values["num_epochs"], status) == (3, None)  # it has not ended: a reader keeps an end
    stop_after(float("inf"))
    assert typed("resume=run", "num_epochs=5")[0] == 0
    values, _, status = row(Path("run"))
    assert (values["num_epochs"], status) == (5, 1)
    (own,) = [
        path for path in Path("run").glob("*tfevents*") if path.stat().st_size and path.name != ROW
    ]
    assert own.name.endswith(".resumed-0001")


def test_the_best_of_a_study_is_no_lucky_seed():
    _, out, _ = typed(*STUDY, "lr=0.5,1", "seed=0,1,2", "sweep=S")
    (best,) = [line for line in out.splitlines() if line.startswith("best: ")]
    of = {
        rate: [r.figure or 0 for j, r in jobs("S").items() if f"lr={rate}," in j]
        for rate in ("0.5", "1")
    }
    rate = min(of, key=lambda rate: sum(of[rate]))
    assert best.startswith(f"best: lr={rate}: training perplexity {sum(of[rate]) / 3:.4g} ")
    assert best.endswith("mean of 3 seeds")


# --- the same job ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "compared", ["engine=fused,eager,torch_nn", "log.every=1,2", "dataset.prefixes=[a],[b]"]
)
def test_what_was_asked_to_be_compared_is_no_duplicate(compared):
    """Nor is it one when it is asked for again, all at once or one after the other."""
    number = compared.count(",") + 1
    for more in ([], [], ["hydra.sweeper.max_batch_size=1"]):
        assert typed(*STUDY, compared, *more, "sweep=S")[0] == 0
        assert len(jobs("S")) == number
    assert len({repr(result.config) for result in jobs("S").values()}) == number


def test_what_was_not_asked_to_be_compared_makes_no_new_job():
    assert typed(*STUDY, "lr=0.5,1,0.5", "sweep=S")[0] == 0
    assert typed(*STUDY, "lr=0.5,1,1.0", "engine=eager", "log.every=2", "sweep=S")[0] == 0
    assert len(jobs("S")) == 2


# --- folders ---------------------------------------------------------------------------------


def test_two_jobs_of_one_folder_are_refused_before_anything_trains():
    study = [*STUDY, "seed=0,1", "hydra.sweep.subdir=seed${seed}"]
    status, _, err = typed(*study, "lr=0.3,1", "sweep=S")
    assert status == 2
    assert "job 0 (seed=0 lr=0.3) and job 1 (seed=0 lr=1) in S/seed0 is not allowed" in err
    assert not Path("S").exists()
    assert typed(*study, "lr=1", "sweep=S")[0] == 0
    status, _, err = typed(*study, "lr=0.3", "sweep=S")
    assert (status, "S/seed0 is not allowed: it is another job's" in err) == (2, True)
    status, _, err = typed(*STUDY, "lr=1,2", "hydra.sweep.subdir=../${lr}", "sweep=T")
    assert (status, "has to name a folder in the study's" in err) == (2, True)


def test_numbers_of_jobs_in_nested_folders_stay_their_own():
    study = [*STUDY, "lr=0.5,1", "seed=3,4", "hydra.sweep.subdir=lr${lr}/${seed}/x", "sweep=S"]
    assert typed(*study)[0] == 0
    _, out, _ = typed(*study)
    told = [line for line in out.splitlines() if line.startswith("job ")]
    assert [line.split(":")[0] for line in told] == [
        f"job {k} completed ({k + 1}/4)" for k in range(4)
    ]
    _, out, _ = typed(*STUDY, "lr=2", "seed=3,4", "hydra.sweep.subdir=lr${lr}/${seed}/x", "sweep=S")
    assert "job 4 completed (1/2)" in out
    assert "job 5 completed (2/2)" in out


# --- how it ends -----------------------------------------------------------------------------


class Killed:
    """An executor whose workers are killed before they have written anything."""

    slots = 1

    def start(self, task: Task) -> Task:
        return task

    def poll(self, handle: Task) -> str:  # noqa: ARG002
        return "process ended before its jobs, with exit status -9"

    def stop(self, handle: Task) -> None: ...

    def name(self, handle: Task) -> None: ...


def test_a_job_that_was_killed_twice_before_its_first_word_has_failed_and_says_why():
    status, out, err = typed(*STUDY, "lr=0.5,1", "sweep=S", executor=Killed())
    assert (status, err) == (1, "")
    assert [(r.status, r.error) for r in jobs("S").values()] == [
        ("failed", "the worker process ended before its jobs, with exit status -9, twice")
    ] * 2
    assert out.splitlines()[-1] == "go on with: rnnlab resume S"
    assert "exit status -9, twice" in Path("S/report.html").read_text()
    assert typed("resume=S")[0] == 0
    assert {r.status for r in jobs("S").values()} == {"completed"}


def test_the_last_line_says_what_to_type_to_go_on(stop_after, monkeypatch):
    stop_after(30)
    status, out, _ = typed(*STUDY, "lr=0.5,1", "sweep=a study")
    assert (status, out.splitlines()[-1]) == (1, "go on with: rnnlab resume 'a study'")
    stop_after(float("inf"))
    with monkeypatch.context() as patches:
        patches.setattr(launch, "_train", lambda *_: True)  # Ctrl-C
        status, out, _ = typed(*STUDY, "lr=0.5,1", "sweep=a study")
        assert (status, out.splitlines()[-1]) == (130, "go on with: rnnlab resume 'a study'")

        def full(*_):
            raise OSError(28, "No space left on device", "a study")

        patches.setattr(launch, "_train", full)
        status, _, err = typed(*STUDY, "lr=0.5,1", "sweep=a study")
        assert err == "a study: No space left on device.\ngo on with: rnnlab resume 'a study'\n"
    status, out, _ = typed("resume=a study")
    assert (status, out.splitlines()[-1]) == (0, "a study/report.html")
    _, out, _ = typed(*STUDY, "lr=1,1e39", "sweep=D")
    assert "1 of 2 jobs diverged" in out.splitlines()[-1]


# --- one way to know that it is a study ------------------------------------------------------


def in_a_file() -> list[str]:
    """The primary one: Hydra 1.4 takes no mode from others."""
    Path("own").mkdir()
    hydras = "hydra:\n  mode: MULTIRUN\n  sweeper:\n    params:\n      lr: 0.5,1\n"
    Path("own/study.yaml").write_text(f"defaults: [config, _self_]\n{hydras}")
    return ["--config-name=study", "--config-dir=own"]


@pytest.mark.parametrize("how", ["-m", "hydra.mode=MULTIRUN", "a file"])
def test_a_study_is_one_however_that_is_said(how):
    words = in_a_file() if how == "a file" else ["lr=0.5,1", how]
    more = words if how == "a file" else []
    study = ["sweep=S", *SMALL, "num_epochs=2", *words]
    status, out, err = typed("plan=true", *study)
    assert (status, err, "nothing was trained" in out) == (0, "", True)
    assert not Path("S").exists()
    assert typed(*study)[0] == 0
    assert typed("resume=S", "num_epochs=3", *more)[0] == 0
    assert [r.epochs for r in jobs("S").values()] == [3, 3]


# --- a sweeper that searches -----------------------------------------------------------------

SEARCH = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2"]
SEARCH += ["lr=tag(log,interval(0.1,10))"]


@pytest.fixture
def search():
    pytest.importorskip("optuna")
    return [*STUDY, *SEARCH, "sweep=S"]


def test_a_complete_search_is_not_searched_again(search):
    assert typed(*search)[0] == 0
    best, before = Path("S/optimization_results.yaml").read_bytes(), jobs("S")
    status, out, _ = typed("resume=S")
    assert (status, jobs("S")) == (0, before)
    assert "trials" not in out
    assert typed("resume=S", "num_epochs=3")[0] == 0
    assert [r.epochs for r in jobs("S").values()] == [3] * 4
    assert Path("S/optimization_results.yaml").read_bytes() == best


def stopped_in_its_second_batch(search: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = itertools.count()
    train = launch._train
    with monkeypatch.context() as patches:
        patches.setattr(launch, "_train", lambda *a: train(*a) if next(asked) == 0 else True)
        assert typed(*search)[0] == 130
    assert len(jobs("S")) == 2


class Other(OptunaSweeper):
    """A sweeper of somebody else's, of which nobody knows what it asks for a second time."""

    __module__ = "hydra_plugins.others"  # Hydra 1.4 instantiates none from elsewhere


def test_of_a_search_that_was_stopped_what_was_asked_for_is_trained_and_the_rest_is_said(
    search, monkeypatch
):
    others = ModuleType(Other.__module__)
    monkeypatch.setattr(others, "Other", Other, raising=False)
    monkeypatch.setitem(sys.modules, Other.__module__, others)
    name = f"{Other.__module__}.Other"
    monkeypatch.setitem(Plugins.instance().class_name_to_class, name, Other)
    other = f"hydra.sweeper._target_={name}"
    stopped_in_its_second_batch([*search, other], monkeypatch)
    status, out, _ = typed("resume=S", other)
    assert status == 0
    assert "2 of 4 trials were asked for" in out
    assert out.splitlines()[-1].endswith(f"{other} hydra.sweeper.n_trials=2 sweep=S")
    assert len(jobs("S")) == 2


def test_a_search_goes_on_as_if_it_had_not_been_stopped(search, monkeypatch):
    seeded = [*search[:-1], "hydra/sweeper/sampler=random", "hydra.sweeper.sampler.seed=1"]
    assert typed(*seeded, "sweep=whole")[0] == 0
    stopped_in_its_second_batch([*seeded, "sweep=S"], monkeypatch)
    assert typed("resume=S")[0] == 0
    assert list(jobs("S")) == list(jobs("whole"))
    told = [
        yaml.safe_load(Path(s, "optimization_results.yaml").read_text()) for s in ("S", "whole")
    ]
    assert told[0] == told[1]


def test_a_search_does_not_take_words_from_its_jobs_folders(search):
    assert typed(*search)[0] == 0
    path = next(Path("S").glob("0_*")) / HYDRA / "overrides.yaml"
    path.write_text(path.read_text() + "- +hydra.callbacks.x={_target_:os.abort}\n")
    status, _, err = typed("resume=S")
    assert (status, "os.abort" in err) == (2, True)
