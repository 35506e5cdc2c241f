"""A picture or a report that cannot be made is a warning: what counts is what was trained."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.ttLib.tables._g_l_y_f import Glyph
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rnnlab._common import files
from rnnlab.runs import figures, fonts
from rnnlab.runs import stack as experiment
from rnnlab.runs.folder import CURVE
from rnnlab.runs.result import Result, Status
from rnnlab.runs.trackers import files as file_tracker
from rnnlab.studies import launch
from rnnlab.studies.job import Job
from rnnlab.studies.plan import Plan
from rnnlab.studies.report import write
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
    monkeypatch.setattr(figures, "perplexity_figure", fails)
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
    assert images(folder) == ["training_curve/perplexity"]
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
    monkeypatch.setattr(figures, "perplexity_figure", fails)
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


def test_a_report_that_cannot_be_written_is_one_line(compose, folder, monkeypatch, capsys):
    experiment.run(compose(*TINY), folder)
    capsys.readouterr()
    monkeypatch.setattr(write, "write_whole", full)
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


# --- what its texts are shown in -------------------------------------------------------------


@pytest.fixture
def no_fonts(monkeypatch) -> None:
    """A machine with the fonts that come with matplotlib alone, of which none has Chinese."""
    monkeypatch.setattr(fonts, "families", [*fonts.families[:1]])
    monkeypatch.setattr(fonts, "lacking", set())
    own = [font for font in fontManager.ttflist if "mpl-data" in str(font.fname)]
    monkeypatch.setattr(fontManager, "ttflist", own)


@pytest.fixture
def a_font(no_fonts) -> str:  # noqa: ARG001
    """The name of a font on this machine that has one Chinese character and no more."""
    builder = FontBuilder(unitsPerEm=1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", "middle"])
    builder.setupCharacterMap({ord("中"): "middle"})
    builder.setupGlyf({".notdef": Glyph(), "middle": Glyph()})
    builder.setupHorizontalMetrics({".notdef": (500, 0), "middle": (1000, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "Middle", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save("middle.ttf")
    fontManager.addfont("middle.ttf")
    return "Middle"


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("$x^2$ a_b \\frac{1}", "$x^2$ a_b \\frac{1}"),
        ("Zürich, Ελλάδα", "Zürich, Ελλάδα"),
        ("中文", r"\u4e2d\u6587"),
        ("\U0001f1e8\U0001f1ed", r"\U0001f1e8\U0001f1ed"),
        ("a\nb\u202e", r"a\nb\u202e"),
    ],
)
@pytest.mark.usefixtures("no_fonts")
def test_what_no_font_has_is_an_escape_and_no_box(given, shown):
    assert figures.label(given) == shown


def test_a_font_that_has_a_character_is_used(a_font, recwarn, caplog):
    """Nobody is told of the one that no font has."""
    assert figures.label("中文") == r"中\u6587"
    assert fonts.families[1:] == [a_font]
    figure = figures.perplexity_figure([(1, 3.0), (2, 2.0)], [], title="中文\nand more")
    assert "中" in figure.axes[0].get_title(loc="left")
    for kind in ("svg", "png"):
        assert figures.saved(figure, kind)
    assert (recwarn.list, caplog.records) == ([], [])


def test_a_picture_is_made_again_where_a_text_needs_another_font(a_font):
    """Its other texts were made before that was known."""
    made = []

    @figures.as_it_is
    def make() -> Figure:
        figure = Figure()
        made.append(figure.text(0, 0, "first"))
        figure.text(0, 0.5, figures.label("中"))
        return figure

    make()
    assert [text.get_fontfamily()[1:] for text in made] == [[], [a_font]]


def test_a_curve_of_one_epoch_is_seen():
    (training, held_out) = figures.perplexity_figure([(1, 3.0)], [(1, 4.0)]).axes[0].lines
    assert (training.get_marker(), held_out.get_marker()) == ("o", "o")
    assert (training.get_label(), held_out.get_label()) == ("training", "held out")
