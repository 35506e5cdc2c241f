"""A checkpoint for torch.nn alone: a state_dict as safetensors, and a script that loads it.

Shapes: H hidden units, V vocabulary, L layers.
"""

from __future__ import annotations

import json
import shlex

import torch
from safetensors.torch import save
from torch import Tensor

from rnnlab._common.errors import require
from rnnlab.data.source import Token
from rnnlab.nn.cells import CELLS
from rnnlab.nn.engines.torch_nn import named_weights
from rnnlab.nn.model import Model
from rnnlab.runs.checkpoint import Checkpoint

CLASSES = {"rnn_tanh": "RNN", "rnn_relu": "RNN", "lstm": "LSTM", "gru_after": "GRU"}
LENGTH = 200  # tokens that the script writes
SCRIPT = '''\
"""A recurrent language model for torch.nn, written by rnnlab export. To see it write: {command}

Tokens come as one-hot vectors. The vocabulary is in the metadata of the file of weights; so are
what a token is (char or word) and how prompts are cleaned (letters: a-z and single spaces).
"""

import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

FILE = str(Path(__file__).with_name({name}))
model = {model}
model.load_state_dict(load_file(FILE))
with safe_open(FILE, "pt") as file:
    vocabulary = json.loads(file.metadata()["vocabulary"])


def forward(tokens, state=None):
    """Indices (T, B) and a state: the logits (T, B, V), and the state after them."""
    one_hot = torch.nn.functional.one_hot(tokens, len(vocabulary)).to({dtype})
    output, state = model["rnn"](one_hot, state)
    return model["linear"](output), state


@torch.inference_mode()
def generate(tokens, length):
    """Indices, and as many of the likeliest after them."""
    text, state, new = list(tokens), None, list(tokens)
    for _ in range(length):
        logits, state = forward(torch.tensor(new)[:, None], state)
        new = [int(logits[-1, 0].argmax())]
        text += new
    return text


if __name__ == "__main__":
    print({between}.join(vocabulary[i] for i in generate({prompt}, {length})))
'''


def require_class(model: Model) -> None:
    """Raise ConfigError where torch.nn has no such cell."""
    given = f"--to torch of a {model.cell.name}"
    require(
        model.cell.form != "gru_before",
        given,
        "torch.nn.GRU has only the form reset=after, and this one was trained with reset=before; "
        "use --to html, or train one with model.reset=after",
    )
    around = model.cell.around
    require(not around, f"{given} with {around}", "torch.nn's modules have no such thing")
    require(
        model.cell.form in CLASSES and type(model.cell) is type(CELLS[model.cell.form]),
        given,
        "torch.nn has no such cell; hand on its class with the run's folder",
    )


def state_dict(checkpoint: Checkpoint) -> dict[str, Tensor]:
    """rnn.weight_ih_l0 and so on of nn.RNN, LSTM or GRU; linear.weight (V, H), linear.bias (V,)."""
    require_class(checkpoint.model)
    parameters, found = checkpoint.parameters, {}
    for layer in range(checkpoint.model.num_layers):
        weights = named_weights(checkpoint.model.cell, parameters.layer(layer), 0)
        for name, tensor in weights.items():
            found[f"rnn.{name.removesuffix('0')}{layer}"] = tensor
    found |= {"linear.weight": parameters.W_hq[0].T, "linear.bias": parameters.b_q[0, 0]}
    return {name: tensor.contiguous() for name, tensor in found.items()}


def to_safetensors(checkpoint: Checkpoint) -> bytes:
    """The state_dict, with the vocabulary in its metadata."""
    vocabulary = checkpoint.vocabulary
    metadata = {
        "format": "pt",
        "cell": checkpoint.model.cell.form,
        "vocabulary": json.dumps(vocabulary.tokens),
        "token": str(vocabulary.kind),
        "clean": str(checkpoint.clean),
    }
    return save(state_dict(checkpoint), metadata)


def modules(model: Model, dtype: torch.dtype, edge: str = "", between: str = " ") -> str:
    """The expression that makes them, with line ends at its edges and between them, if any."""
    V, H, L, cell = model.vocab_size, model.num_hiddens, model.num_layers, model.cell
    sizes = [str(V), str(H), *([f"num_layers={L}"] if L > 1 else [])]
    sizes += [f"dropout={cell.dropout}"] if L > 1 and cell.dropout else []
    sizes += ['nonlinearity="relu"'] if cell.form == "rnn_relu" else []
    rnn = f'"rnn": torch.nn.{CLASSES[cell.form]}({", ".join(sizes)})'
    linear = f'"linear": torch.nn.Linear({H}, {V})'
    typed = "" if dtype == torch.float32 else f".to({dtype})"
    return f"torch.nn.ModuleDict({{{edge}{rnn},{between}{linear}{edge.strip(' ')}}}){typed}.eval()"


def snippet(checkpoint: Checkpoint, file: str) -> str:
    """Three lines that load it."""
    made = modules(checkpoint.model, checkpoint.parameters.flat.dtype)
    return (
        "import safetensors.torch, torch\n"
        f"model = {made}\n"
        f"model.load_state_dict(safetensors.torch.load_file({file!a}))"
    )


def script(checkpoint: Checkpoint, name: str, own: str, prompt: list[int]) -> str:
    """A program that loads the file `name` beside it, and continues a prompt."""
    dtype = checkpoint.parameters.flat.dtype
    return SCRIPT.format(
        command=ascii(shlex.join(["python", own]))[1:-1],
        name=ascii(name),
        model=modules(checkpoint.model, dtype, "\n    ", "\n    "),
        dtype=dtype,
        between=ascii(" " if checkpoint.vocabulary.kind == Token.word else ""),
        prompt=prompt,
        length=LENGTH,
    )
