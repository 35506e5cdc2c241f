"""A headless Chromium, for the tests of the page and the documentation's pictures.

Needs selenium, Chromium and its driver: pip install -e '.[browser]' and, on Debian,
apt-get install chromium chromium-driver.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from selenium import webdriver

FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --no-proxy-server
    --disable-background-networking --disable-component-update --disable-sync --lang=en""".split()
LOGS = {"browser": "ALL", "performance": "ALL"}


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """With a fresh profile, for as long as the block lasts."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or ""
    options.set_capability("goog:loggingPrefs", LOGS)
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        with webdriver.Chrome(options, service) as browser:
            yield browser


def resize(browser: webdriver.Chrome, width: int, height: int) -> None:
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def emulate(browser: webdriver.Chrome, media: str = "", **features: str) -> None:
    """emulate(browser, "print"), or prefers_color_scheme="dark"."""
    own = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": own})


def asked_for(browser: webdriver.Chrome) -> list[str]:
    """The addresses that it asked for since it was asked last."""
    events: list[dict[str, Any]] = [
        json.loads(entry["message"])["message"] for entry in browser.get_log("performance")
    ]
    kind = "Network.requestWillBeSent"
    return [event["params"]["request"]["url"] for event in events if event["method"] == kind]


def deep(browser: webdriver.Chrome, selector: str) -> list[Any]:
    """All elements of this kind, in shadow roots too, of which TensorBoard is made."""
    script = """
        const found = [];
        const look = (root) => {
            for (const each of root.querySelectorAll('*')) {
                if (each.matches(arguments[0])) found.push(each);
                if (each.shadowRoot) look(each.shadowRoot);
            }
        };
        look(document);
        return found;"""
    return browser.execute_script(script, selector)


def words(browser: webdriver.Chrome) -> str:
    """What can be read in the window, whole lines of it, shadow roots included."""
    script = """
        const found = [], range = document.createRange();
        const is_there = (node) => {
            range.selectNodeContents(node);
            const {left, right, top, bottom} = range.getBoundingClientRect();
            return right > left && left >= 0 && right <= innerWidth
                && top >= 0 && bottom <= innerHeight
                && node.parentElement?.checkVisibility({visibilityProperty: true});
        };
        const look = (node) => {
            if (node.shadowRoot) look(node.shadowRoot);
            for (const each of node.childNodes)
                if (each.nodeType !== Node.TEXT_NODE) look(each);
                else if (is_there(each)) found.push(each.data);
        };
        look(document.body);
        return found.join(' ');"""
    return " ".join(browser.execute_script(script).split())


def read(browser: webdriver.Chrome, wanted: list[str], patience: float = 60) -> None:
    """Waits until all of it can be read in the window; else TimeoutError, with what cannot.

    Whatever its spaces are: names are often put together of several parts.
    """
    deadline = time.monotonic() + patience
    while True:
        found = words(browser)
        close = found.replace(" ", "")
        lacking = [each for each in wanted if each.replace(" ", "") not in close]
        if not lacking:
            return
        if time.monotonic() > deadline:
            raise TimeoutError(f"{lacking} cannot be read in {browser.current_url}: {found}")
        time.sleep(0.2)


def picture_of(browser: webdriver.Chrome, patience: float = 60) -> bytes:
    """A PNG of the window once nothing in it moves; nothing is pointed at, or has the focus."""
    away = {"type": "mouseMoved", "x": 1, "y": 1}
    browser.execute_cdp_cmd("Input.dispatchMouseEvent", away)
    script = """let it = document.activeElement;
        while (it.shadowRoot?.activeElement) it = it.shadowRoot.activeElement;
        it.blur()"""
    browser.execute_script(script)
    deadline, before, now = time.monotonic() + patience, b"", browser.get_screenshot_as_png()
    while now != before:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{browser.current_url} does not come to rest")
        time.sleep(0.5)
        before, now = now, browser.get_screenshot_as_png()
    return now
