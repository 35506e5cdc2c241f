"""The documentation's site in a browser: every page as its readers find it, wide and narrow.

PICTURES=FOLDER make test-browser TESTS=tests/test_site.py keeps a picture of each.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from conftest import ROOT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not find_spec("material"), reason="needs mkdocs-material: '.[docs]'"),
]

WIDTHS = (1280, 390)
PICTURES = os.environ.get("PICTURES")
LOOK = """
    const page = document.querySelector('.md-content');
    const scrolls = (node) => node !== page
        && (getComputedStyle(node).overflowX !== 'visible' || scrolls(node.parentElement));
    return {
        title: document.title,
        heads: [...page.querySelectorAll('h1')].map((head) => head.textContent.replace('¶', '')),
        lost: [...document.images].filter((image) => !image.naturalWidth).map((image) => image.src),
        width: document.documentElement.scrollWidth,
        outside: [...page.querySelectorAll('p, li, pre, img, table, h1, h2, h3')]
            .filter((each) => each.getBoundingClientRect().right > arguments[0] && !scrolls(each))
            .map((each) => each.textContent),
        slanted: [...page.querySelectorAll('em')].map((each) => each.textContent),
        links: [...document.links].map((link) => link.href),
        anchors: [...document.querySelectorAll('[id]')].map((each) => each.id),
    }"""


class Site(NamedTuple):
    folder: Path
    address: str
    looks: dict[str, list[dict[str, Any]]]  # of each page, one for each width
    said: dict[str, list[str]]  # in its console
    asked: set[str]  # addresses, while all were looked at


class Quiet(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing of what it serves."""


@pytest.fixture(scope="module")
def site(chrome: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Built, served, and looked at, each page once for all tests."""
    from browser import asked_for, resize

    folder = tmp_path_factory.mktemp("site")
    subprocess.run([sys.executable, str(ROOT / "docs/make_site.py"), str(folder)], check=True)
    index = folder / "search" / "search_index.json"
    whole = index.read_text(encoding="utf-8")
    # each page would read it anew, half of the time that it takes
    index.write_text(json.dumps(json.loads(whole) | {"docs": []}), encoding="utf-8")
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=folder)) as own:
        threading.Thread(target=own.serve_forever, daemon=True).start()
        found = Site(folder, f"http://127.0.0.1:{own.server_port}/", {}, {}, set())
        asked_for(chrome)
        chrome.get_log("browser")
        for path in sorted(folder.rglob("*.html")):
            page = path.relative_to(folder).as_posix()
            resize(chrome, WIDTHS[0], 900)
            chrome.get(found.address + page)
            found.looks[page] = []
            for width in WIDTHS:
                resize(chrome, width, 900)
                found.looks[page].append(chrome.execute_script(LOOK, width))
                if PICTURES:
                    chrome.save_screenshot(f"{PICTURES}/{page.replace('/', '-')}-{width}.png")
            found.said[page] = [line["message"] for line in chrome.get_log("browser")]
        found.asked.update(asked_for(chrome))
        index.write_text(whole, encoding="utf-8")
        chrome.execute_cdp_cmd("Network.clearBrowserCache", {})
        yield found
        own.shutdown()


def test_every_page_has_its_title_and_one_heading(site):
    assert len(site.looks) > 50
    assert {"index.html", "readme.html", "experiments/memory/index.html"} < {*site.looks}
    for page, (look, _) in site.looks.items():
        assert look["title"].endswith("rnnlab"), page
        assert len(look["heads"]) == 1, page
        assert look["heads"][0].strip(), page


def test_no_page_has_an_error_and_every_picture_is_there(site):
    assert {page: lines for page, lines in site.said.items() if lines} == {}
    for page, looks in site.looks.items():
        assert [look["lost"] for look in looks] == [[], []], page


def test_nobody_else_is_asked(site):
    asked = {address for address in site.asked if address.startswith(("http", "ws"))}
    assert len(asked) > len(site.looks)
    assert {address for address in asked if not address.startswith(site.address)} == set()


@pytest.mark.parametrize("place", range(len(WIDTHS)), ids=WIDTHS)
def test_no_page_is_wider_than_the_window(site, place):
    """What is too wide, a table or lines of code, scrolls by itself."""
    for page, looks in site.looks.items():
        assert looks[place]["width"] <= WIDTHS[place], page
        assert looks[place]["outside"] == [], page


def test_no_formula_is_taken_for_emphasis(site):
    """As C~_t = tanh(X_t W_xc + H_{t-1} W_hc + b_c) was, with slanted halves and no underscores."""
    for page, (look, _) in site.looks.items():
        assert [words for words in look["slanted"] if {*words} & {*"_^{}@"}] == [], page


def test_every_link_within_the_site_leads_somewhere(site):
    """Menus and lists of contents too, which the strict build knows nothing of."""
    anchors = {page: {"", *look["anchors"]} for page, (look, _) in site.looks.items()}
    followed = 0
    for page, (look, _) in site.looks.items():
        for link in look["links"]:
            address, _, anchor = link.partition("#")
            if address.startswith(site.address):
                leads_to = address.removeprefix(site.address) or "index.html"
                assert (site.folder / leads_to).is_file(), f"{page}: {link}"
                assert anchor in anchors.get(leads_to, {""}), f"{page}: {link}"
                followed += 1
    assert followed > 1000


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("floor", "glossary.html#floor"), ("lane", "glossary.html#lane"),
        ("num_hiddens", "reference/knobs.html#of-every-job"),
        ("patience", "reference/knobs.html#of-every-job"),
        ("optimizer.beta1", "reference/knobs.html#optimizer"),
    ],
)  # fmt: skip
def test_a_search_finds_what_a_word_means(site, chrome, words, first):
    from browser import resize

    resize(chrome, WIDTHS[0], 900)
    chrome.get(f"{site.address}index.html?q={words}")
    script = """return [...document.querySelectorAll('.md-search-result__link')]
        .map((link) => link.pathname.slice(1) + link.hash)"""
    deadline = time.monotonic() + 60
    while not (found := chrome.execute_script(script)):
        assert time.monotonic() < deadline, f"{words}: nothing is found"
        time.sleep(0.1)
    assert first in found[:5]
