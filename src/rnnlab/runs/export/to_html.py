"""A checkpoint as one page that writes in a browser: weights, vocabulary, and the cells anew.

The page computes in double precision, with the weights as they are stored in it.
"""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import torch

from rnnlab._common.errors import require
from rnnlab._common.page import page
from rnnlab.data.cutting import NEWLINE
from rnnlab.data.source import Clean, Token
from rnnlab.nn.cells import CELLS
from rnnlab.nn.model import Parameters
from rnnlab.runs.checkpoint import Checkpoint

WEB = Path(__file__).parent / "web"
SCRIPTS = "weights cells model prompt heatmap text page".split()
OTHERWISE = "This page is a language model that writes by its own scripts, which are off here."
TYPES = {"fp16": torch.float16, "fp32": torch.float32, "fp64": torch.float64}
MOST = 192 << 20  # bytes of weights: a browser has no text that is longer than 512 MiB


def to_html(checkpoint: Checkpoint, title: str, prompt: str, weights: str | None = None) -> str:
    """The page, which begins with `prompt`; raises ConfigError for what no page can have.

    `weights` is fp16, fp32 or fp64; by default what the run itself has.
    """
    cell, vocabulary = checkpoint.model.cell, checkpoint.vocabulary
    require(
        type(cell) is type(CELLS.get(cell.form)),
        f"--to html of a {cell.name}",
        f"a page has {', '.join(CELLS)} and no others; hand on its class with the run's folder",
    )
    require(not cell.around, f"--to html of a model with {cell.around}", "a page has no such thing")
    kind = weights or _usual(checkpoint.parameters)
    contents = {
        "title": title,
        "words": _described(checkpoint),
        "form": cell.form,
        "hiddens": checkpoint.model.num_hiddens,
        "vocabulary": vocabulary.tokens,
        "isWords": vocabulary.kind == Token.word,
        "hasLetters": checkpoint.clean == Clean.letters,
        "hasNewlines": NEWLINE in vocabulary.tokens,
        "prompt": prompt,
        "type": kind,
        **_stored(checkpoint.parameters, kind),
    }
    return page(WEB, SCRIPTS, title, contents, OTHERWISE)


def _usual(parameters: Parameters) -> str:
    return "fp64" if parameters.flat.dtype == torch.float64 else "fp32"


def _stored(parameters: Parameters, kind: str) -> dict[str, Any]:
    """All numbers in one text, and where in it each group of them is: layer, name, rows, columns.

    Groups are those of Parameters.layers, and the output layer's.
    """
    groups = [
        (layer, name, tensor)
        for layer, packed in enumerate(parameters.layers)
        for name, tensor in packed.items()
    ]
    top = len(parameters.layers)
    groups += [(top, "W_hq", parameters.W_hq), (top, "b_q", parameters.b_q)]
    numbers = torch.cat([tensor[0].flatten() for _, _, tensor in groups]).cpu().to(TYPES[kind])
    is_finite = bool(numbers.isfinite().all())
    require(is_finite, f"--weights {kind}", "a weight is too large for it; leave it away")
    require(
        numbers.nbytes <= MOST,
        f"a page with {numbers.nbytes >> 20} MiB of weights",
        f"a browser reads at most {MOST >> 20} MiB; try --weights fp16, or --to torch",
    )
    raw = numbers.numpy().astype(numbers.numpy().dtype.newbyteorder("<")).tobytes()
    return {
        "weights": base64.b64encode(raw).decode(),
        "groups": [(layer, name, *tensor.shape[1:]) for layer, name, tensor in groups],
    }


def _described(checkpoint: Checkpoint) -> str:
    model, dataset = checkpoint.model, checkpoint.config.get("dataset")
    name = dataset.get("name") if isinstance(dataset, dict) else None
    form = model.cell.form.replace("_", " ")
    layers = "1 layer" if model.num_layers == 1 else f"{model.num_layers} layers"
    tokens = "words" if checkpoint.vocabulary.kind == Token.word else "characters"
    return (
        f"{form}: {layers} of {model.num_hiddens:,} hidden units, {model.num_parameters:,} "
        f"parameters, {model.vocab_size:,} {tokens}; {checkpoint.epoch:,} epochs on {name or '?'}"
    )
