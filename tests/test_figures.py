"""Figures to keep: their size, fonts and bytes, that print and eyes keep apart what is in them."""

from __future__ import annotations

import io
import itertools
import json
import re
import subprocess
import sys
import zlib
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

import rnnlab
from rnnlab._common.errors import ConfigError
from rnnlab.runs.colours import COLOURS, ink_on, luminance
from rnnlab.runs.result import Status
from rnnlab.studies.report import figures
from rnnlab.studies.report.curves import over_seeds
from rnnlab.studies.report.entries import read
from rnnlab.studies.report.figures import KINDS, write_figure
from rnnlab.studies.report.ranking import Ranking
from rnnlab.studies.report.style import GREY, MARKS
from test_report import HOME, forge
from typed import typed

WIDTH = 200.0  # points
HOSTILE = "</text><script>alert(1)</script> $x^2$ \\frac a_b\n\u202e &amp;"


def grid(missing: int = 0, seeds: int = 1) -> None:
    pairs = [(lr, n) for lr in (0.1, 1.0, 10.0) for n in (2, 4, 8, 16)][missing:]
    for lr, n in pairs:
        for seed in range(seeds):
            forge(f"{lr}-{n}-{seed}", 1.0 + lr + seed, lr=lr, num_hiddens=n, seed=seed)


def draw(kind: str, width: float = WIDTH) -> Figure:
    return KINDS[kind](Ranking(read(HOME)[0]), width)


def words_of(figure: Figure) -> list[str]:
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def logged(name: str, curve: dict[int, float], **knobs) -> None:
    lines = [
        {"epoch": epoch, "perplexity": y, "val_perplexity": None} for epoch, y in curve.items()
    ]
    entry = forge(name, 2.0, **knobs)
    (entry.folder / "metrics.jsonl").write_text("".join(json.dumps(x) + "\n" for x in lines))


# --- on paper --------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("width", "points"), [("84mm", 238.11), ("8.4 cm", 238.11), ("3.5in", 252)]
)
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_is_as_wide_as_was_asked(kind, width, points):
    grid()
    pdf = write_figure(HOME, kind, width).read_bytes()
    (box,) = re.findall(rb"/MediaBox \[ 0 0 ([\d.]+) [\d.]+ \]", pdf)
    assert float(box) == pytest.approx(points, abs=0.01)
    svg = ElementTree.parse(write_figure(HOME, kind, width, "svg")).getroot()
    assert svg.attrib["width"].endswith("pt")
    assert float(svg.attrib["width"][:-2]) == pytest.approx(points, abs=0.01)
    png = write_figure(HOME, kind, width, "png").read_bytes()
    assert int.from_bytes(png[16:20]) == int(points / 72 * 300)
    assert re.search(rb"pHYs" + (11811).to_bytes(4) * 2, png)  # 300 dots an inch, in metres


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("width", [113.4, 238.1, 493.2])
def test_everything_has_room(kind, width):
    """However long its words are: nothing reaches out of the paper, no text is smaller than 5."""
    for k, words in itertools.product(range(3), ("a" * 200, "W" * 50, "x")):
        entry = forge(f"{k}{words[:3]}", 1.0 + k, lr=10.0**k, text="a")
        entry.result.config["y" * 80] = words
        entry.result.dataset["name"] = words
        entry.result.write(entry.folder)
    figure = draw(kind, width)
    figure.dpi = 300
    figure.savefig(io.BytesIO(), format="png")
    box = figure.get_tightbbox()
    assert box.x0 >= -0.01
    assert box.x1 <= width / 72 + 0.01
    assert box.y0 >= -0.01
    assert box.y1 <= figure.get_figheight() + 0.01
    assert min(float(text.get_fontsize()) for text in figure.findobj(Text)) >= 5
    assert all(axes.bbox.width / figure.dpi * 72 > width / 8 for axes in figure.axes[:1])


@pytest.mark.parametrize("kind", KINDS)
def test_fonts_are_in_the_file(kind):
    """As TrueType in a PDF; as outlines in an SVG, which needs no font then."""
    grid()
    pdf = write_figure(HOME, kind).read_bytes()
    streams = [
        zlib.decompress(s) for s in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.S)
    ]
    assert b"/FontFile2" in pdf + b"".join(streams)
    assert b"/Type3" not in pdf
    svg = write_figure(HOME, kind, form="svg").read_text()
    assert "<text" not in svg
    assert "font-family" not in svg


@pytest.mark.slow
@pytest.mark.parametrize("form", figures.FORMATS)
def test_the_same_study_makes_the_same_bytes(form, monkeypatch):
    """In another process, at another time, whatever the user's own style is, from Python too."""
    grid(seeds=2)
    made = write_figure(HOME, "curves", form=form).read_bytes()
    monkeypatch.setenv("PYTHONHASHSEED", "7")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1000000000")
    code = (
        "import sys, matplotlib, rnnlab; matplotlib.rcParams['font.size'] = 20\n"
        "matplotlib.rcParams['savefig.bbox'] = 'tight'\n"
        f"rnnlab.figure('study', 'curves').savefig('own.{form}')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert Path(f"own.{form}").read_bytes() == made
    assert not re.search(rb"CreationDate|<dc:date>", made)


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_texts_are_text(kind, recwarn):
    for k in range(4):
        entry = forge(f"{k}", 1.5 + k, lr=float(k % 2))
        entry.result.config |= {HOSTILE: f"{k // 2}{HOSTILE}"}
        entry.result.write(entry.folder)
    svg = write_figure(HOME, kind, form="svg").read_text()
    assert {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()} <= {
        *"svg metadata RDF Work type format creator Agent title defs style g path use".split(),
        *"clipPath rect pattern".split(),
    }
    assert write_figure(HOME, kind, form="png").stat().st_size > 0
    assert not recwarn.list


# --- told apart ------------------------------------------------------------------------------

# Machado, Oliveira and Fernandes, "A physiologically-based model for simulation of color vision
# deficiency", 2009: severity 1.0, of linear RGB
DEUTERANOPIA = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.01182, 0.04294, 0.968881],
    ]
)
PROTANOPIA = np.array(
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
)
XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.072175],
        [0.0193339, 0.119192, 0.9503041],
    ]
)
NORMAL = np.eye(3)
WHITE = np.array([0.95047, 1.0, 1.08883])


def lab(colour, seen_by=NORMAL) -> np.ndarray:
    """CIE L*a*b* of a colour, by eyes that lack something."""
    own = np.array(to_rgb(colour))
    linear = np.where(own <= 0.04045, own / 12.92, ((own + 0.055) / 1.055) ** 2.4)
    xyz = XYZ @ np.clip(seen_by @ linear, 0, 1) / WHITE
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize(("seen_by", "least"), [(NORMAL, 25), (DEUTERANOPIA, 17), (PROTANOPIA, 17)])
def test_colours_are_told_apart(seen_by, least):
    """2 is just noticeable side by side, 10 at a glance."""
    seen = [lab(colour, seen_by) for colour in COLOURS]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > least


def test_in_grey_the_first_are_told_apart_by_lightness_and_all_by_their_marks():
    lightness = [lab(colour)[0] for colour in COLOURS]
    assert min(abs(a - b) for a, b in itertools.combinations(lightness[:4], 2)) > 11
    assert len({*MARKS}) == len(COLOURS) == 8
    assert max(*lightness, lab(GREY)[0]) < 75  # of white paper's 100


def test_numbers_are_read_on_every_colour_of_the_map():
    """WCAG's contrast of 4.5, and cells whose order lightness keeps."""
    colours = [matplotlib.colormaps["viridis_r"](k / 255)[:3] for k in range(256)]
    lights = [lab(colour)[0] for colour in colours]
    assert lights == sorted(lights, reverse=True)
    for colour in colours:
        light, dark = sorted([luminance(ink_on(colour)), luminance(colour)], reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5


# --- what they show --------------------------------------------------------------------------


def test_mean_and_band_by_hand():
    """Epoch 1: 2, 4 and 9. Of epoch 2 one seed has nothing, of epoch 3 one alone has something."""
    curves = [[(1, 2.0), (2, 6.0)], [(1, 4.0), (2, 2.0), (3, 1.5)], [(1, 9.0)]]
    band = over_seeds(curves)
    assert band == ([1, 2, 3], [5.0, 4.0, 1.5], [2.0, 2.0, 1.5], [9.0, 6.0, 1.5])


def test_seeds_are_one_line_and_a_band():
    for seed, curve in enumerate(({1: 2.0, 2: 1.0}, {1: 4.0, 2: 3.0})):
        logged(f"{seed}", curve, seed=seed)
    axes = draw("curves").axes[0]
    (line,) = axes.lines
    assert np.array_equal(line.get_xydata(), [(1, 3.0), (2, 2.0)])
    (band,) = axes.collections
    corners = np.unique(np.asarray(band.get_paths()[0].vertices), axis=0)
    assert {*map(tuple, corners)} == {(1, 2.0), (1, 4.0), (2, 1.0), (2, 3.0)}
    assert axes.get_ylabel() == "training perplexity"


def test_training_is_solid_and_held_out_text_dashed():
    for lr in (1, 2):
        forge(f"{lr}", 1.25 * lr, lr=float(lr), held_out=9.5 * lr)
    figure = draw("curves")
    assert words_of(figure) == ["lr=1", "lr=2", "training", "held-out"]
    assert [line.is_dashed() for line in figure.axes[0].lines] == [False, True] * 2
    assert draw("effects").axes[0].get_ylabel() == "held-out perplexity"


def test_settings_that_differ_in_the_seventh_digit_have_two_names():
    for lr in (0.1, 0.10000001):
        forge(f"{lr}", lr, lr=lr)
    assert words_of(draw("curves")) == ["lr=0.1", "lr=0.10000001"]


def test_a_name_that_begins_with_an_underscore_is_named():
    """matplotlib leaves such lines out of a legend."""
    for name in ("_a", "b"):
        entry = forge(name, 2.0)
        entry.result.config = {}
        entry.result.write(entry.folder)
    assert words_of(draw("curves")) == [" _a", "b"]


def test_what_explodes_leaves_the_picture():
    """Held-out text of a run that diverges is the first that is seen of it."""
    logged("good", {1: 20.0, 2: 10.0})
    logged("bad", {1: 20.0, 2: 5000.0}, lr=9.0, status=Status.diverged)
    low, high = draw("curves").axes[0].get_ylim()
    assert 9 < low < 10
    assert 20 < high < 40


def test_settings_that_form_no_grid_are_points():
    """Sixty trials of a search: the best have colours, and each setting's axis its numbers."""
    for k in range(60):
        forge(f"{k}", 1.5 + abs(k - 20) / 10, lr=0.1 * 1.1**k, theta=1 + (k * 37 % 60) / 7)
    words = words_of(draw("curves"))
    assert words[0] == f"lr={0.1 * 1.1**20:.3g} theta=3.86"
    assert words[len(COLOURS) :] == ["52 others"]
    assert [axes.get_xscale() for axes in draw("effects").axes] == ["log", "linear"]
    with pytest.raises(ConfigError, match="no two settings were combined with each other"):
        draw("heatmap")


def test_of_each_text_some_are_named():
    for text, n in (("a", 12), ("b", 3)):
        for k in range(n):
            forge(f"{text}{k}", 2.0 + k, lr=1.0 + k, text=text)
    words = words_of(draw("curves"))
    assert [word.rpartition(": ")[2] for word in words[5:]] == ["lr=1", "lr=2", "lr=3", "7 others"]
    assert len(words) == len(COLOURS) + 1


def test_the_same_settings_on_two_texts_have_two_names():
    for text, lr in itertools.product(("a", "b"), (1.0, 2.0)):
        entry = forge(f"{text}{lr}", 1 + lr, lr=lr, text=text)
        entry.result.dataset["name"] = f"text {text}"
        entry.result.write(entry.folder)
    names = [f"text {text}: lr={lr}" for text, lr in itertools.product("ab", (1, 2))]
    assert words_of(draw("curves")) == names


@pytest.mark.parametrize(("missing", "is_grid"), [(0, True), (2, True), (7, False)])
def test_a_heat_map_is_of_settings_that_form_a_grid(missing, is_grid):
    """Numbers in its cells; those that nobody trained are empty."""
    grid(missing)
    if not is_grid:
        with pytest.raises(ConfigError, match="no two settings were combined"):
            draw("heatmap")
        return
    texts = [text.get_text() for text in draw("heatmap").axes[0].texts]
    assert sorted(texts) == sorted(["1.1"] * (4 - missing) + ["2"] * 4 + ["11"] * 4)


def test_a_cell_that_diverged_is_hatched_and_has_no_number():
    for lr, n in itertools.product((1.0, 2.0), (2, 4)):
        status = Status.diverged if lr + n == 6 else Status.completed
        forge(f"{lr}-{n}", lr, lr=lr, num_hiddens=n, status=status)
    figure = draw("heatmap")
    assert words_of(figure) == ["diverged"]
    (cell,) = figure.axes[0].patches
    assert isinstance(cell, Rectangle)
    assert cell.get_hatch()
    assert (cell.get_x(), cell.get_y()) == (0.5, 0.5)  # of lr=2, num_hiddens=4
    assert len(figure.axes[0].texts) == 3


def test_where_numbers_have_no_room_there_is_a_scale():
    for lr, n in itertools.product(range(1, 16), (2, 4)):
        forge(f"{lr}-{n}", 100.0 + lr + n, lr=float(n), theta=float(lr))
    figure = draw("heatmap", 113.4)
    assert len(figure.axes) == 2
    assert not figure.axes[0].texts


def test_one_run_of_one_epoch_is_seen():
    forge("run", 9.0, epochs=1)
    (line,) = draw("curves").axes[0].lines
    assert line.get_marker() == "o"


# --- what cannot be drawn --------------------------------------------------------------------


@pytest.mark.parametrize("width", "84 84px mm -84mm 1e2mm 84mm84mm inf ٨٤mm".split() + [""])
def test_a_width_has_a_unit(width):
    with pytest.raises(ConfigError, match=r"a width of .* is not allowed: type its unit too, as"):
        figures.points(width)


@pytest.mark.parametrize("width", ["3mm", "2m" + "m", "25in", "9" * 400 + "cm", "0in"])
def test_a_width_is_of_this_world(width):
    with pytest.raises(ConfigError, match="it is between 40mm and 600mm"):
        figures.points(width)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("study pie", "a figure pie is not allowed: there are curves, effects, heatmap."),
        ("study heatmap", "a heat map is not allowed: no two settings were combined with"),
        (
            "study effects",
            "a figure of effects is not allowed: no run has come to a finite perplexity.",
        ),
        ("study curves --width 84", "a width of 84 is not allowed: type its unit too, as 84mm"),
        ("study curves --format eps", "a figure as eps is not allowed: it is one of pdf, svg, png"),
        ("study curves --output x.txt", "a figure as txt is not allowed: it is one of pdf"),
        ("nowhere curves", "a figure of nowhere is not allowed: it has no run's folder in it."),
        (
            "study curves --output nowhere/x.pdf",
            "nowhere/x.pdf is not allowed: there is no folder nowhere",
        ),
    ],
)
def test_a_mistake_is_a_sentence(words, sentence):
    forge("run", None, status=Status.running, epochs=0)
    status, out, err = typed("figure", *words.split())
    assert (status, out) == (2, "")
    assert err.count("\n") == 1
    assert sentence in err


def test_nothing_logged_is_a_sentence():
    forge("run", None, status=Status.running, epochs=0)
    with pytest.raises(ConfigError, match="no run has logged an epoch yet"):
        rnnlab.figure(HOME)


def test_the_command_and_the_call(caplog):
    """The path is said; the file's name tells the format; a damaged run is named and left out."""
    grid()
    status, out, err = typed("figure", "study", "curves", "--width", "174mm")
    assert (status, out, err) == (0, f"{Path('study/curves.pdf')}\n", "")
    (HOME / "0.1-2-0/result.json").write_text("{")
    status, out, err = typed("figure", "study", "heatmap", "--output", "mine.svg")
    assert (status, out) == (0, "mine.svg\n")
    assert [said.startswith("not read: study/0.1-2-0/") for said in caplog.messages] == [True]
    figure = rnnlab.figure("study", "heatmap", width="3.3in")
    assert figure.get_figwidth() == 3.3
    file = io.BytesIO()
    figure.savefig(file, format="svg")
    assert b"<svg" in file.getvalue()


def test_importing_rnnlab_imports_nothing_heavy():
    code = "import sys, rnnlab; sys.exit(bool({'torch', 'matplotlib', 'numpy'} & {*sys.modules}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
