"""A report of hostile texts: each stays in its cell, as text, in every file."""

from __future__ import annotations

import csv
import dataclasses
import html
import json
import re
import shlex
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from markdown_it import MarkdownIt

from rnnlab._common.console import one_line, plain
from rnnlab.runs import stack as experiment
from rnnlab.runs.figures import perplexity_figure, saved
from rnnlab.runs.result import Result, Status
from rnnlab.studies.report.commands import commands
from rnnlab.studies.report.entries import Entry
from rnnlab.studies.report.escaping import in_code_span
from rnnlab.studies.report.figures import KINDS, write_figure
from rnnlab.studies.report.write import write_report

pytestmark = pytest.mark.attack(6, "hostile texts in Markdown, CSV, HTML and pictures")

SMALL = ["num_hiddens=4", "batch_size=2", "num_steps=5", "dataset.max_tokens=150", "num_epochs=2"]
HOSTILE = (
    "`</code><script>alert(1)</script><b>|``` ![x](http://evil/x.png) [y](javascript:z) "
    "<http://e> http://evil/a www.evil.com *bold* \\| \\ $x^2$ $\\frac{$ _\n\n# head\r\n"
    "| a | b |\n\x1b[2J\x00\u202e\u2028 世界"
)
NAME = HOSTILE.replace("/", "").replace("\x00", "")[:150] + "\udc80"  # of a folder


def store(result: Result, folder: Path) -> None:
    (folder / "result.json").write_text(json.dumps(dataclasses.asdict(result)))


@pytest.fixture
def study(compose) -> Path:
    """Four runs; three have attacks where a text can be, and there is a folder besides."""
    first, home = Path("run"), Path("study")
    first.mkdir()
    experiment.run(compose(*SMALL), first)
    for k in range(4):
        folder = home / (f"{k}_run" if k == 3 else f"{'=' if k == 1 else k}{NAME}")
        shutil.copytree(first, folder)
        result = Result.read(folder)
        result.config |= {"lr": 0.5 + k, "theta": 1.0 + k, f"-{HOSTILE}": -1.5}
        result.config["dataset"]["path"] = "\t=1+1"
        if k < 3:
            result.samples = {HOSTILE: HOSTILE}
            result.error, result.status = f"={HOSTILE}", Status.failed if k else Status.completed
            result.config["dataset"]["path"] = f"@{k}{HOSTILE}"
            result.config[f"-{HOSTILE}"] = f"+{k}{HOSTILE}"
        store(result, folder)
    torn = home / f"torn{NAME}"
    torn.mkdir()
    (torn / "result.json").write_text("{")
    return home


def test_in_markdown(study):
    write_report(study)
    text = (study / "report.md").read_text(encoding="utf-8")
    assert text.replace("\n", "").replace("\t", "").isprintable()
    assert not re.findall(r"\w://|www\.e", re.sub("````.*````", "", text))  # no links at GitHub
    page = MarkdownIt("commonmark").enable("table").render(text)
    (best,) = re.findall("<code>(.*?)</code>", page)
    assert best.startswith("(the name of the run's folder cannot be typed: 0`")
    tags = {tag.strip("/") for tag in re.findall(r"<(/?\w+)", page)}
    assert tags == set("h1 p code h2 table thead tbody tr th td".split())
    widths, shown = [], html.unescape(page)
    for table in re.findall("<table>.*?</table>", page, re.DOTALL):
        rows = re.findall("<tr>.*?</tr>", table, re.DOTALL)
        widths.append({len(re.findall("</t[hd]>", row)) for row in rows})
    assert [len(found) for found in widths] == [1, 1, 1]
    assert page.count("<tr>") == (1 + 4) + (1 + 2) + (1 + 5)  # runs, not completed, texts
    for whole in (HOSTILE, f"={HOSTILE}", f"+1{HOSTILE}", f"0{NAME}", f"torn{NAME}"):
        assert " ".join(one_line(whole).split()) in " ".join(shown.split())
    assert "<p>Not read: " in page


def test_in_the_page(study):
    page = write_report(study).read_text(encoding="utf-8")
    outside = re.sub("<script.*?</script>|<style>.*?</style>", "", page, flags=re.DOTALL)
    known = "!doctype html head meta title body main noscript"
    assert set(re.findall(r"<([\w!]+)", outside)) == set(known.split())
    assert page.replace("\n", "").replace("\t", "").isprintable()
    own, script = re.findall("<script.*?>(.*?)</script>", page, flags=re.DOTALL)
    assert not re.search("[<>&]", own)  # what comes from elsewhere is here, and ends nothing
    assert plain(HOSTILE) in [*json.loads(own)["runs"][0]["samples"]]
    assert "evil" not in script


def test_in_a_spreadsheet(study):
    """Texts that would be computed are texts; numbers are numbers."""
    write_report(study)
    with (study / "results.csv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file)
    assert [len(row) for row in rows] == [len(head)] * 4
    cells = [cell for row in [head, *rows] for cell in row]
    assert all(cell.replace("\t", "").isprintable() for cell in cells)
    assert [cell for cell in cells if cell and cell[0] in "=+-@\t\r\n"] == ["-1.5"]
    columns = dict(zip(head, zip(*rows, strict=True), strict=True))
    assert sorted(map(float, columns["lr"])) == [0.5, 1.5, 2.5, 3.5]
    assert "'\t=1+1" in columns["dataset.path"]
    assert f"'@1{one_line(HOSTILE)}" in columns["dataset.path"]
    assert f"'={one_line(NAME)}" in columns["folder"]
    assert f"'={one_line(HOSTILE)}" in columns["error"]
    assert f"'-{one_line(HOSTILE)}" in head


@pytest.mark.parametrize("given", ["$x^{$", r"$\frac{1}$", "a_b^c $\n世界\x1b\u202e", "x" * 5000])
def test_in_pictures(given, study, recwarn):
    """As mathtext some cannot be read at all; a glyph that the font lacks is no warning."""
    for k, folder in enumerate(path for path in study.iterdir() if "torn" not in path.name):
        result = Result.read(folder)
        result.status = Status.completed
        result.config |= {"lr": k % 2, "theta": k // 2, given: f"{given}{k}"}
        store(result, folder)
    for what in KINDS:
        assert write_figure(study, what, form="svg").stat().st_size > 1000
    curve = [(1, 3.0), (2, 2.0)]
    for kind in ("svg", "png"):
        assert saved(perplexity_figure(curve, curve, title=given), kind)
    assert not recwarn.list


TORCH = {"name": "torch", "algorithm": "SGD"}
TYPED: list[tuple[dict[str, Any], list[str]]] = [  # what was trained, and the words for it
    ({}, []),
    ({"lr": 1e-5, "theta": 2.0, "clip": {"name": "none"}}, ["clip=none", "lr=1e-05", "theta=2"]),
    ({"dataset.prefixes": ["a", "b c", "1", "null"]}, ['dataset.prefixes=[a,"b c","1","null"]']),
    ({"dataset.max_tokens": None}, ["dataset.max_tokens=null"]),
    (
        {"optimizer": TORCH | {"options": {"momentum": 0.5, "betas": [0.5, 1.0]}}},
        ["optimizer=torch", "+optimizer.options.momentum=0.5", "+optimizer.options.betas=[0.5,1]"],
    ),
]
PATHS = ["x=1/t", "it's (1) & `id` $(id) #1", "é世界.txt", '"\\', "2024_01", "0.50", "no", "", " x"]
UNSAFE: list[dict[str, Any]] = [  # only the folder can say it
    {"dataset.prefixes": ["${oc.env:HOME}"]},
    {"dataset.prefixes": ["\x1b[2J"]},
    {"dataset.prefixes": ["a\nid"]},
    {"dataset.prefixes": ["\u202ea"]},
    {"dataset.name": "--help"},
    {"sampler.name": "../random"},
    {"optimizer": TORCH | {"options": {"a=1 hydra.run.dir": 1}}},
    {"-m": 1},
    {"theta": "1"},
]


@pytest.fixture
def command_of(compose) -> Callable[..., str]:
    """command_of({"dataset.path": "x"}, folder) -> the command for a run with that config."""

    def command_of(changes: dict[str, Any], folder: Path = Path("run"), *choices: str) -> str:
        values = compose(*choices).as_dict()
        for name, value in changes.items():
            group, _, knob = name.rpartition(".")
            (values[group] if group else values)[knob] = value
        result = replace(Result.without_run(""), status=Status.completed, config=values)
        return commands([[Entry.of(folder, result)]])[0]

    return command_of


@pytest.mark.parametrize(("changes", "words"), TYPED)
def test_the_best_command_is_the_shortest(command_of, changes, words):
    program, script, *typed = shlex.split(command_of(changes))
    assert (program, script, typed) == ("rnnlab", "train", words)


@pytest.mark.parametrize("path", PATHS)
def test_a_path_in_the_best_command_is_read_as_it_is(command_of, compose, path):
    text = ("dataset=text", "dataset.path=x")
    typed = shlex.split(command_of({"dataset.path": path}, Path("run"), *text))[2:]
    assert compose(*typed).dataset.path == path


@pytest.mark.parametrize("changes", UNSAFE)
def test_the_best_command_is_safe_to_paste(command_of, changes):
    folder, odd = Path("a b;`id`"), Path("x\x1b[2J\n")
    again = ["rnnlab", "reproduce", str(folder.absolute())]
    assert shlex.split(command_of(changes, folder)) == again
    said = r"(the name of the run's folder cannot be typed: x\x1b[2J\n)"
    assert command_of(changes, odd) == said


@pytest.mark.parametrize("text", ["", "a", "`", "``", "`a``b```", " a", "a`", "x````"], ids=repr)
def test_code_is_one_span_whatever_is_in_it(text):
    page = MarkdownIt("commonmark").render(f"Best: {in_code_span(f'run {text}|')}")
    assert page == f"<p>Best: <code>{html.escape(f'run {text}|')}</code></p>\n"
