"""What is handed on computes what the run computes: in torch.nn, by a script alone, in a page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

import library
from rnnlab.data.corpus import Vocabulary
from rnnlab.nn.engines.eager import Loop
from rnnlab.nn.generation import generate
from rnnlab.nn.model import Model
from rnnlab.runs.checkpoint import Checkpoint, save_checkpoint
from rnnlab.runs.export.write import write_export
from rnnlab.runs.folder import LAST

CPU = torch.device("cpu")
RUN = Path("run")
BOTH = ["rnn_tanh", "rnn_relu", "lstm", "gru_after"]  # what torch.nn has too
TOKENS = ("<unk>", *" etaoinshrd")


def stored(
    model: Model, dtype: torch.dtype = torch.float32, tokens: tuple[str, ...] = TOKENS, kind="char"
) -> Checkpoint:
    """A run's folder with random weights and biases of ordinary size."""
    source = torch.Generator().manual_seed(1)
    drawn = {
        name: (torch.randn(1, *shape, generator=source) / 3).to(dtype)
        for name, shape in model.shapes().items()
    }
    config = {"dataset": {"name": "sample", "clean": "letters", "prefixes": ["the rain"]}}
    checkpoint = Checkpoint(
        model=model, vocabulary=Vocabulary(tokens, kind), parameters=model.gather(drawn), epoch=3,
        config=config, config_id="x",
    )  # fmt: skip
    (RUN / "checkpoints").mkdir(parents=True, exist_ok=True)
    save_checkpoint(RUN, LAST, checkpoint)
    return checkpoint


def export(to: str, output: Path | None = None, weights: str | None = None) -> list[str]:
    return list(write_export(RUN, to, output, weights, is_best=False))


def executed(snippet: str) -> nn.ModuleDict:
    """What the three lines make."""
    names: dict = {}
    exec(snippet, names)
    return names["model"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("form", BOTH)
def test_logits_of_torchs_modules_are_ours(form, layers, dtype):
    """Gates in another order, or a bias on the wrong side of the reset gate, would show."""
    model = library.model(form, len(TOKENS), 7, layers, dropout=0.5)
    checkpoint = stored(model, dtype)
    X = torch.randint(len(TOKENS), (1, 4, 30))
    expected, _ = Loop().forward(
        checkpoint.parameters, X, model.zero_state(1, 4, dtype, CPU)
    )  # (1, T, B, V)
    _, snippet = export("torch")
    assert len(snippet.splitlines()) == 3
    exported = executed(snippet)
    output, _ = exported["rnn"](nn.functional.one_hot(X[0].T, len(TOKENS)).to(dtype))
    rtol = 1e-6 if dtype == torch.float32 else 1e-14
    scale = float(expected.abs().max())
    torch.testing.assert_close(
        exported["linear"](output), expected[0], rtol=0, atol=rtol * max(1, scale)
    )


@pytest.mark.parametrize("form", BOTH)
def test_the_script_beside_it_writes_what_we_write(form):
    """In a process of its own, which knows nothing of rnnlab."""
    checkpoint = stored(library.model(form, len(TOKENS), 7, 2))
    export("torch")
    said = subprocess.run(
        [sys.executable, "-I", "run/load_model.py"], capture_output=True, text=True, check=True
    )
    prompt = checkpoint.vocabulary.encode("the rain")
    (tokens,) = generate(checkpoint.parameters, [prompt], 200)
    assert said.stdout == checkpoint.vocabulary.decode(tokens) + "\n"
    assert "rnnlab" not in Path("run/load_model.py").read_text().split('"""', 2)[2]


def test_the_vocabulary_is_in_the_metadata():
    stored(library.model("lstm", len(TOKENS), 3))
    export("torch")
    with safe_open("run/model.safetensors", "pt") as file:
        found = file.metadata()
    assert tuple(json.loads(found.pop("vocabulary"))) == TOKENS
    assert found == {"format": "pt", "cell": "lstm", "token": "char", "clean": "letters"}
    assert {*load_file("run/model.safetensors")} == {
        "rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0", "rnn.bias_hh_l0",
        "linear.weight", "linear.bias",
    }  # fmt: skip


def said_of(*words: str) -> tuple[int, str]:
    """Exit status and what is said of a mistake, by the command itself."""
    done = subprocess.run(
        [sys.executable, "-m", "rnnlab", "export", *words], capture_output=True, text=True
    )
    return done.returncode, done.stderr


def test_a_gru_of_the_other_form_is_told_what_to_do():
    stored(library.model("gru_before", len(TOKENS), 3))
    status, sentence = said_of("run", "--to", "torch")
    assert status == 2
    assert sentence == (
        "--to torch of a gru is not allowed: torch.nn.GRU has only the form reset=after, and this "
        "one was trained with reset=before; use --to html, or train one with model.reset=after.\n"
    )
    assert not Path("run/model.safetensors").exists()
    export("html")
    assert Path("run/model.html").exists()
