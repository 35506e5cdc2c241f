"""stop.*: a run that ends early is completed, says why, and is the same run after a kill."""

from __future__ import annotations

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from rnnlab._common.errors import ConfigError
from rnnlab.config.identity import config_id
from rnnlab.config.schema import StopSettings
from rnnlab.config.stored import from_dict
from rnnlab.runs import resume as resuming
from rnnlab.runs import stack
from rnnlab.runs.checkpoint import load_checkpoint, save_checkpoint
from rnnlab.runs.differences import differences
from rnnlab.runs.folder import LAST, RESULT, read_metrics
from rnnlab.runs.result import Result
from rnnlab.runs.stopping import Waiting
from rnnlab.studies.verify import verify
from typed import SMALL as STUDY
from typed import jobs, typed

SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "num_epochs=20", "log.sample_length=5"]
SMALL += ["dataset.max_tokens=600", "checkpoint.seconds=0", "max_minibatches=7"]
HELD_OUT = [*SMALL, "dataset.val_fraction=0.1", "log.val_every=2"]
RISES = [*HELD_OUT, "lr=3", "seed=1", "log.val_every=1"]  # held-out perplexity comes and goes


def waited(*figures: float, min_delta: float = 0) -> Waiting:
    waiting = Waiting()
    for figure in figures:
        waiting = waiting.after(figure, min_delta)
    return waiting


def train(config, name: str) -> Result:
    return stack.run(config, Path(name))


def files(folder: str) -> dict[Path, bytes]:
    found = (path for path in Path(folder).rglob("*") if path.is_file() and path.name != ".lock")
    return {path: path.read_bytes() for path in found}


def test_a_figure_is_better_if_it_is_lower_by_more_than_min_delta():
    assert waited(9, 8, 8, 8.5) == Waiting(best=8, waited=2, last=8.5)
    assert waited(9, 8.5, 8, min_delta=1) == Waiting(best=9, waited=2, last=8)
    assert waited(9, 8.5, 7.9, min_delta=1) == Waiting(best=7.9, waited=0, last=7.9)
    assert waited(math.inf, math.nan) == Waiting(best=None, waited=2, last=None)


@pytest.mark.parametrize(
    ("stop", "reason"),
    [
        ({}, None),
        ({"patience": 3}, None),
        ({"patience": 2}, "val_perplexity had not improved for 2 evaluations"),
        ({"below": 8.5}, None),
        ({"below": 8.6}, "val_perplexity was below 8.6"),
    ],
)
def test_the_reason_is_a_sentence(stop, reason):
    assert waited(9, 8, 8, 8.5).reason(StopSettings(**stop), is_held_out=True) == reason


def test_patience_counts_passes_over_held_out_text(compose, capsys):
    """At lr 0 the first pass is the best one; the run ends at the third, of the sixth epoch."""
    result = train(compose(*HELD_OUT, "lr=0", "stop.patience=2", "log.every=4"), "run")
    assert (result.status, result.epochs) == ("completed", 6)
    assert result.stopped == "val_perplexity had not improved for 2 evaluations"
    assert json.loads(Path("run", RESULT).read_text())["stopped"] == result.stopped
    assert f"stopped after 6 epochs: {result.stopped}." in capsys.readouterr().out
    assert [line["epoch"] for line in read_metrics(Path("run"))] == [2, 4, 6]
    assert list(result.samples.values()) != []


def test_without_held_out_text_it_counts_epochs(compose):
    """The same minibatches at lr 0: one perplexity. The last epoch is logged, whatever log.every
    is."""
    same = ["lr=0", "repeat_first_epoch=true", "sampler=random", "stop.patience=3", "log.every=3"]
    result = train(compose(*SMALL, *same), "run")
    assert (result.status, result.epochs) == ("completed", 4)
    assert result.stopped == "perplexity had not improved for 3 epochs"
    assert [line["epoch"] for line in read_metrics(Path("run"))] == [3, 4]


@pytest.mark.parametrize("held_out", [True, False])
def test_it_ends_after_the_first_epoch_whose_figure_is_below(compose, held_out):
    own, name = (HELD_OUT, "val_perplexity") if held_out else (SMALL, "perplexity")
    whole = train(compose(*own), "whole")
    assert whole.stopped is None
    figures = {
        line["epoch"]: line[name] for line in read_metrics(Path("whole")) if line[name] is not None
    }
    limit = (figures[6] + figures[8]) / 2
    first = next(epoch for epoch, figure in figures.items() if figure < limit)
    result = train(compose(*own, f"stop.below={limit}"), "run")
    assert (result.status, result.epochs) == ("completed", first)
    assert result.stopped == f"{name} was below {limit:g}"


def test_a_run_that_never_has_to_stop_is_the_run_without(compose):
    train(compose(*HELD_OUT), "one")
    result = train(compose(*HELD_OUT, "stop.patience=1000", "stop.below=1.0001"), "other")
    assert (result.epochs, result.stopped) == (20, None)
    assert list(differences(Path("one"), Path("other"))) == []


def test_stopped_in_the_middle_of_an_epoch_it_ends_at_the_same_epoch(compose, stop_after):
    """Wherever it was interrupted: counting anew after it would end the run later."""
    config = compose(*RISES, "stop.patience=3", "num_epochs=200")
    whole = train(config, "whole")
    assert whole.stopped
    assert 4 < whole.epochs < 100
    for minibatches in range(3, 7 * whole.epochs, 11):
        stop_after(minibatches)
        assert train(config, "run").status == "interrupted"
        stop_after(float("inf"))
        result = resuming.resume(Path("run"), {})
        assert (result.epochs, result.stopped) == (whole.epochs, whole.stopped)
        assert list(differences(Path("whole"), Path("run"))) == []
        shutil.rmtree("run")


def test_killed_between_its_last_checkpoint_and_its_result_it_does_not_train_on(compose):
    config = compose(*RISES, "stop.patience=3", "num_epochs=200")
    train(config, "run")
    shutil.copytree("run", "whole")
    for status in ("running", "interrupted"):
        told = json.loads(Path("run", RESULT).read_text()) | {"status": status, "stopped": None}
        Path("run", RESULT).write_text(json.dumps(told))
        resuming.resume(Path("run"), {})
        assert list(differences(Path("whole"), Path("run"))) == []


@pytest.mark.parametrize("lanes", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_killed_at_random_moments_it_ends_at_the_same_epoch(compose, tmp_path, lanes):
    """Real SIGKILLs; lanes stop at epochs of their own, while the last one goes on."""
    small = [*RISES, "num_epochs=120", "checkpoint.seconds=0.02", "stop.min_delta=0.001"]
    patience = [40, 10, "null"][:lanes]
    configs = [compose(*small, f"stop.patience={own}") for own in patience]
    verdict = verify(configs, tmp_path, kills=4)
    assert verdict.kills == 4
    assert verdict.differences == []
    wholes = [Result.read(tmp_path / f"whole-{k}") for k in range(lanes)]
    assert [whole.stopped is None for whole in wholes] == [own == "null" for own in patience]


def test_a_lane_that_has_stopped_leaves_the_others_alone(compose):
    """Bit for bit what they are beside one that goes on; its own log is the longer one's head."""
    free = [compose(*RISES, f"seed={k}") for k in range(3)]
    configs = [replace(free[0], stop=StopSettings(patience=2)), *free[1:]]
    stack.run_stack(free, [Path(f"free{k}") for k in range(3)])
    results = stack.run_stack(configs, [Path(f"run{k}") for k in range(3)])
    assert [result.status for result in results] == ["completed"] * 3
    stopped = results[0].epochs
    assert stopped < 20
    assert [result.epochs for result in results[1:]] == [20, 20]
    for k in (1, 2):
        assert list(differences(Path(f"free{k}"), Path(f"run{k}"))) == []
    one, other = ([*read_metrics(Path(f"{name}0"))] for name in ("free", "run"))
    assert [line["loss"] for line in one[:stopped]] == [line["loss"] for line in other]


# --- going on --------------------------------------------------------------------------------


def test_what_has_stopped_stays_so_in_a_longer_run(compose):
    """As the run that was as long from the start would have."""
    longer = train(compose(*HELD_OUT, "lr=0", "stop.patience=2", "num_epochs=30"), "longer")
    train(compose(*HELD_OUT, "lr=0", "stop.patience=2"), "run")
    before = files("run")
    result = resuming.resume(Path("run"), {"num_epochs": 30})
    assert (result.epochs, result.stopped) == (longer.epochs, longer.stopped)
    assert files("run") == before


@pytest.mark.parametrize("change", [{"stop.patience": None}, {"stop.patience": 1000}])
def test_another_stop_goes_on_as_if_it_had_been_so_from_the_start(compose, change):
    train(compose(*HELD_OUT), "whole")
    stopped = train(compose(*HELD_OUT, "stop.patience=1", "stop.min_delta=100"), "run")
    assert stopped.epochs == 4
    result = resuming.resume(Path("run"), change)
    assert (result.epochs, result.stopped) == (20, None)
    assert list(differences(Path("whole"), Path("run"))) == []


def test_what_would_have_stopped_earlier_ends_at_once(compose):
    train(compose(*HELD_OUT, "lr=0", "stop.patience=4"), "run")
    result = resuming.resume(Path("run"), {"stop.patience": 1})
    assert (result.status, result.epochs) == ("completed", 10)
    assert result.stopped == "val_perplexity had not improved for 4 evaluations"


def test_the_extra_pass_at_the_end_of_a_short_run_does_not_count(compose):
    """Of epoch 5, which a run of 20 has no pass at: patience would be over an evaluation early."""
    whole = train(compose(*HELD_OUT, "lr=0", "stop.patience=3"), "whole")
    train(compose(*HELD_OUT, "lr=0", "stop.patience=3", "num_epochs=5"), "run")
    result = resuming.resume(Path("run"), {"num_epochs": 20})
    assert (result.epochs, result.stopped) == (whole.epochs, whole.stopped) == (8, whole.stopped)
    saved = [load_checkpoint(Path(name), LAST) for name in ("whole", "run")]
    assert saved[0].progress
    assert saved[1].progress
    assert saved[0].progress.waiting == saved[1].progress.waiting


def test_older_folders_go_on_and_count_from_there(compose, stop_after):
    """Without stop, stopped and schedule in result.json, and without waiting in the checkpoint."""
    stop_after(30)
    train(compose(*HELD_OUT, "lr=0"), "run")
    told = json.loads(Path("run", RESULT).read_text())
    del told["stopped"], told["config"]["stop"], told["config"]["schedule"]
    Path("run", RESULT).write_text(json.dumps(told))
    older = load_checkpoint(Path("run"), LAST)
    assert older.progress
    older = replace(older, progress=replace(older.progress, waiting=Waiting()))
    save_checkpoint(Path("run"), LAST, older)
    assert from_dict(told["config"]).stop == StopSettings()
    with pytest.raises(ConfigError, match=r"schedule\.warmup: 0 -> 3"):
        resuming.resume(Path("run"), {"schedule.warmup": 3})
    stop_after(float("inf"))
    result = resuming.resume(Path("run"), {"stop.patience": 1})
    assert (result.epochs, result.stopped is None) == (8, False)  # passes of epochs 6 and 8


def test_stop_is_no_part_of_the_experiment(compose):
    plain, patient = compose(*SMALL), compose(*SMALL, "stop.patience=3")
    assert config_id(plain, "") == config_id(patient, "")


@pytest.mark.slow
def test_jobs_of_a_study_that_have_stopped_are_not_trained_again():
    study = ["-m", *STUDY, "lr=0,1", "num_epochs=20", "stop.patience=1", "log.val_every=1"]
    study += ["stop.min_delta=100", "dataset.val_fraction=0.1"]
    status, out, err = typed(*study, "sweep=S")
    assert (status, err) == (0, "")
    assert "; stopped after 2 epochs: val_perplexity had not improved by more than 100" in out
    before = {name: result.ended for name, result in jobs("S").items()}
    for words in (["resume=S"], [*study, "sweep=S"], ["resume=S", "num_epochs=30"]):
        assert typed(*words)[0] == 0
        assert {name: result.ended for name, result in jobs("S").items()} == before
    assert typed("resume=S", "num_epochs=6", "stop.patience=null")[0] == 0
    assert [(r.epochs, r.stopped) for r in jobs("S").values()] == [(6, None)] * 2
    assert typed("resume=S")[0] == 0  # keeps what it was changed to
    assert [(r.epochs, r.stopped) for r in jobs("S").values()] == [(6, None)] * 2
    assert len(jobs("S")) == 2


def test_jobs_that_stop_otherwise_are_jobs_of_their_own():
    study = ["-m", *STUDY, "lr=0", "num_epochs=9", "log.val_every=1", "dataset.val_fraction=0.1"]
    assert typed(*study, "stop.patience=1,2,null", "sweep=S")[0] == 0
    assert typed(*study, "stop.patience=3", "sweep=S")[0] == 0
    assert [result.epochs for result in jobs("S").values()] == [2, 3, 9, 4]
    assert "stop.patience" in Path("S", "report.md").read_text()
