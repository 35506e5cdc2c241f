"""What is noted when a run begins; init_from=RUN, which starts from another run's parameters.

Which parameters these are is part of an experiment's identity: their SHA-256 is noted in its config
when the command is typed, and they are never taken with another one.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rnnlab._common.errors import require
from rnnlab.config.schema import Config
from rnnlab.data.corpus import Vocabulary
from rnnlab.data.source import path_of
from rnnlab.nn.spec import Cell
from rnnlab.runs.folder import LAST

if TYPE_CHECKING:
    from rnnlab.nn.model import Parameters
    from rnnlab.runs.checkpoint import Checkpoint

FREE = ("dropout", "init_std", "init", "forget_bias")  # of a cell: its parameters fit any of these
SHOWN = 10  # tokens


def pinned(config: Config) -> Config:
    """A config that was typed, with the epochs of its schedule and what it starts from.

    Raises ConfigError where that is no run, one of another model, or with another SHA-256.
    """
    schedule = config.schedule.pinned(config.num_epochs)
    if schedule != config.schedule:
        config = dataclasses.replace(config, schedule=schedule)
    if config.init_from is None:
        return config
    folder = path_of("init_from", config.init_from).absolute()
    require(folder.is_dir(), f"init_from={config.init_from}", "it is the folder of a run")
    config = dataclasses.replace(config, init_from=str(folder))
    if config.init_sha256 is None:
        return dataclasses.replace(config, init_sha256=Start.read(config).sha256)
    Start.of(config)
    return config


@dataclass(frozen=True)
class Start:
    """What a run starts from."""

    checkpoint: Checkpoint
    sha256: str  # of its parameters and vocabulary

    @classmethod
    def of(cls, config: Config) -> Start | None:
        """Of a config that is pinned; raises ConfigError where it is gone, or is another one."""
        if config.init_from is None:
            return None
        start = cls.read(config)
        rule = f"its parameters have SHA-256 {start.sha256} now, and not {config.init_sha256}"
        require(start.sha256 == config.init_sha256, f"init_from={config.init_from}", rule)
        return start

    @classmethod
    def read(cls, config: Config) -> Start:
        """Raises ConfigError where its model is not the config's."""
        from rnnlab.runs.checkpoint import checksum, load_checkpoint

        folder = path_of("init_from", str(config.init_from))
        checkpoint = load_checkpoint(folder, LAST)
        has, wanted = _of(checkpoint), _of(config)
        other = " ".join(word for word in has if word not in wanted)
        require(
            not other and checkpoint.vocabulary.kind == config.dataset.token,
            f"init_from={config.init_from}",
            f"its model is another one; type {other}"
            if other
            else f"its tokens are others; type dataset.token={checkpoint.vocabulary.kind}",
        )
        tensors = {name: each.contiguous() for name, each in checkpoint.parameters.items()}
        return cls(checkpoint, checksum(json.dumps(checkpoint.vocabulary.tokens), tensors))

    def said(self, vocabulary: Vocabulary) -> str:
        """What becomes of tokens on another text: init_from: 26 of 28 tokens known, 2 new: ..."""
        before = {*self.checkpoint.vocabulary.tokens}
        new = [token for token in vocabulary.tokens if token not in before]
        known = len(vocabulary) - len(new)
        share = f"{known} of {len(vocabulary)}" if new else f"all {known}"
        named = ", ".join(map(repr, new[:SHOWN])) + (", ..." if len(new) > SHOWN else "")
        news = f", {len(new)} new: {named}" if new else ""
        gone = f"; {len(before) - known} of its own gone" if len(before) > known else ""
        return f"init_from: {share} tokens known{news}{gone}"

    def fill(self, own: Parameters, vocabulary: Vocabulary) -> None:
        """Put the parameters into a lane's (1, ., .), those of a token where the token is now.

        New tokens keep what they have there.
        """
        import torch

        given = self.checkpoint.parameters
        before = {token: i for i, token in enumerate(self.checkpoint.vocabulary.tokens)}
        places = [(i, before[t]) for i, t in enumerate(vocabulary.tokens) if t in before]
        here, there = torch.tensor(places, device=own.flat.device).T
        cell = own.model.cell
        rows = set() if cell.tied else {f"0.{name}" for name in cell.input_weights()}
        for name, value in own.items():
            old = given[name].to(value)
            if name in rows:
                value[:, here] = old[:, there]
            elif name in ("W_hq", "b_q"):
                value[..., here] = old[..., there]
            else:
                value.copy_(old)


def _of(model: Config | Checkpoint) -> list[str]:
    """What has to agree, as it is typed."""
    if isinstance(model, Config):
        cell, sizes = model.model, model
    else:
        cell, sizes = model.model.cell, model.model
    names = ("num_hiddens", "num_layers")
    return [*_of_cell(cell), *(f"{name}={getattr(sizes, name)}" for name in names)]


def _of_cell(cell: Cell) -> list[str]:
    knobs: dict[str, Any] = dataclasses.asdict(cell)
    name = knobs.pop("name")
    return [f"model={name}", *(f"model.{k}={v}" for k, v in knobs.items() if k not in FREE)]
