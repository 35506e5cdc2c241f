"""A run in one safetensors file: its model, and with `training` all that continues it exactly.

The tensors are the parameters under their names, and under `training.` the rest of what the next
step depends on. The metadata say what they mean and hold a checksum of everything. No random
state is there: streams are addressed by seed, epoch and minibatch (seeding.py).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rnnlab._common.errors import ConfigError
from rnnlab._common.files import write_atomically
from rnnlab._common.typed import construct
from rnnlab.data.corpus import Vocabulary
from rnnlab.data.source import Token
from rnnlab.nn.cells import CELLS
from rnnlab.nn.model import Model, Parameters

FORMAT = "rnnlab-2"
TRAINING = "training."


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come, besides whole epochs."""

    minibatch: int  # done in the epoch under way
    seconds_in_epoch: float
    seconds: float  # of training in all
    lengths: dict[str, int]  # of the logs, in bytes
    figures: dict[str, Any]  # of result.json


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One lane after `epoch` whole epochs (and, in the middle of one, some minibatches)."""

    model: Model
    vocabulary: Vocabulary
    parameters: Parameters  # of one lane: (1, ., .)
    epoch: int
    config: dict[str, Any]
    config_id: str
    versions: dict[str, str] = field(default_factory=dict)
    training: dict[str, Tensor] = field(default_factory=dict)  # Training.snapshot, or empty
    progress: Progress | None = None  # None: for generating, not for continuing

    @property
    def position(self) -> tuple[int, int]:
        """Epochs, and minibatches of the next one."""
        return self.epoch, self.progress.minibatch if self.progress else 0


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file whole or not at all."""
    described = {
        "format": FORMAT,
        "model": dataclasses.asdict(checkpoint.model),
        "vocabulary": dataclasses.asdict(checkpoint.vocabulary),
        **{
            name: getattr(checkpoint, name) for name in ("epoch", "config", "config_id", "versions")
        },
        "progress": checkpoint.progress and dataclasses.asdict(checkpoint.progress),
    }
    rest = {TRAINING + name: value for name, value in checkpoint.training.items()}
    tensors = {
        name: value.detach().cpu().contiguous()
        for name, value in [*checkpoint.parameters.items(), *rest.items()]
    }
    text = json.dumps(described)
    metadata = {"rnnlab": text, "sha256": _checksum(text, tensors)}
    write_atomically(path, save(tensors, metadata))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a file that save_checkpoint wrote; raises ConfigError for anything else.

    Nothing in the file is executed, and no memory is taken beyond its size.
    """
    if not path.is_file():
        raise ConfigError(f"{path} is not there: is {path.parent.parent} the folder of a run?")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            text = metadata["rnnlab"]
            described = json.loads(text)
            if described["format"] != FORMAT:
                raise ValueError(f"its format is {described['format']}, not {FORMAT}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata["sha256"] != _checksum(text, tensors):
            raise ValueError("its checksum is not that of its content")
        return _understood(described, tensors)
    except (
        OSError,
        SafetensorError,
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
        RecursionError,
    ) as error:
        said = str(error) or type(error).__name__
        raise ConfigError(
            f"{path} is not a checkpoint of rnnlab, or is damaged: {said}."
        ) from error


def _understood(described: dict[str, Any], tensors: dict[str, Tensor]) -> Checkpoint:
    """Raises ValueError, KeyError or TypeError where the parts do not fit together."""
    model = _model(described["model"])
    vocabulary = _vocabulary(described["vocabulary"], model.vocab_size)
    named = {name: value for name, value in tensors.items() if not name.startswith(TRAINING)}
    if model.shapes() != {name: tuple(value.shape[1:]) for name, value in named.items()}:
        raise ValueError("its tensors are not those of its model")
    if not all(len(value) == 1 and value.is_floating_point() for value in named.values()):
        raise ValueError("its tensors are not one lane of numbers")
    if not all(value.isfinite().all() for value in named.values()):
        raise ValueError("its parameters are not finite")
    kinds = {"epoch": int, "config": dict, "config_id": str, "versions": dict}
    for name, kind in kinds.items():
        if type(described[name]) is not kind:
            raise TypeError(f"its {name} is not of the type {kind.__name__}")
    return Checkpoint(
        model=model,
        vocabulary=vocabulary,
        parameters=model.gather(named),
        training={
            name.removeprefix(TRAINING): value
            for name, value in tensors.items()
            if name.startswith(TRAINING)
        },
        progress=_progress(described["progress"]),
        **{name: described[name] for name in kinds},
    )


def _model(values: dict[str, Any]) -> Model:
    """rnnlab-2, as first written, had a cell's form, dropout and init_std beside the sizes."""
    if "cell_name" in values:
        knobs = {name: values[name] for name in ("dropout", "init_std")}
        sizes = {name: value for name, value in values.items() if name not in knobs}
        cell = CELLS.get(sizes.pop("cell_name"))
        if cell is None:
            raise ValueError("its model is none that rnnlab has")
        values = {"cell": dataclasses.asdict(replace(cell, **knobs)), **sizes}
    model = construct(Model, values, "its model")
    if min(model.vocab_size, model.num_hiddens, model.num_layers) < 1:
        raise ValueError("its model is none that rnnlab has")
    return model


def _vocabulary(values: dict[str, Any], size: int) -> Vocabulary:
    tokens, kind = values["tokens"], values["kind"]
    if not all(type(token) is str for token in tokens) or kind not in list(Token):
        raise TypeError("its vocabulary is not a list of texts")
    if not len(tokens) == len(set(tokens)) == size:
        raise ValueError("its vocabulary is not as long as its model's")
    return Vocabulary(tuple(tokens), kind)


def _progress(values: dict[str, Any] | None) -> Progress | None:
    if values is None:
        return None
    progress = Progress(**values)
    seconds = (progress.seconds, progress.seconds_in_epoch)
    if type(progress.minibatch) is not int or not all(type(s) in (int, float) for s in seconds):
        raise TypeError("its position is not made of numbers")
    lengths = progress.lengths.items()
    if not all(type(length) is int for _, length in lengths) or type(progress.figures) is not dict:
        raise TypeError("its logs' lengths are not numbers, or its figures none")
    return progress


def _checksum(text: str, tensors: dict[str, Tensor]) -> str:
    """SHA-256 of the description, and of every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
