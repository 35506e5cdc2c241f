"""The typed schema of an experiment: every knob, its type, its meaning, its allowed values.

conf/*.yaml sets the values; this file, and the choices where they are defined, say what a value may
be. Nothing here imports torch, Hydra or OmegaConf, so a mistake is answered before anything slow
begins. A choice is the thing itself: config.sampler is what draws the minibatches.
"""

from __future__ import annotations

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import rnnlab.data.sources
import rnnlab.nn.cells
import rnnlab.training.precision  # noqa: F401  (these register the choices that come with rnnlab)
from rnnlab._common.choices import Knobs, knob, registered
from rnnlab._common.errors import not_allowed, require
from rnnlab.data.source import Source, absolute
from rnnlab.instruments import LEVELS, NAMES, OFF, checked
from rnnlab.nn.engines import ENGINES
from rnnlab.nn.spec import Cell
from rnnlab.training.clips import Clip
from rnnlab.training.rules import OptimizerChoice
from rnnlab.training.samplers import Sampler
from rnnlab.training.schedules import Schedule

AUTO = "auto"
GROUPS = {"dataset": Source, "sampler": Sampler, "model": Cell} | {
    "optimizer": OptimizerChoice,
    "clip": Clip,
    "schedule": Schedule,
}  # of choices that every job has


@dataclass(frozen=True, kw_only=True)
class LogSettings(Knobs):
    group = "log"

    every: int = knob("epochs between two lines of metrics.jsonl", at_least=1)
    every_minibatches: int | None = knob(
        "minibatches between two lines of minibatches.jsonl; null: no such lines",
        default=None,
        at_least=1,
    )
    val_every: int = knob("epochs between two passes over held-out text", at_least=1)
    sample_every: int = knob("epochs between two samples; 0: at the end only", at_least=0)
    inspect_every: int | None = knob(
        "epochs between two looks of the instruments; null: as many as have 750 minibatches",
        default=None,
        at_least=1,
    )
    sample_length: int = knob("tokens in a sample, after its prefix", at_least=1, at_most=1_000_000)


@dataclass(frozen=True, kw_only=True)
class EvalSettings(Knobs):
    """Configs of older versions have none of it, and evaluate held-out text alone."""

    group = "eval"

    lengths: tuple[int, ...] = knob(
        "at the end also on strings of these lengths: lags of dataset=copy, bits of parity, "
        "brackets of dyck; else held-out text in pieces of so many tokens",
        default=(),
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "lengths", tuple(self.lengths))
        super().__post_init__()
        numbers = all(type(length) is int and length >= 1 for length in self.lengths)
        rule = "it is a list of whole numbers >= 1"
        require(numbers, f"eval.lengths={list(self.lengths)}", rule)


@dataclass(frozen=True, kw_only=True)
class CheckpointSettings(Knobs):
    group = "checkpoint"

    every: int = knob("epochs between two checkpoints; 0: not by epochs", at_least=0)
    seconds: float = knob("seconds between two checkpoints; 0: not by time", at_least=0)


@dataclass(frozen=True, kw_only=True)
class StopSettings(Knobs):
    """Configs of older versions have none of it, and never stop."""

    group = "stop"

    patience: int | None = knob(
        "passes over held-out text, or epochs where none is held out, without a better perplexity, "
        "after which the run ends; null: no such end",
        default=None,
        at_least=1,
    )
    min_delta: float = knob("what is better is lower by more than this", default=0.0, at_least=0)
    below: float | None = knob(
        "perplexity of held-out text, or of training where none is held out, below which the run "
        "ends; null: no such end",
        default=None,
        above=1,
        instead="no perplexity is below 1",
    )


@dataclass(frozen=True, kw_only=True)
class Config(Knobs):
    """One experiment: the textbook's scalars by their names, and a choice for each group."""

    dataset: Source
    sampler: Sampler
    model: Cell
    optimizer: OptimizerChoice
    clip: Clip
    schedule: Schedule = dataclasses.field(default_factory=Schedule)

    lr: float = knob("learning rate", at_least=0)
    theta: float = knob(
        "clipping radius (clip=norm) or bound (clip=value)",
        above=0,
        instead="clip=none trains without clipping",
    )
    num_hiddens: int = knob("hidden units of a layer", at_least=1)
    num_layers: int = knob("recurrent layers", at_least=1, at_most=1000)
    batch_size: int = knob("subsequences in a minibatch", at_least=1)
    num_steps: int = knob("time steps of a minibatch, the reach of truncated BPTT", at_least=1)
    num_epochs: int = knob("passes over the text", at_least=1)
    seed: int = knob("of initial weights, minibatches and dropout", at_least=0)
    init_from: str | None = knob(
        "the folder of a run: its last parameters are where this one starts", default=None
    )
    init_sha256: str | None = knob(
        "SHA-256 of what init_from has; null: noted when the run begins", default=None
    )

    device: str = knob("what it runs on: auto (a GPU where there is one), cpu, cuda or cuda:N")
    engine: str = knob("how gradients are computed; auto: the fastest", one_of=(AUTO, "@engine"))
    precision: str = knob("of products and parameters", one_of=("@precision",))

    max_minibatches: int | None = knob("an epoch stops after so many; null: never", at_least=1)
    repeat_first_epoch: bool = knob("draw the first epoch's minibatches again in every epoch")

    tags: tuple[str, ...] = knob("words to find the run by, no part of the experiment", default=())
    note: str = knob("what you want to remember of it, no part of the experiment", default="")

    instruments: Any = knob(
        f"{', '.join(LEVELS)}, or a list of {', '.join(NAMES)}; no part of the experiment",
        default=OFF,
    )

    log: LogSettings
    eval: EvalSettings = dataclasses.field(default_factory=EvalSettings)
    checkpoint: CheckpointSettings
    stop: StopSettings = dataclasses.field(default_factory=StopSettings)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", tuple(self.tags))
        texts = all(isinstance(tag, str) for tag in self.tags)
        require(texts, f"tags={list(self.tags)}", "it is a list of texts")
        object.__setattr__(self, "instruments", checked(self.instruments))
        super().__post_init__()
        is_device = re.fullmatch(r"auto|cpu|cuda(:[0-9]{1,2})?", self.device) is not None
        require(is_device, f"device={self.device}", "device is auto, cpu, cuda or cuda:N")
        require(
            not self.model.dropout or self.num_layers > 1,
            f"model.dropout={self.model.dropout:g} with num_layers=1",
            "dropout acts between layers; add num_layers=2",
        )
        if self.engine != AUTO and (refusal := ENGINES[self.engine].refuses(self.model)):
            form = f"model={self.model.name}"
            raise not_allowed(f"engine={self.engine} with {form}", refusal)

    def placed(self, home: Path) -> Config:
        """With paths that are seen from everywhere, where they were seen from this folder."""
        init_from = self.init_from and absolute(self.init_from, home)
        return dataclasses.replace(self, dataset=self.dataset.placed(home), init_from=init_from)

    def as_dict(self) -> dict[str, Any]:
        """The resolved values as JSON's own types."""
        return json.loads(json.dumps(dataclasses.asdict(self)))


def nodes() -> dict[str, type]:
    """The typed nodes that conf/*.yaml names in its defaults lists, by their paths there."""
    choices = {
        f"schema/{group}/{name}": cls for group in GROUPS for name, cls in registered(group).items()
    }
    return {"schema/config": Config} | choices
