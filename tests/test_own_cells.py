"""model=./mycell.py: a cell of one's own, through all that a cell of rnnlab's goes through."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

import commands
from conftest import ROOT
from rnnlab._common.errors import ConfigError
from rnnlab.config.identity import config_id
from rnnlab.config.own_cells import typed_cell, with_own_cells
from rnnlab.nn import own_cell
from rnnlab.nn.engines.eager import Loop
from rnnlab.nn.model import Model
from rnnlab.nn.own_cell_check import require_sound
from rnnlab.runs import stack
from rnnlab.runs.checkpoint import load_checkpoint
from rnnlab.runs.folder import CELL, LAST
from rnnlab.runs.result import Result, Status
from rnnlab.studies.report.commands import commands as commands_of
from rnnlab.studies.report.entries import read
from rnnlab.studies.verify import verify

CODES = {path.name: path.read_text() for path in (ROOT / "docs" / "cells").glob("*.py")}
SMALL = ["num_hiddens=6", "batch_size=4", "num_steps=6", "dataset.max_tokens=400", "engine=eager"]
SMALL += ["log.sample_length=5"]


@pytest.fixture(autouse=True)
def codes(tmp_path, monkeypatch) -> None:
    """The files in the current folder; a cache that knows none of them; a process that is new."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(own_cell, "_known", {})
    for name, code in CODES.items():
        assert len(code.splitlines()) <= 25
        Path(name).write_text(code)


def made(name: str, **knobs: Any) -> own_cell.OwnCell:
    return typed_cell(name)(name=name, **knobs)


# --- what it computes ------------------------------------------------------------------------


def mingru_by_hand(weights: dict[str, Tensor], tokens: Tensor) -> Tensor:
    """The logits of one lane for tokens (B, T), written out for one sequence at a time."""
    found = []
    for row in tokens:
        h = torch.zeros(weights["0.b_z"].shape[-1], dtype=torch.float64)
        for token in row:
            z = 1 / (1 + torch.exp(-(weights["0.W_xz"][token] + weights["0.b_z"][0])))
            h = h + z * (weights["0.W_xh"][token] + weights["0.b_h"][0] - h)
            found.append(h @ weights["W_hq"] + weights["b_q"][0])
    return torch.stack(found).unflatten(0, tokens.shape)


def test_a_file_trains_as_its_equations_say():
    model = Model(cell=made("mingru.py", init_std=0.5), vocab_size=7, num_hiddens=5)
    parameters = model.init([3, 4], torch.float64, torch.device("cpu"))
    X = torch.randint(7, (2, 3, 4), generator=torch.Generator().manual_seed(0))
    state = model.zero_state(2, 3, torch.float64, torch.device("cpu"))
    logits, _ = Loop().forward(parameters, X, state)
    for lane in range(2):
        own = {name: value[lane] for name, value in parameters.items()}
        expected = mingru_by_hand(own, X[lane]).transpose(0, 1)
        torch.testing.assert_close(logits[lane], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "name",
    ["slstm.py", *(pytest.param(n, marks=pytest.mark.slow) for n in ("mingru.py", "leaky.py"))],
)
def test_nine_lanes_are_nine_single_runs(compose, name):
    typed_cell(name)
    configs = [
        compose(f"model={name}", *SMALL, "num_epochs=4", f"lr={lr}", f"seed={seed}")
        for lr in (0.3, 1, 3)
        for seed in (0, 1, 2)
    ]
    folders = [Path(f"together/{k}") for k in range(9)]
    for k, together in enumerate(stack.run_stack(configs, folders)):
        alone = stack.run(configs[k], Path(f"alone/{k}"))
        assert together.perplexity == pytest.approx(alone.perplexity, rel=1e-5)
        assert together.status == alone.status == Status.completed
    assert len({result.perplexity for result in map(Result.read, folders)}) > 6


@pytest.mark.parametrize("name", [pytest.param("mingru.py", marks=pytest.mark.slow), "slstm.py"])
def test_it_is_killed_and_goes_on_bit_for_bit(compose, name):
    typed_cell(name)
    config = compose(f"model={name}", *SMALL, "num_epochs=30", "checkpoint.seconds=0.05")
    verdict = verify([config], Path("kills"), kills=3)
    assert verdict.kills == 3
    assert not verdict.differences
    assert not verdict.inexact


def test_it_is_held_out_generated_from_and_reproduced():
    words = ["model=./slstm.py", *SMALL, "num_epochs=3", "dataset.val_fraction=0.2"]
    assert commands.run(*words, "log.val_every=1", "hydra.run.dir=run")[0] == 0
    result = Result.read(Path("run"))
    assert result.val_perplexity is not None
    assert 1 < result.val_perplexity < 40
    assert (Path("run") / CELL).read_text() == CODES["slstm.py"]
    code, said, _ = commands.run("reproduce", "run", module=True)
    assert (code, said.splitlines()[-1][-11:]) == (0, "bit for bit")


def test_its_knobs_its_shapes_and_its_first_values_are_the_files(compose):
    typed_cell("leaky.py")
    config = compose("model=leaky.py", "model.leak=0.25", *SMALL, "num_epochs=1")
    assert config.model.leak == 0.25  # pyrefly: ignore
    model = Model(cell=config.model, vocab_size=7, num_hiddens=6, num_layers=2)
    first = model.init([0], torch.float32, torch.device("cpu"))
    assert torch.equal(first["1.W_hh"][0], torch.eye(6))
    assert [tuple(first[f"{layer}.U"].shape) for layer in range(2)] == [(1, 7, 6), (1, 6, 6)]
    assert 0.05 < float(first["0.U"].std()) < 0.2
    said = commands.run("model=./leaky.py", "model.leak=x")[2]
    assert said == "model.leak=x is not allowed: model.leak is a number.\n"


# --- which cell it is ------------------------------------------------------------------------


def test_its_code_is_the_experiment_and_its_name_is_not(compose):
    def identity(name: str) -> str:
        typed_cell(name)
        return config_id(compose(f"model={Path(name).name}"), "0")

    first = identity("mingru.py")
    Path("other.py").write_text(CODES["mingru.py"])
    Path("elsewhere").mkdir()
    Path("elsewhere/mingru.py").write_text(CODES["mingru.py"])
    assert identity("other.py") == identity("elsewhere/mingru.py") == first
    Path("mingru.py").write_text(CODES["mingru.py"].replace("(1 - Z)", "(1.0 - Z)"))
    assert identity("mingru.py") != first


def test_a_run_goes_on_with_its_own_code_after_the_file_has_changed():
    words = ["model=./mingru.py", *SMALL]
    assert commands.run(*words, "num_epochs=6", "hydra.run.dir=whole")[0] == 0
    assert commands.run(*words, "num_epochs=3", "hydra.run.dir=run")[0] == 0
    Path("mingru.py").write_text(CODES["mingru.py"].replace("sigmoid", "tanh"))
    code, said, _ = commands.run("resume=run", "num_epochs=6")
    assert code == 0
    assert f"{Path('mingru.py').absolute()} has changed since; the run has its own copy" in said
    whole, run = (load_checkpoint(Path(name), LAST) for name in ("whole", "run"))
    assert all(torch.equal(run.parameters[name], whole.parameters[name]) for name in run.parameters)
    Path("mingru.py").unlink()
    assert "mingru.py is gone; the run" in commands.run("resume=run", "num_epochs=7")[1]


@pytest.mark.slow
def test_a_study_of_it_goes_on():
    study = ["-m", "model=./mingru.py,rnn", "lr=0.5,1", *SMALL]
    assert commands.run(*study, "num_epochs=2", "sweep=S")[0] == 0
    Path("mingru.py").unlink()
    assert commands.run("resume=S", "num_epochs=4")[0] == 0
    assert [Result.read(path.parent).epochs for path in Path("S").glob("*/result.json")] == [4] * 4


def test_a_report_names_the_copy_of_its_code_or_the_run(compose):
    """Where its words do not lead back to it, as of other code of that name, it is the folder."""
    for name in ("first", "second"):
        typed_cell("mingru.py")
        stack.run(compose("model=mingru.py", *SMALL, "num_epochs=1"), Path(f"S/{name}"))
        Path("mingru.py").write_text(CODES["mingru.py"].replace("(1 - Z)", "(1.0 - Z)"))
    first, second = commands_of([[entry] for entry in read(Path("S"))[0]])
    assert first == f"rnnlab reproduce {Path('S/first').absolute()}"
    assert second.startswith(f"rnnlab train model={Path('S/second').absolute()}/cell.py ")


def test_it_travels_with_its_code_to_other_processes(monkeypatch):
    cell = made("leaky.py", leak=0.125)
    sent = pickle.dumps(cell)
    Path("leaky.py").unlink()
    monkeypatch.setattr(own_cell, "_known", {})
    received = pickle.loads(sent)
    assert repr(received) == repr(cell)
    assert received.source == CODES["leaky.py"]


# --- whose code runs -------------------------------------------------------------------------


@pytest.fixture
def foreign(compose, monkeypatch) -> Path:
    """A run's folder, from a machine whose cache is another one."""
    typed_cell("mingru.py")
    stack.run(compose("model=mingru.py", *SMALL, "num_epochs=2"), Path("run"))
    (Path("cache") / "rnnlab").rename("gone")
    monkeypatch.setattr(own_cell, "_known", {})
    Path("mingru.py").unlink()
    return Path("run")


def test_a_folder_makes_no_code_run_that_nobody_has_typed(foreign):
    evil = f"import pathlib\npathlib.Path('ran').touch()\n{CODES['mingru.py']}"
    (foreign / CELL).write_text(evil)
    values = json.loads((foreign / "result.json").read_text())
    for sha256 in ("../../x", "", 3, values["config"]["model"]["sha256"], own_cell.digest(evil)):
        values["config"]["model"]["sha256"] = sha256
        (foreign / "result.json").write_text(json.dumps(values))
        with pytest.raises(ConfigError):
            load_checkpoint(foreign, LAST)
    for command in (["resume=run", "num_epochs=3"], ["reproduce", "run"], ["report", "."]):
        commands.run(*command, module="=" not in command[0])
    assert not Path("ran").exists()


@pytest.mark.usefixtures("foreign")
def test_code_that_is_named_may_run():
    code, _, said = commands.run("resume=run", "num_epochs=3")
    assert code == 2
    assert "code that nobody has run here: read cell.py in its folder" in said
    assert commands.run("resume=run", "model=run/cell.py", "num_epochs=3")[0] == 0
    assert commands.run("resume=run", "num_epochs=4")[0] == 0  # it is known from then on


def test_code_in_the_cache_that_was_changed_does_not_run(foreign):
    typed_cell(str(foreign / CELL))
    (kept,) = Path("cache/rnnlab/cells").iterdir()
    kept.write_text("import pathlib\npathlib.Path('ran').touch()\n")
    own_cell._known.clear()
    with pytest.raises(ConfigError):
        load_checkpoint(foreign, LAST)
    assert not Path("ran").exists()


# --- mistakes --------------------------------------------------------------------------------

RNN = "import torch\ndef step(X, H, *, W_xh, W_hh, b_h):\n    return "
MISTAKES = [
    ("def step(X, H)\n", "mistake.py, line 1: expected ':'."),
    ("x = 1 / 0\n", "mistake.py, line 1: ZeroDivisionError: division by zero."),
    ("x = 1\n", "mistake.py is not allowed: it has no function step(X, H, *, W_xh, ...)."),
    ("def step(X, *, W_x):\n    return X\n", "line 1 is not allowed: step takes the input"),
    ("def step(X, H, *, V):\n    return X @ V\n", "line 1: V is not allowed: a parameter is call"),
    ("def step(X, H, *, W_x, a=[1]):\n    pass\n", "line 1: a=[1] is not allowed: a knob is a num"),
    ("def step(X, H, *, W_x, dropout=1):\n    pass\n", "a knob dropout is not allowed: every cell"),
]
UNSOUND = [
    ("torch.tanh(X @ W_xh + H @ W_hx + b_h)", "mistake.py, line 3: NameError: name 'W_hx' is not"),
    ("torch.tanh(X @ W_hh + H @ W_hh + b_h)", "mistake.py, line 3: RuntimeError: Expected size fo"),
    ("torch.tanh(X @ W_xh + b_h), H", "step returns 2 values is not allowed: it returns as many"),
    ("(X @ W_xh + b_h).sum(-1)", "the new H has the shape (2, 3) is not allowed: it is (K, B, H)"),
    ("torch.tanh(X @ W_xh - (X @ W_xh).mean())", "a lane that changes another one is not allowed"),
    ("torch.tanh(X @ W_xh - (X @ W_xh).mean(1, True))", "a sequence that changes another one"),
    ("torch.tanh((X @ W_xh).detach() + H @ W_hh + b_h)", "a part of it hides its gradient."),
    ("torch.rand_like(H) + X @ W_xh", "step gives other values for the same input"),
    ("(X @ W_xh) / H", "H is not allowed: it is not finite, beginning with states of zero."),
    ("torch.ones_like(H)", "no gradient reaches its parameters: it leaves torch."),
]


@pytest.mark.parametrize(("code", "sentence"), MISTAKES)
def test_a_mistake_in_the_file_is_a_sentence_with_its_line(code, sentence):
    Path("mistake.py").write_text(code)
    with pytest.raises(ConfigError) as caught:
        typed_cell("mistake.py")
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("formula", "sentence"), UNSOUND)
def test_what_could_not_train_in_a_stack_is_said_before_it_does(formula, sentence):
    Path("mistake.py").write_text(f"{RNN}{formula}\n")
    with pytest.raises(ConfigError) as caught:
        require_sound(made("mistake.py"))
    assert sentence in str(caught.value)
    code, _, err = commands.run("model=./mistake.py", *SMALL)
    assert (code, err.count("\n")) == (2, 1)
    assert not Path("outputs").exists()


@pytest.mark.parametrize("name", CODES)
def test_a_sound_one_is_sound(name):
    require_sound(made(name))


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ("none.py", "model=none.py is not allowed: No such file or directory."),
        ("a-b.py", "model=a-b.py is not allowed: the file's name is letters, digits and _"),
        (".", "model=. is not allowed"),
    ],
)
def test_a_file_that_is_none(typed, sentence):
    Path("a-b.py").write_text(CODES["mingru.py"])
    with pytest.raises(ConfigError) as caught:
        typed_cell(typed)
    assert sentence in str(caught.value)


def test_words_without_a_file_stay_as_they_are():
    words = ["-m", "model=rnn,gru", "lr=1", "note=model=x.py", "dataset.path=a.py"]
    assert with_own_cells(words) == words
    assert with_own_cells(["model=./mingru.py,rnn,'./leaky.py'"]) == [
        "model=mingru.py,rnn,leaky.py"
    ]
    assert with_own_cells(["resume=x", "model=mingru.py"]) == ["resume=x"]
