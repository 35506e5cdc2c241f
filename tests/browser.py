"""A headless Chromium, for the tests of the page and the documentation's pictures.

Needs selenium, Chromium and its driver: pip install -e '.[browser]' and, on Debian,
apt-get install chromium chromium-driver.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from selenium import webdriver

FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --no-proxy-server
    --disable-background-networking --disable-component-update --disable-sync --lang=en""".split()
LOGS = {"browser": "ALL", "performance": "ALL"}


@contextmanager
def chromium() -> Iterator[webdriver.Chrome]:
    """With a fresh profile, for as long as the block lasts."""
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
