"""report.html in a browser: what a person does with it, and that nothing of it leaves the page."""

from __future__ import annotations

import math
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rnnlab._common.console import plain
from rnnlab.runs.result import Result, Status
from rnnlab.studies.report.write import write_report
from test_report import HOME, forge

pytestmark = pytest.mark.browser

HOSTILE = "</script><img src=x onerror=document.title='owned'><b>&amp;\u2028\x1b[2J 世界"
Open = Callable[..., Any]


@pytest.fixture
def open_page(chrome) -> Iterator[Open]:
    """open_page() -> the browser, with the report of all runs that were forged."""
    from browser import emulate, resize

    resize(chrome, 1400, 900)
    emulate(chrome, prefers_color_scheme="light")

    def open_page(view: str = "", home: Path = HOME) -> Any:
        address = write_report(home).absolute().as_uri()
        chrome.get("about:blank")  # another # alone would not load it anew
        chrome.get(f"{address}{view}")
        return chrome

    chrome.get_log("browser")
    yield open_page
    assert [line["message"] for line in chrome.get_log("browser")] == []


@pytest.fixture
def grid() -> None:
    """lr x theta x seed, of which lr=10 theta=5 diverged."""
    for lr in (0.3, 1.0, 3.0, 10.0):
        for theta in (0.5, 1.0, 5.0):
            for seed in (0, 1, 2):
                is_lost = lr * theta == 50
                forge(
                    f"{lr}-{theta}-{seed}", None if is_lost else 2 + abs(math.log(lr / 3)) + theta,
                    lr=lr, theta=theta, seed=seed,
                    status=Status.diverged if is_lost else Status.completed,
                )  # fmt: skip


def texts(browser: Any, selector: str) -> list[str]:
    """What stands in all of them."""
    script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.textContent)"
    return browser.execute_script(script, selector)


def column(browser: Any, name: str) -> list[str]:
    heads = [re.sub(" [↑↓]$", "", head) for head in texts(browser, "thead th")]
    return texts(browser, f"tbody td:nth-child({1 + heads.index(name)})")


def click(browser: Any, words: str, within: str = "body") -> None:
    """A button, by what stands in it."""
    script = """[...document.querySelectorAll(`${arguments[1]} button`)]
        .find((button) => button.textContent.startsWith(arguments[0])).click()"""
    browser.execute_script(script, words, within)


def counted(browser: Any) -> str:
    return texts(browser, "#counted")[0]


# --- what is chosen --------------------------------------------------------------------------


@pytest.mark.usefixtures("grid")
def test_a_column_sorts_and_sorts_the_other_way_round(open_page):
    browser = open_page("#fold=no")
    click(browser, "lr", "thead")
    ordered = [float(value) for value in column(browser, "lr")]
    assert ordered == sorted(ordered)
    assert len(ordered) == 36
    click(browser, "lr", "thead")
    assert [float(value) for value in column(browser, "lr")] == ordered[::-1]
    (head,) = browser.find_elements("css selector", "[aria-sort]")
    assert head.get_attribute("aria-sort") == "descending"
    click(browser, "training", "thead")
    assert column(browser, "training perplexity")[-3:] == ["diverged"] * 3


@pytest.mark.usefixtures("grid")
@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("lr=1", 9), ("lr>=1", 27), ("lr<1", 9), ("lr!=10 theta=5", 9), ("diverged", 3),
        ("lr=10 theta>1", 3), ("nothing", 0), ("seed=2", 12), ("theta=5.0", 12), ("lr>x", 0),
    ],
)  # fmt: skip
def test_what_is_typed_filters_the_rows_of_all_pictures(open_page, words, shown):
    browser = open_page("#fold=no")
    browser.find_element("css selector", "input").send_keys(words)
    assert counted(browser) == f"{shown} of 36 runs shown"
    assert len(texts(browser, "tbody tr")) == len(texts(browser, ".legend li")) == shown


@pytest.mark.usefixtures("grid")
def test_a_status_is_left_out(open_page):
    browser = open_page("#fold=no")
    click(browser, "diverged", ".bar")
    assert counted(browser) == "33 of 36 runs shown"
    assert "diverged" not in column(browser, "status")
    click(browser, "reset", ".bar")
    assert counted(browser) == "12 of 12 settings shown"


@pytest.mark.usefixtures("grid")
def test_seeds_are_folded_to_their_mean_and_unfolded(open_page):
    browser = open_page()
    assert counted(browser) == "12 of 12 settings shown"
    assert column(browser, "seeds") == ["0 1 2"] * 12
    assert column(browser, "training perplexity")[0] == "2.5 ± 0"
    assert column(browser, "training perplexity")[-1] == "3 of 3 diverged"
    click(browser, "fold seeds")
    assert counted(browser) == "36 of 36 runs shown"
    assert sorted({*column(browser, "seed")}) == ["0", "1", "2"]


def test_a_band_reaches_from_the_lowest_seed_to_the_highest(open_page):
    for seed, end in enumerate((2.0, 3.0, 7.0)):
        forge(f"{seed}", end, seed=seed)
    browser = open_page()
    script = "const {y, low, high} = lineOf(allGroups[0], 'perplexity'); return [y, low, high]"
    assert browser.execute_script(script) == [[4, 4, 4], [2, 2, 2], [7, 7, 7]]
    assert len(browser.find_elements("css selector", ".chart [fill-opacity='0.15']")) == 1


@pytest.mark.usefixtures("grid")
def test_a_group_is_hidden_by_a_click_and_shown_by_another(open_page):
    browser = open_page()
    drawn = "return document.querySelectorAll('.chart svg [stroke-width=\"1.7\"]').length"
    before = browser.execute_script(drawn)
    click(browser, "lr=3 theta=0.5", ".legend")
    assert browser.execute_script(drawn) == before - 1
    assert texts(browser, ".legend .off .words") == ["lr=3 theta=0.5"]
    click(browser, "lr=3 theta=0.5", ".legend")
    assert browser.execute_script(drawn) == before


@pytest.mark.usefixtures("grid")
def test_an_axis_is_brushed_to_a_range(open_page):
    """From 0.5 to 2 there is lr=1 alone: three lines; a click lets go."""
    from selenium.webdriver.common.action_chains import ActionChains

    browser = open_page()
    area = browser.find_element("css selector", "[data-axis=lr] rect[fill=transparent]")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", area)
    place = "return axesOf(chosenRows()).find((own) => own.name === 'lr').y(arguments[0])"
    low, high = (browser.execute_script(place, value) for value in (0.5, 2))
    middle = area.rect["height"] / 2 + float(area.get_attribute("y"))  # in the picture
    ActionChains(browser).move_to_element_with_offset(
        area, 0, int(low - middle)
    ).click_and_hold().move_by_offset(0, int(high - low)).release().perform()
    assert counted(browser) == "3 of 12 settings shown"
    assert {*column(browser, "lr")} == {"1"}
    assert len(browser.find_elements("css selector", "svg .line")) == 3
    assert "brush=lr" in browser.current_url
    click(browser, "let go of all")
    assert counted(browser) == "12 of 12 settings shown"


@pytest.mark.usefixtures("grid")
def test_a_view_comes_back_from_its_address(open_page):
    browser = open_page()
    for words, within in (("fold", ".bar"), ("diverged", ".bar"), ("logarithmic", "body")):
        click(browser, words, within)
    browser.find_element("css selector", "input").send_keys("lr>=1")
    click(browser, "theta", "thead")
    click(browser, "theta", "thead")
    click(browser, "lr=3 theta=0.5 seed=1", ".legend")
    browser.execute_script("change({brush: new Map([['theta', [0.4, 2]]]), colour: 'theta'})")

    def state() -> list[Any]:
        rows = texts(browser, "tbody tr")
        off, pressed = (texts(browser, own) for own in (".off", "[aria-pressed=true]"))
        return [rows, off, pressed, len(browser.find_elements("css selector", "svg .line"))]

    seen, address = state(), browser.current_url
    browser.get("about:blank")
    browser.get(address)
    assert state() == seen
    assert counted(browser) == "18 of 36 runs shown"
    click(browser, "reset", ".bar")
    assert browser.current_url.endswith("#")


@pytest.mark.parametrize("view", ["#fold=7&brush=x&brush=lr a b&heat=99&text=4", "#%00&hide=x"])
@pytest.mark.usefixtures("grid")
def test_an_address_that_says_nothing_sensible_is_a_page(open_page, view):
    assert len(texts(open_page(view), "h2")) > 5


# --- what is seen ----------------------------------------------------------------------------


@pytest.mark.usefixtures("grid")
def test_a_cell_that_diverged_and_one_that_nobody_trained_are_what_they_are(open_page):
    for seed in range(3):
        shutil.rmtree(HOME / f"0.3-0.5-{seed}")
    browser = open_page()
    cells = [
        x.get_attribute("data-cell") for x in browser.find_elements("css selector", "[data-cell]")
    ]
    assert (len(cells), cells.count("diverged"), cells.count("")) == (12, 1, 1)
    assert "2.5" in cells
    empty = browser.find_element("css selector", "[data-cell='']")
    lost = browser.find_element("css selector", "[data-cell=diverged]")
    assert (empty.get_attribute("fill"), lost.get_attribute("fill")) == ("none", "url(#hatch)")


def test_numbers_without_an_end_are_points_along_an_axis(open_page):
    for k in range(40):
        forge(f"{k}", 3 + k / 10, lr=10 ** (k / 20 - 1), theta=0.5 + k * 7 % 40)
    browser = open_page()
    assert "Two settings together" not in browser.find_element("css selector", "main").text
    panels = browser.find_elements("css selector", ".panels svg")
    assert len(panels) == 2
    assert [len(x.find_elements("css selector", "circle")) for x in panels] == [40, 40]
    ticks = [x.text for x in panels[0].find_elements("css selector", ".tick")]
    assert {"0.1", "1", "5"} <= {*ticks}


def test_a_single_run_and_two(open_page):
    forge("0", 3.0)
    browser = open_page()
    assert len(texts(browser, "tbody tr")) == 1
    assert not browser.find_element("css selector", ".bar").is_displayed()
    forge("1", 2.0, "model=gru", lr=3.0)
    lines = open_page().find_element("css selector", "main").text.splitlines()
    assert "They differ in model: rnn and gru; lr: 1 and 3" in lines


def test_what_failed_says_so_with_the_end_of_its_log(open_page):
    forge("0", 3.0)
    lost = forge("1", None, lr=2.0, status=Status.failed, epochs=0)
    (lost.folder / "run.log").write_text("first\n" * 50 + f"last {HOSTILE}\n")
    result = Result.read(lost.folder)
    result.error = "it broke"
    result.write(lost.folder)
    forge("2", 2.5, lr=4.0, status=Status.running, epochs=2)
    browser = open_page()
    (log,) = texts(browser, ".failure pre")
    assert log.count("first") == 11
    assert log.endswith(f"last {plain(HOSTILE)}")
    said = browser.find_element("css selector", "main").text
    assert "it broke" in said
    assert "1 failed: lr=2" in said


@pytest.mark.usefixtures("grid")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 820, 1920])
def test_from_a_phone_to_a_wide_screen_in_the_light_and_in_the_dark(open_page, width, scheme):
    from browser import emulate, resize

    browser = open_page()
    emulate(browser, prefers_color_scheme=scheme)
    resize(browser, width, 900)
    browser.refresh()
    script = "const page = document.documentElement; return [page.scrollWidth, page.clientWidth]"
    needed, given = browser.execute_script(script)
    assert needed == given
    assert width - 20 < given <= width
    paper, ink = browser.execute_script(
        "const style = getComputedStyle(document.body); return [style.backgroundColor, style.color]"
    )
    light, dark = (sum(map(int, re.findall(r"\d+", colour))) for colour in (paper, ink))
    assert (light > dark) == (scheme == "light")
    assert abs(light - dark) > 500


@pytest.mark.usefixtures("grid")
def test_paper_has_the_pictures_without_the_controls(open_page):
    from browser import emulate

    browser = open_page()
    emulate(browser, "print")
    shown = "return [...document.querySelectorAll(arguments[0])].some((each) => each.offsetParent)"
    assert not browser.execute_script(shown, ".bar, .tools, button.copy")
    assert browser.execute_script(shown, "figure")


@pytest.mark.usefixtures("grid")
def test_a_pointer_on_a_line_is_told_what_it_is(open_page):
    browser = open_page()
    move = """const svg = document.querySelector('.chart svg'), box = svg.getBoundingClientRect();
        const row = chosenRows()[4], line = lineOf(row, 'perplexity');
        const path = [...svg.querySelectorAll('[stroke-width="1.7"]')].at(-5);
        const at = path.getPointAtLength(path.getTotalLength());
        const place = {clientX: box.left + at.x, clientY: box.top + at.y};
        svg.dispatchEvent(new PointerEvent('pointermove', place));
        return title(row)"""
    named = browser.execute_script(move)
    assert texts(browser, "#tooltip .best") == [named]
    assert "epoch 3: " in texts(browser, "#tooltip")[0]
    assert len(browser.find_elements("css selector", ".legend .lit")) == 1


def test_the_command_of_a_row_is_copied(open_page):
    forge("0", 3.0, lr=2.0)
    browser = open_page()
    browser.find_element("css selector", "tbody button").click()
    time.sleep(0.2)
    assert texts(browser, "tbody button") == ["copied"]
    title = browser.find_element("css selector", "tbody button").get_attribute("title")
    assert re.fullmatch(r"rnnlab train .*\blr=2 .*", title)


# --- what comes from elsewhere ---------------------------------------------------------------


@pytest.mark.usefixtures("grid")
def test_no_request_leaves_the_page(open_page, chrome):
    from browser import asked_for

    asked_for(chrome)
    browser = open_page()
    click(browser, "fold seeds")
    page = (HOME / "report.html").absolute().as_uri()
    assert {address.partition("#")[0] for address in asked_for(browser)} <= {page, "about:blank"}
    fetch = "arguments[1](await fetch(arguments[0]).then(() => 'came', (error) => error.name))"
    said = browser.execute_async_script(f"(async (arguments) => {{{fetch}}})(arguments)", page)
    assert said == "TypeError"
    (refused, *_) = browser.get_log("browser")
    assert "Content Security Policy" in refused["message"]


def test_hostile_texts_are_text(open_page, chrome):
    for k in range(3):
        entry = forge(f"{k}{HOSTILE.replace('/', '')}".replace("\x1b", ""), 2.0 + k, lr=1.0 + k)
        result = Result.read(entry.folder)
        result.samples, result.error = {HOSTILE: HOSTILE}, HOSTILE
        result.status = Status.failed if k else Status.completed
        result.config["dataset"]["path"] = f"{HOSTILE}{k}"
        result.config[f"x{HOSTILE}"] = f"{HOSTILE}{k}"
        result.write(entry.folder)
    browser = open_page()
    assert browser.find_elements("css selector", "img, b, iframe, main script") == []
    assert browser.title == "study"
    for selector in (".card", ".failure", "tbody", ".legend"):
        assert "<img src=x onerror=document.title='owned'>" in texts(browser, selector)[0]
    links = {x.get_attribute("href") for x in browser.find_elements("css selector", "a")}
    home = HOME.absolute().as_uri()
    assert all(link.startswith(f"{home}/") for link in links)
    chrome.get(min(links))
    assert chrome.current_url.startswith(home)
    chrome.get_log("browser")  # of the listing


# --- the documentation's picture -------------------------------------------------------------


def test_a_floor_is_a_line_and_what_is_above_it_a_column(open_page):
    """And eval.lengths has its columns; of texts without a floor there is none of it."""
    for seed, figure in ((0, 2.5), (1, 2.7)):
        forge(f"{seed}", figure, seed=seed)
    browser = open_page()
    assert "nats above the floor" not in " ".join(texts(browser, "thead th"))
    assert texts(browser, "svg .floor") == []
    for seed in (0, 1):
        path = HOME / str(seed)
        result = Result.read(path)
        result.dataset["entropy_floor_perplexity"] = 2.0
        result.lengths = {
            "40": {"perplexity": 3.0, "excess_nats": 0.4, "accuracy": 0.25 + seed / 2}
        }
        result.write(path)
    browser = open_page()
    mean = (math.log(1.25) + math.log(1.35)) / 2
    assert [float(each) for each in column(browser, "nats above the floor")] == [
        pytest.approx(mean, abs=2e-3)
    ]
    assert column(browser, "share right at 40") == ["0.5"]
    assert "Dotted: the floor, below which no model stays." in " ".join(texts(browser, "p"))
    assert "floor 2" in texts(browser, "svg .soft")
    floor, lines = (
        browser.execute_script(
            "return [...document.querySelectorAll(arguments[0])]"
            ".map((each) => each.getBoundingClientRect().bottom)",
            selector,
        )
        for selector in ("svg .floor", "svg g path")
    )
    assert floor[0] > max(lines[:4])
