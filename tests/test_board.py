"""TensorBoard in a browser, on real runs, and the documentation's pictures of smaller ones."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from boards import Board
from browser import deep, read, resize, words
from conftest import ROOT
from rnnlab.instruments import chosen
from rnnlab.runs.result import Result
from typed import SMALL, typed

sys.path.insert(0, str(ROOT / "docs"))
from make_pictures import COMMANDS, FLOOR, PICTURES, take

pytestmark = pytest.mark.browser

MINIATURE = [*SMALL, "num_epochs=2", "log.val_every=1", "log.sample_every=1"]
MORE = {FLOOR: ["instruments=full", "log.inspect_every=1", "eval.lengths=[5]"]}
CHARTS = {  # between which rows of pixels they are
    "report.png": (480, 850),
    "tensorboard.png": (220, 600),
    "tensorboard-floor.png": (155, 345),
}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What make_pictures.py trains, in miniature; the text with a floor has every instrument."""
    home = tmp_path_factory.mktemp("home")
    for name, command in COMMANDS.items():
        assert typed(*command.split(), *MINIATURE, *MORE.get(name, []), at=str(home))[2] == ""
    return home


@pytest.fixture(scope="module")
def boards(home: Path) -> dict[str, Board]:
    return {name: Board(str(home / name)) for name in COMMANDS}


@pytest.fixture(autouse=True)
def _no_errors(chrome: Any) -> Iterator[None]:
    chrome.get_log("browser")
    yield
    log = chrome.get_log("browser")
    assert [line["message"] for line in log if line["level"] == "SEVERE"] == []


@pytest.fixture
def open_tab(chrome: Any, boards: dict[str, Board]) -> Callable[..., Any]:
    """open_tab("images", ["probe/gates"]) -> the browser: that tab, in which this can be read.

    Of the run with all instruments.
    """

    def open_tab(tab: str, wanted: list[str], width: int = 1400) -> Any:
        resize(chrome, width, 1500)
        chrome.get("about:blank")
        chrome.get(f"{boards[FLOOR].address}#{tab}")
        read(chrome, wanted)
        return chrome

    return open_tab


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_of_the_documentation_can_be_taken_again(chrome, home, boards, name):
    """It has its words, its size, and lines in its chart; the one that is there is as large."""
    width, height = PICTURES[name].size
    taken = take(chrome, name, home, boards[PICTURES[name].of].address)
    pixels = imread(io.BytesIO(taken))[..., :3]
    assert pixels.shape == imread(ROOT / "docs" / "images" / name)[..., :3].shape
    assert pixels.shape[:2] == (height, width)
    assert (pixels[150:, 300:].min(-1) < 0.5).sum() > 2000
    if name in CHARTS:
        chart = pixels[slice(*CHARTS[name]), 300:]
        assert (chart.max(-1) - chart.min(-1) > 0.3).sum() > 500


def test_no_picture_is_left_of_what_is_no_longer_taken():
    assert {path.name for path in (ROOT / "docs" / "images").glob("*.png")} == {*PICTURES}


def test_curves_of_perplexity_come_first(open_tab):
    browser = open_tab("timeseries", ["perplexity/train", "probe/gates"])
    assert re.findall(r"(\w+) \d+ cards", words(browser))[:2] == ["perplexity", "probe"]


def test_the_table_begins_with_perplexity_whatever_else_was_measured(open_tab, boards):
    metrics = boards[FLOOR].metrics()
    assert [name.partition("/")[0] for name in metrics[:4]] == ["perplexity"] * 4
    assert {"probe_gradient_norm/all", "tested_at_length/perplexity"} < {*metrics}
    columns = ["Trial ID", "batch_size", "dataset", "perplexity/floor", "perplexity/train"]
    open_tab("hparams", columns, width=2000)


def test_numbers_of_instruments_are_scalars_and_gates_are_histograms(open_tab):
    names = [each.name for each in chosen("full") if each.kind == "number"]
    assert len(names) == 3
    open_tab("scalars&tagFilter=probe_", [f"probe_{name}/" for name in names])
    browser = open_tab("histograms", ["probe_gates/0.h"])
    assert len(deep(browser, "g.histogram")) == 2  # looks, one an epoch


def test_pictures_of_instruments_and_the_curve_are_images(open_tab):
    names = [each.name for each in chosen("full") if each.kind != "number" and not each.is_light]
    assert len(names) == 5
    browser = open_tab(
        "images", [*(f"probe/{name}" for name in names), "training_curve/perplexity"]
    )
    sizes = [image.get_property("naturalWidth") for image in deep(browser, "img")]
    assert sizes == [800] * 5 + [100]  # a curve takes long to draw: in tests it is small


def test_samples_are_texts_letter_for_letter(open_tab, home):
    (sample,) = Result.read(home / FLOOR / "markov").samples.values()
    open_tab("text", ["step 1", "step 2", sample])
