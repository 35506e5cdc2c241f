"""docs/reference is what its generator writes, and nothing that it should have is left out."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from conftest import ROOT
from rnnlab._common.choices import registered
from rnnlab.cli.commands import app
from rnnlab.config.names import groups, knobs
from rnnlab.config.schema import GROUPS
from rnnlab.runs import stack as experiment
from rnnlab.runs.result import Result
from rnnlab.training.metrics import FIGURES

sys.path.insert(0, str(ROOT / "docs"))
import make_reference

DOCS = ROOT / "docs"
PAGES = make_reference.pages()


@pytest.mark.parametrize("name", PAGES)
def test_the_page_is_what_the_generator_writes(name):
    """It is not where somebody has added a knob, a choice, a key or an option since."""
    written = (DOCS / "reference" / name).read_text(encoding="utf-8")
    assert written == PAGES[name], "type: make reference"


def test_no_page_is_left_of_what_is_no_longer_written():
    assert {path.name for path in (DOCS / "reference").iterdir()} == {*PAGES}


def test_every_knob_and_choice_is_there():
    rows = [line.split(" | ")[0] for line in PAGES["knobs.md"].splitlines()]
    for name, kind in knobs():
        if not dataclasses.is_dataclass(kind):
            assert rows.count(f"| `{name}`") == 1, name
    for group, choices in groups().items():
        assert all(f"### {group}={choice}\n" in PAGES["choices.md"] for choice in choices)
    assert {name for group in GROUPS for name in registered(group)} - {"download"} <= {
        name for choices in groups().values() for name in choices
    }


def test_a_knobs_row_has_the_defaults_of_each_choice():
    default = "`letters` (sample, time\\_machine); `none` (text)"
    assert f"| `dataset.clean` | one of letters, none | {default} |" in PAGES["knobs.md"]


def test_every_key_of_a_real_run_is_explained(compose):
    """Of result.json and metrics.jsonl; the table has no other."""
    words = ["num_hiddens=4", "batch_size=2", "num_steps=5", "dataset.max_tokens=150"]
    words += ["num_epochs=1", "schedule=linear", "log.every_minibatches=1"]
    experiment.run(compose(*words), Path("run"))
    result = json.loads(Path("run/result.json").read_text())
    page = PAGES["files.md"]
    assert all(f"| `{name}` | " in page for name in result)
    assert all(field.metadata["meaning"] for field in dataclasses.fields(Result))
    for log in ("metrics", "minibatches"):
        (line, *_) = Path(f"run/{log}.jsonl").read_text().splitlines()
        assert all(f"| `{name}` | " in page for name in json.loads(line)), log
    assert all(figure.meaning for figure in FIGURES.values())


def test_every_command_and_option_is_there():
    page = PAGES["commands.md"]
    names = [c.callback.__name__ for c in app.registered_commands if c.callback]
    assert all(f"## rnnlab {name.replace('_', '-')}\n" in page for name in names)
    for option in ("--by", "--format", "--at-best", "--top-p", "--kills", "--watch"):
        assert f"| `{option}` |" in page
    assert "| `--temperature` | a number &gt;= 0 | `0.0` |" in page


def test_a_quoted_line_of_code_is_where_the_link_leads():
    """And a quotation of what is gone is an error, which make reference stops at."""
    page = (DOCS / "mathematics.md").read_text(encoding="utf-8")
    assert make_reference.with_lines(page) == page, "type: make reference"
    assert page.count(".py#L") > 20
    moved = "[`H = O * tanh(C)`](../src/rnnlab/nn/cells.py#L1)"
    assert "#L1)" not in make_reference.with_lines(moved)
    with pytest.raises(ValueError, match=r"quotes H = 0, which \.\./src/rnnlab/nn/cells\.py lacks"):
        make_reference.with_lines(moved.replace("O * tanh(C)", "0"))
