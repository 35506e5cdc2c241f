"""Take the documentation's pictures of TensorBoard from a folder of finished runs.

    make pictures RUNS=RUNS_FOLDER

Serves the folder with TensorBoard on a free local port, opens it in a headless Chromium and
writes docs/images/tensorboard.png (the curves), tensorboard-text.png (the samples) and
tensorboard-hparams.png (the table of runs). Needs selenium, Chromium and Chromium's driver:
see tests/browser.py.
"""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from selenium import webdriver
from selenium.common import WebDriverException
from selenium.webdriver.support import expected_conditions as expected
from selenium.webdriver.support.ui import WebDriverWait

from browser import chromium, resize

IMAGES = Path(__file__).resolve().parent / "images"
PATIENCE, DRAWING = 60, 4  # seconds: until something is there, until a page is drawn
CURVES = {  # the address of the time series
    "pinnedCards": '[{"plugin": "scalars", "tag": "perplexity/train"}]',
    "runColorGroup": r"regex:^(.*?)(?:-\d+)?$",  # runs that differ by a last number share a colour
    "smoothing": 0,
}
SETTINGS = """localStorage.setItem('_tb_global_settings', JSON.stringify({
    timeSeriesSettingsPaneOpened: false, timeSeriesCardMinWidth: 500,
    stepSelectorEnabled: false, ignoreOutliers: false}))"""  # as TensorBoard remembers them
COLUMNS = ["sampler", "model", "lr", "perplexity/train"]  # the table has no room for more
TICK = """
    const parts = ['tf-hparams-dashboard', 'tf-hparams-main', 'tf-hparams-query-pane'];
    const pane = parts.reduce((root, part) => root.querySelector(part).shadowRoot, document);
    for (const box of pane.querySelectorAll('.hparam-checkbox, .metric-checkbox'))
        if (box.checked !== arguments[0].includes(box.textContent.trim())) box.click();
"""


@contextlib.contextmanager
def tensorboard(runs: Path) -> Iterator[str]:
    """TensorBoard on `runs`, for as long as the block lasts; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tensorboard.main", "--logdir=.", "--host=127.0.0.1"]
    # a blocking reload: it answers only once it has read all runs
    command += [f"--port={port}", "--load_fast=false", "--reload_interval=0"]
    with subprocess.Popen([*command, "--reload_task=blocking"], cwd=runs) as server:
        try:
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()


def visit(browser: webdriver.Chrome, address: str, height: int) -> None:
    resize(browser, 1400, height)
    browser.get("about:blank")  # another #tab alone would not load the page anew
    browser.get(address)
    time.sleep(DRAWING)


def click(browser: webdriver.Chrome, selector: str) -> None:
    button = expected.element_to_be_clickable(("css selector", selector))
    WebDriverWait(browser, PATIENCE).until(button).click()
    time.sleep(1)


def save(browser: webdriver.Chrome, name: str) -> None:
    away = {"type": "mouseMoved", "x": 800, "y": 30}  # a mouse on a chart pops up its figures
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", away)
    time.sleep(DRAWING)
    browser.save_screenshot(str(IMAGES / name))


def main(runs: Path) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends the blocks, and so the processes
    IMAGES.mkdir(exist_ok=True)
    with tensorboard(runs) as address, chromium() as browser:
        patience = WebDriverWait(browser, PATIENCE, ignored_exceptions=[WebDriverException])
        patience.until(lambda browser: browser.get(address) is None)  # raises until it answers
        browser.execute_script(SETTINGS)
        visit(browser, f"{address}?{urlencode(CURVES)}#timeseries", height=1050)
        click(browser, "button[aria-label='Toggle full size mode']")  # the pinned card is the first
        click(browser, "button[aria-label='More line chart options']")
        click(browser, "button[aria-label^='Toggle Y-axis log scale']")
        save(browser, "tensorboard.png")
        visit(browser, f"{address}#text", height=760)
        save(browser, "tensorboard-text.png")
        visit(browser, f"{address}#hparams", height=560)
        browser.execute_script(TICK, COLUMNS)
        save(browser, "tensorboard-hparams.png")


if __name__ == "__main__":
    if len(sys.argv) != 2 or not Path(sys.argv[1]).is_dir():
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
