"""rnnlab inspect, and its pictures as files and in Python."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

import rnnlab
from rnnlab._common.errors import ConfigError
from rnnlab.cli.commands import main
from rnnlab.instruments import NAMES, named
from rnnlab.instruments.instrument import BINS, Kind
from rnnlab.runs import stack
from rnnlab.runs.checkpoint import load_checkpoint
from rnnlab.runs.folder import INSTRUMENTS, LAST, read_looks
from rnnlab.runs.inspection import inspect as inspecting
from rnnlab.runs.inspection.pictures import picture
from rnnlab.runs.inspection.seen import Seen
from rnnlab.training.evaluation import nats

SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "num_epochs=4", "log.sample_length=5"]
SMALL += ["dataset.max_tokens=600", "dataset.val_fraction=0.1", "model=lstm"]


@pytest.fixture
def folder(compose, monkeypatch) -> Path:
    """A run that was looked at twice, with two instruments."""
    some = ["instruments=[saturation,gradient_lag]", "log.inspect_every=2"]
    with monkeypatch.context() as patched:
        patched.setattr("rnnlab.runs.inspection.pictures.picture", lambda _: Figure(figsize=(1, 1)))
        stack.run(compose(*SMALL, *some), Path("run"))
    return Path("run")


def seen_by(kind: Kind, looks: int, *, names: int = 3, gaps: bool = False) -> Seen:
    """What an instrument of that kind could have seen."""
    draw = np.random.default_rng(0)
    shape = {
        Kind.number: (), Kind.curve: (12,), Kind.histogram: (BINS,), Kind.text: (19,),
        Kind.units: (20, 6), Kind.plane: (8, 2),
    }[kind]  # fmt: skip
    each = next(one for name in NAMES if (one := named(name)).kind == kind)

    def values():
        return (draw.random(shape) if not gaps else np.full(shape, None)).tolist()

    count = 1 if kind == Kind.text else names
    over = {2 * i + 1: {f"{n}.H": values() for n in range(count)} for i in range(looks)}
    now = over[max(over)] if over else {f"{n}.H": values() for n in range(count)}
    return Seen(each, now, "lstm 8x3 on $a_text", over, [*"a text with\nlines twenty"][:20])


@pytest.mark.parametrize("kind", [*Kind])
@pytest.mark.parametrize("looks", [0, 3])
def test_a_picture_says_what_it_is_of_and_how_to_read_it(kind, looks):
    seen = seen_by(kind, looks)
    made = picture(seen)
    texts = [text.get_text() for text in made.texts]
    assert texts[0] == seen.instrument.title
    assert texts[1] == seen.subject
    assert " ".join(texts[2].split()) == seen.instrument.caption
    made.draw_without_rendering()
    height = made.bbox.height
    below = made.texts[2].get_window_extent()
    assert below.y0 >= 0
    for axes in made.axes:  # nothing lies on the caption, or on the head
        box = axes.get_tightbbox()
        assert box is not None
        assert box.y0 >= below.y1 - 2
        assert box.y1 <= height - 40
    if kind in (Kind.number, Kind.curve):
        assert any("epoch" in axes.get_xlabel() for axes in made.axes) == (looks > 0)


@pytest.mark.parametrize("kind", [Kind.number, Kind.curve, Kind.histogram, Kind.units])
def test_what_was_not_finite_leaves_a_gap(kind):
    picture(seen_by(kind, 3, gaps=True)).draw_without_rendering()


def test_a_run_is_inspected_with_all_instruments(folder):
    found = {seen.instrument.name: seen for seen in inspecting.inspect(folder)}
    assert [*found] == [*NAMES]
    assert [*found["saturation"].looks] == [2, 4]
    assert found["spectrum"].looks == {}
    last = [*read_looks(folder)][-1]
    assert found["gradient_lag"].values == last["gradient_lag"]  # nothing was trained since


def test_a_text_of_ones_own_is_what_the_model_reads(folder):
    text = "the time traveller for so it will be"
    (seen,) = (s for s in inspecting.inspect(folder, text) if s.instrument.name == "surprise")
    assert "".join(seen.tokens) == text
    checkpoint = load_checkpoint(folder, LAST)
    indices = torch.tensor(checkpoint.vocabulary.encode(text))
    cost = nats(checkpoint.parameters, indices)
    assert sum(seen.values["bits"]) * math.log(2) == pytest.approx(cost, rel=1e-4)
    with pytest.raises(ConfigError, match="--text 'ab' is not allowed: it needs three tokens"):
        inspecting.inspect(folder, "ab")
    with pytest.raises(ConfigError, match="it needs at least one token after"):
        inspecting.inspect(folder, "123")


def test_the_command_writes_every_picture_twice(folder, monkeypatch, capsys):
    monkeypatch.setattr(inspecting, "picture", lambda _: Figure(figsize=(1, 1)))
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["rnnlab", "inspect", str(folder), "--output", "seen"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    assert capsys.readouterr().out.split() == [str(Path("seen", f"{name}.png")) for name in NAMES]
    assert {path.name for path in Path("seen").iterdir()} == {
        f"{name}.{form}" for name in NAMES for form in ("png", "svg")
    }
    assert Path("seen/gates.png").read_bytes().startswith(b"\x89PNG")
    assert b"</svg>" in Path("seen/gates.svg").read_bytes()


def test_a_run_whose_text_has_changed_asks_for_one(compose):
    Path("a.txt").write_text("it was a fine day said the traveller " * 40)
    words = ["dataset=text", "dataset.path=a.txt", *SMALL, "num_epochs=1"]
    stack.run(compose(*words), Path("run"))
    Path("a.txt").write_text("quiet now " * 200)
    with pytest.raises(ConfigError, match="its text is another one now; type --text TEXT"):
        inspecting.inspect(Path("run"))
    Path("a.txt").unlink()
    with pytest.raises(ConfigError, match="or type --text TEXT"):
        inspecting.inspect(Path("run"))
    assert inspecting.inspect(Path("run"), "it was a fine day")


def test_a_log_of_other_lengths_is_a_sentence(folder):
    lines = (folder / INSTRUMENTS).read_text().splitlines()
    look = json.loads(lines[0])
    look["gradient_lag"]["0.H"].pop()
    (folder / INSTRUMENTS).write_text("\n".join([json.dumps(look), *lines[1:], ""]))
    said = r"instruments\.jsonl is damaged: gradient_lag of 0\.H after epoch 2 has another length"
    with pytest.raises(ConfigError, match=said):
        inspecting.inspect(folder)


@pytest.mark.parametrize("value", ["a", {"b": 1}, [1, "a"], [[[[1]]]], True])
def test_a_look_of_another_kind_is_none(folder, value):
    """In Python as well, where all are one table of numbers."""
    look = {"epoch": 6, "saturation": {"0.i": value}}
    with (folder / INSTRUMENTS).open("a") as log:
        log.write(json.dumps(look) + "\n")
    assert [one["epoch"] for one in read_looks(folder)] == [2, 4]
    assert {*rnnlab.load(folder)[0].instruments["epoch"].tolist()} == {2, 4}


def test_a_file_is_no_folder_for_pictures(folder):
    Path("seen").write_text("")
    said = "--output seen is not allowed: it is a file; type the name of a folder"
    with pytest.raises(ConfigError, match=said):
        next(inspecting.write_pictures(folder, output=Path("seen")))


def test_in_python_what_was_logged_is_a_table(folder):
    study = rnnlab.load(folder)
    (run,) = study
    logged = run.instruments
    is_lag = (logged["instrument"] == "gradient_lag") & (logged["name"] == "0.C")
    assert logged["epoch"][is_lag].tolist() == [2] * 10 + [4] * 10
    assert logged["place"][is_lag].tolist() == [*range(10)] * 2
    looks = [*read_looks(folder)]
    wanted = looks[0]["gradient_lag"]["0.C"] + looks[1]["gradient_lag"]["0.C"]
    assert logged["value"][is_lag].tolist() == wanted
    assert {"folder", "epoch", "value"} <= {*study.instruments}
    assert len(study.instruments["value"]) == len(logged["value"])
