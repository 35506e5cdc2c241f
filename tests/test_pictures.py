"""A picture or a report that cannot be made is a warning: what counts is what was trained."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rnnlab._common import files
from rnnlab.runs import run as running
from rnnlab.runs import stack as experiment
from rnnlab.runs.folder import CURVE
from rnnlab.runs.result import Result, Status
from rnnlab.runs.trackers import files as file_tracker
from rnnlab.studies import launch
from rnnlab.studies.job import Job
from rnnlab.studies.plan import Plan
from rnnlab.studies.report import page
from rnnlab.studies.view import StudyView

pytestmark = pytest.mark.attack(11, "pictures and reports that cannot be made")

TINY = ["num_hiddens=4", "batch_size=2", "num_steps=5", "num_epochs=2", "dataset.max_tokens=150"]


def fails(*_: object, **__: object):
    raise RuntimeError("no font\x1b[2J")


def full(*_: object, **__: object):
    raise OSError(28, "No space left on device")


@pytest.fixture
def folder() -> Path:
    Path("run").mkdir()
    return Path("run")


def images(folder: Path) -> list[str]:
    return EventAccumulator(str(folder)).Reload().Tags()["images"]


def test_a_curve_that_cannot_be_drawn(compose, folder, monkeypatch, capsys):
    monkeypatch.setattr(logging.getLogger("rnnlab"), "propagate", False)  # to pytest's handlers
    monkeypatch.setattr(running, "perplexity_figure", fails)
    result = experiment.run(compose(*TINY), folder)
    assert result.status == Status.completed
    (warning,) = Result.read(folder).warnings
    assert warning == "the curve could not be drawn: RuntimeError: no font\x1b[2J"
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("warning")]
    assert line == r"warning: the curve could not be drawn: RuntimeError: no font\x1b[2J"
    assert "[WARNING] - the curve could not be drawn" in (folder / "run.log").read_text()


def test_a_curve_that_no_file_has_room_for(compose, folder, monkeypatch):
    """TensorBoard still gets its own; a half of a picture is not left."""
    monkeypatch.setattr(file_tracker, "write_whole", full)
    result = experiment.run(compose(*TINY), folder)
    assert (result.status, len(result.warnings)) == (Status.completed, 1)
    assert "No space left" in result.warnings[0]
    assert images(folder) == ["perplexity/curve"]
    assert not (folder / CURVE).exists()


def test_an_image_that_matplotlib_cannot_make(compose, folder, monkeypatch):
    monkeypatch.setattr(Figure, "savefig", fails)
    result = experiment.run(compose(*TINY), folder)
    assert (result.status, len(result.warnings)) == (Status.completed, 2)
    assert images(folder) == []
    assert Result.read(folder).perplexity == result.perplexity


def test_a_result_from_before_there_were_warnings_has_none(compose, folder):
    experiment.run(compose(*TINY), folder)
    values = json.loads((folder / "result.json").read_text())
    assert values.pop("warnings") == []
    (folder / "result.json").write_text(json.dumps(values))
    assert Result.read(folder).warnings == []


def test_a_study_says_its_warnings_at_its_end_in_one_line(compose, folder, monkeypatch, capsys):
    monkeypatch.setattr(running, "perplexity_figure", fails)
    result = experiment.run(compose(*TINY), folder)
    corpus = None
    jobs = [Job(k, ("lr=1",), compose(*TINY), corpus, Path(f"{k}")) for k in range(2)]  # pyrefly: ignore
    capsys.readouterr()
    with StudyView(Path("study"), Plan([(job.overrides, job) for job in jobs])) as view:
        for job in jobs:
            view.ended(job, result)
    lines = capsys.readouterr().out.splitlines()
    (line,) = [line for line in lines if line.startswith("warning")]
    assert line.startswith("warning: job 0: the curve could not be drawn: RuntimeError: no font")
    assert line.endswith(r"\x1b[2J (and 1 more: result.json has them)")


@pytest.mark.parametrize("module, name", [(page, "write_whole"), (Figure, "savefig")])
def test_a_report_that_cannot_be_written_is_one_line(
    compose, folder, monkeypatch, capsys, module, name
):
    experiment.run(compose(*TINY), folder)
    capsys.readouterr()
    monkeypatch.setattr(module, name, full)
    launch._report(Path())
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert err.startswith("warning: the report could not be written: ")
    assert "No space left on device" in err


def test_a_picture_is_whole_or_not_there(folder, monkeypatch):
    """A disk that fills up in the middle of it leaves no half."""
    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        file_tracker.Files(folder).figure(Figure())
    assert not [path for path in folder.iterdir() if CURVE in path.name]
