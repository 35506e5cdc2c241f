"""A trained model in one safetensors file: parameters, and what they mean in its metadata."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from rnnlab.config import ConfigError
from rnnlab.corpus import Vocabulary
from rnnlab.files import write_atomically
from rnnlab.model import Model, Parameters

FORMAT = "rnnlab-1"


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """One lane's model after `epoch` whole epochs (and, when interrupted, some minibatches)."""

    model: Model
    vocabulary: Vocabulary
    parameters: Parameters  # of one lane: (1, ., .)
    epoch: int
    config: dict[str, Any]
    config_id: str


def save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write the file whole or not at all."""
    described = {
        "format": FORMAT,
        "model": dataclasses.asdict(checkpoint.model),
        "vocabulary": dataclasses.asdict(checkpoint.vocabulary),
        "epoch": checkpoint.epoch,
        "config": checkpoint.config,
        "config_id": checkpoint.config_id,
    }
    tensors = {name: value.detach().contiguous() for name, value in checkpoint.parameters.items()}
    write_atomically(path, save(tensors, {"rnnlab": json.dumps(described)}))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a file that save_checkpoint wrote; raises ConfigError for anything else."""
    if not path.is_file():
        raise ConfigError(f"{path} is not there: is {path.parent.parent} the folder of a run?")
    try:
        with safe_open(path, framework="pt") as file:
            described = json.loads((file.metadata() or {})["rnnlab"])
            parameters = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if described["format"] != FORMAT:
            raise ValueError(f"its format is {described['format']}, not {FORMAT}")
        vocabulary, model = described["vocabulary"], Model(**described["model"])
        if model.shapes() != {name: tuple(p.shape[1:]) for name, p in parameters.items()}:
            raise ValueError("its tensors are not those of its model")
        if model.vocab_size != len(vocabulary["tokens"]):
            raise ValueError("its vocabulary is not as long as its model's")
        return Checkpoint(
            model=model,
            vocabulary=Vocabulary(tuple(vocabulary["tokens"]), vocabulary["kind"]),
            parameters=model.gather(parameters),
            epoch=described["epoch"],
            config=described["config"],
            config_id=described["config_id"],
        )
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ConfigError(
            f"{path} is not a checkpoint of rnnlab, or is damaged: {error}."
        ) from error
