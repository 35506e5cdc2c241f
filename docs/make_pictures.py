"""Take the documentation's pictures of a report and of TensorBoard.

    make pictures

Trains what they show, two minutes on two cores, opens it in a headless Chromium, and writes
docs/images/report.png (the page of a study), tensorboard.png (its curves), tensorboard-text.png
(its samples), tensorboard-hparams.png (its table of runs) and tensorboard-floor.png (a run on a
text with a known floor). A picture is taken once the words can be read in it that it is there
for; tests/test_board.py takes them of smaller runs. Needs selenium, Chromium and Chromium's
driver: see tests/browser.py.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

from boards import Board
from browser import chromium, deep, picture_of, read, resize

if TYPE_CHECKING:
    from selenium import webdriver

DOCS = Path(__file__).resolve().parent
STUDY, FLOOR = "lr-and-theta", "known-floor"
COMMANDS = {  # what is trained, by its folder, and how much of it
    STUDY: "-m lr=0.3,1,3,10 theta=0.1,1 seed=0,1 dataset.val_fraction=0.1 sweep=lr-and-theta",
    FLOOR: "dataset=markov dataset.symbols=8 optimizer=adam hydra.run.dir=known-floor/markov",
}
AS_SHOWN = {
    STUDY: "size=tiny num_epochs=80 log.val_every=5 log.sample_every=20",
    FLOOR: "size=tiny num_epochs=15 lr=0.003 dataset.length=300000 log.val_every=1",
}
CURVES = {  # the address of the time series
    "pinnedCards": '[{"plugin": "scalars", "tag": "perplexity/train"}]',
    "runColorGroup": r"regex:^\d+_(.*),seed=\d+$",  # seeds of a setting share a colour
    "runFilter": r"lr=(0\.3|1|3),",  # lr=10 has one that diverges
    "smoothing": 0,
}
SETTINGS = """localStorage.setItem('_tb_global_settings', JSON.stringify({
    timeSeriesSettingsPaneOpened: false, timeSeriesCardMinWidth: 450, sideBarWidthInPercent: 25,
    stepSelectorEnabled: false, ignoreOutliers: false}))"""  # as TensorBoard remembers them
COLUMNS = ["lr", "theta", "perplexity/train", "perplexity/val"]  # there is no room for more


class Picture(NamedTuple):
    of: str  # the folder of its runs
    address: str  # what follows the server's
    size: tuple[int, int]  # in pixels
    words: list[str]  # which can be read in it
    arrange: Callable[[webdriver.Chrome], None] = lambda _: None


def click(browser: webdriver.Chrome, selector: str) -> None:
    """The first that is of this kind."""
    browser.execute_script("arguments[0].click()", deep(browser, selector)[0])


def enlarge(browser: webdriver.Chrome) -> None:
    """The pinned card, which is the first one, with a logarithmic axis."""
    click(browser, "button[aria-label='Toggle full size mode']")
    click(browser, "button[aria-label='More line chart options']")
    read(browser, ["Toggle Y-axis log scale"])
    click(browser, "button[aria-label^='Toggle Y-axis log scale']")


def unfold(browser: webdriver.Chrome) -> None:
    """Which line of a chart is what."""
    script = "arguments[0].forEach((button) => button.click())"
    browser.execute_script(script, deep(browser, ".toggle-matches-button"))


def tick(browser: webdriver.Chrome) -> None:
    """The boxes of COLUMNS, and no other."""
    script = """for (const box of arguments[0])
        if (box.checked !== arguments[1].includes(box.textContent.trim())) box.click()"""
    boxes = deep(browser, ".hparam-checkbox, .metric-checkbox")
    browser.execute_script(script, boxes, COLUMNS)


PICTURES = {
    "report.png": Picture(
        *(STUDY, "report.html", (1200, 1400)),
        ["16 runs", "held-out perplexity", "lr=3 theta=0.1", "8 of 8 settings shown", "0.3"],
    ),
    "tensorboard.png": Picture(
        *(STUDY, f"?{urlencode(CURVES)}#timeseries", (1400, 1050)),
        [
            "perplexity/train",
            "0_lr=0.3,theta=0.1,seed=0",
            "11_lr=3,theta=1,seed=1",
        ],
        enlarge,
    ),
    "tensorboard-text.png": Picture(
        *(STUDY, "#text&regexInput=10_lr", (1400, 760)),
        ["samples/time traveller", "10_lr=3,theta=1,seed=0"],
    ),
    "tensorboard-hparams.png": Picture(
        *(STUDY, "#hparams", (1400, 560)), ["Trial ID", *COLUMNS, "10.000", "0.10000"], tick
    ),
    "tensorboard-floor.png": Picture(
        *(FLOOR, "#custom_scalars&_smoothingWeight=0", (1100, 960)),
        [
            *("training, held out, and the floor", "nats above the floor"),
            *("perplexity/train", "perplexity/val", "perplexity/floor"),
        ],
        unfold,
    ),
}


def take(browser: webdriver.Chrome, name: str, home: Path, board: str) -> bytes:
    """A PNG; raises TimeoutError where what it is there for cannot be read in it.

    `board` is the address of a TensorBoard on the folder of its runs, which lies in `home`.
    """
    picture = PICTURES[name]
    is_page = picture.address.endswith(".html")
    start = (home / picture.of).absolute().as_uri() + "/" if is_page else board
    browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    resize(browser, *picture.size)
    if not is_page:
        browser.get(start)
        browser.execute_script(SETTINGS)
        browser.get("about:blank")  # another #tab alone would not load the page anew
    browser.get(start + picture.address)
    read(browser, picture.words[:1])
    picture.arrange(browser)
    read(browser, picture.words)
    return picture_of(browser)


def main() -> None:
    with tempfile.TemporaryDirectory() as home, contextlib.chdir(home), chromium() as browser:
        for name, command in COMMANDS.items():
            run = [sys.executable, DOCS.parent / "run.py", *command.split()]
            subprocess.run([*run, *AS_SHOWN[name].split()], check=False)  # 1: lr=10 diverges
        boards = {name: Board(name).address for name in COMMANDS}
        for name, picture in PICTURES.items():
            found = take(browser, name, Path(), boards[picture.of])
            (DOCS / "images" / name).write_bytes(found)
            print(DOCS / "images" / name)


if __name__ == "__main__":
    main()
