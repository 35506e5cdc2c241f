"""A run in one safetensors file: its model, and with `training` all that continues it exactly.

The tensors are the parameters under their names, and under `training.` the rest of what the next
step depends on. The metadata say what they mean and hold a checksum of everything. No random
state is there: streams are addressed by seed, epoch and minibatch (seeding.py).
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from rnnlab._common.choices import knob
from rnnlab._common.errors import ConfigError, said
from rnnlab._common.files import opened, write_whole
from rnnlab._common.typed import loads, read_as
from rnnlab.data.corpus import Vocabulary
from rnnlab.data.source import Clean, Token
from rnnlab.nn.cells import CELLS
from rnnlab.nn.model import Model, Parameters
from rnnlab.runs.result import Result
from rnnlab.runs.stopping import Waiting
from rnnlab.runs.surroundings import require_memory

BEFORE, FORMAT = "rnnlab-2", "rnnlab-3"
TRAINING = "training."  # what the names of tensors begin with that are no parameters
PARAMETERS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
UNREADABLE = (OSError, SafetensorError, KeyError, TypeError, ValueError, AttributeError)
UNREADABLE += (RuntimeError, MemoryError)


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What result.json says of the epochs so far."""

    epochs: int = knob("completed", at_least=0)
    tokens: int = knob("trained on", at_least=0)
    perplexity: float | None
    best_perplexity: float | None
    val_perplexity: float | None
    samples: dict[str, str]

    @classmethod
    def of(cls, result: Result) -> Figures:
        return cls(**{f.name: getattr(result, f.name) for f in fields(cls)})


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a run has come, besides whole epochs."""

    minibatch: int = knob("minibatches done in the epoch under way", at_least=0)
    seconds_in_epoch: float = knob("of training in the epoch under way", at_least=0)
    seconds: float = knob("of training in all", at_least=0)
    lengths: dict[str, int]  # of the logs, in bytes
    figures: Figures
    waiting: Waiting = field(default_factory=Waiting)  # for a better figure; older files have none


@dataclass(frozen=True, kw_only=True)
class Description:
    """What the tensors mean, as the file's metadata say it in JSON."""

    format: str = FORMAT
    model: Model
    vocabulary: Vocabulary
    epoch: int = knob("whole epochs completed", at_least=0)
    config: dict[str, Any]
    config_id: str
    versions: dict[str, str]
    progress: Progress | None

    def __post_init__(self) -> None:
        """Raises ValueError where the parts do not fit together."""
        model, tokens = self.model, self.vocabulary.tokens
        sizes = (model.vocab_size, model.num_hiddens, model.num_layers)
        if min(sizes) < 1:
            raise ValueError("its model is none that rnnlab has")
        if self.vocabulary.kind not in list(Token):
            raise ValueError("its vocabulary is of no kind that rnnlab has")
        if not len(tokens) == len(set(tokens)) == model.vocab_size:
            raise ValueError("its vocabulary is not as long as its model's")
        if self.progress and self.progress.figures.epochs != self.epoch:
            raise ValueError("it is after another epoch than its figures")


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
    def clean(self) -> Clean:
        """How its text was cleaned, and prompts are."""
        dataset = self.config.get("dataset")
        said = dataset.get("clean") if isinstance(dataset, dict) else None
        return Clean.letters if said == Clean.letters else Clean.none

    @property
    def position(self) -> tuple[int, int]:
        """Epochs, and minibatches of the next one."""
        return self.epoch, self.progress.minibatch if self.progress else 0


def save_checkpoint(folder: Path, name: str, checkpoint: Checkpoint) -> None:
    """Write LAST, NEXT or BEST of a run's folder, whole or not at all."""
    described = Description(**_described(checkpoint))
    rest = {TRAINING + name: value for name, value in checkpoint.training.items()}
    tensors = {
        name: value.detach().cpu().contiguous()
        for name, value in [*checkpoint.parameters.items(), *rest.items()]
    }
    text = json.dumps(dataclasses.asdict(described))
    metadata = {"rnnlab": text, "sha256": checksum(text, tensors)}
    write_whole(folder, name, save(tensors, metadata))


def load_checkpoint(folder: Path, name: str) -> Checkpoint:
    """Read a file that save_checkpoint wrote; raises ConfigError for anything else.

    Nothing in the file is executed, and no memory is taken beyond its size, nor for a model that
    its description does not have.
    """
    with _reading(folder, name) as file:
        metadata = file.metadata() or {}
        described = _description(metadata["rnnlab"])
        names = list(file.keys())
        _require_shapes(described.model, {n: file.get_slice(n).get_shape() for n in names})
        tensors = {name: file.get_tensor(name).clone() for name in names}
        if metadata["sha256"] != checksum(metadata["rnnlab"], tensors):
            raise ValueError("its checksum is not that of its content")
        return _understood(described, tensors)


def read_tensors(folder: Path, name: str) -> dict[str, Tensor]:
    """All that are in it, whatever they mean; raises ConfigError as load_checkpoint does."""
    with _reading(folder, name) as file:
        names = list(file.keys())
        return {name: file.get_tensor(name).clone() for name in names}


@contextmanager
def _reading(folder: Path, name: str) -> Iterator[Any]:
    """Its tensors are the file's own memory: what is kept of them is copied.

    A file that is mapped into memory cannot be replaced on Windows.
    """
    path = folder / name
    try:
        with opened(folder, name) as file:
            require_memory(os.fstat(file.fileno()).st_size)
        with safe_open(path, framework="pt") as tensors:
            yield tensors
    except FileNotFoundError:
        raise ConfigError(f"{path} is not there: is {folder} the folder of a run?") from None
    except UNREADABLE as error:
        raise ConfigError(
            f"{path} is not a checkpoint of rnnlab, or is damaged: {said(error)}."
        ) from error


def _description(text: str) -> Description:
    """Raises ValueError, TypeError or KeyError where it is none."""
    values = loads(text)
    if values["format"] == BEFORE:
        values = _brought_up(values)
    if values["format"] != FORMAT:
        raise ValueError(f"its format is {values['format']}, not {FORMAT}")
    return read_as(Description, values)


def _require_shapes(model: Model, shapes: dict[str, list[int]]) -> None:
    """Raises ValueError where the parameters are not one lane of the model's."""
    own = {n: tuple(shape) for n, shape in shapes.items() if not n.startswith(TRAINING)}
    layers_fit = model.num_layers <= len(own)  # before as many shapes are made
    if not layers_fit or own != {n: (1, *shape) for n, shape in model.shapes().items()}:
        raise ValueError("its tensors are not those of its model")


def _understood(described: Description, tensors: dict[str, Tensor]) -> Checkpoint:
    """Raises ValueError where the parameters are no finite numbers."""
    named = {name: value for name, value in tensors.items() if not name.startswith(TRAINING)}
    if not all(value.dtype in PARAMETERS and value.isfinite().all() for value in named.values()):
        raise ValueError("its parameters are not finite numbers")
    return Checkpoint(
        parameters=described.model.gather(named),
        training={
            name.removeprefix(TRAINING): value
            for name, value in tensors.items()
            if name.startswith(TRAINING)
        },
        **_described(described),
    )


def _described(by: Description | Checkpoint) -> dict[str, Any]:
    """What a file's description and a checkpoint have in common."""
    return {f.name: getattr(by, f.name) for f in fields(Description) if f.name != "format"}


def _brought_up(described: dict[str, Any]) -> dict[str, Any]:
    """rnnlab-2 had a cell's form, dropout and init_std beside a model's sizes."""
    sizes = dict(described["model"])
    knobs = {name: sizes.pop(name) for name in ("dropout", "init_std")}
    cell = dataclasses.asdict(CELLS[sizes.pop("cell_name")]) | knobs
    return described | {"format": FORMAT, "model": {"cell": cell, **sizes}}


def checksum(text: str, tensors: dict[str, Tensor]) -> str:
    """SHA-256 of the description, and of every tensor's name, type, shape and bytes."""
    digest = hashlib.sha256(text.encode())
    for name in sorted(tensors):
        value = tensors[name]
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.contiguous().view(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
