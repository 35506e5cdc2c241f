"""What is said of a run in its folder, from before it takes memory until whatever ends it.

A Run (run.py) is what fills it in between, while there is a lane that trains.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from logging import Logger
from pathlib import Path
from typing import Any

import torch

from rnnlab._common.console import complain
from rnnlab._common.files import make_folder, write_whole
from rnnlab.config.identity import config_id
from rnnlab.config.schema import Config
from rnnlab.data.corpus import Corpus
from rnnlab.nn.model import Parameters
from rnnlab.nn.own_cell import OwnCell
from rnnlab.runs import surroundings
from rnnlab.runs.build import build_model, build_recipe
from rnnlab.runs.folder import CELL, CHECKPOINTS
from rnnlab.runs.log import logger_of
from rnnlab.runs.needs import notes_on_engine
from rnnlab.runs.ownership import LostError, Owner
from rnnlab.runs.result import Result, Status
from rnnlab.runs.start import Start
from rnnlab.training.loop import Recipe


@dataclass(eq=False)
class Record:
    """A run's result.json and run.log, and the job that they are of."""

    config: Config
    corpus: Corpus
    folder: Path
    recipe: Recipe  # the same for all runs of its stack
    result: Result
    owner: Owner = field(init=False)
    log: Logger = field(init=False)
    seconds_before: float = field(init=False)  # of wall time, before the run was continued
    began: float = field(init=False)
    written: Status | None = field(init=False, default=None)  # what result.json says

    def __post_init__(self) -> None:
        self.owner = Owner(self.folder)
        make_folder(self.folder / CHECKPOINTS)
        if isinstance(self.config.model, OwnCell):
            write_whole(self.folder, CELL, self.config.model.source.encode())
        self.log = logger_of(self.folder)
        self.seconds_before = self.result.wall_seconds or 0.0
        self.began = time.perf_counter()

    @classmethod
    def begun(
        cls, config: Config, corpus: Corpus, folder: Path, device: torch.device, **more: Any
    ) -> Record:
        """Of a run that has done nothing yet; `more` are fields of its result."""
        surroundings.stay_within_cores()
        recipe = build_recipe(config, build_model(config, len(corpus.vocabulary)), device)
        first: dict[str, Any] = {
            "began": surroundings.moment(),
            "command": surroundings.typed_command(),
        }
        result = Result(
            process=os.getpid(),
            device=surroundings.device_name(device),
            engine=recipe.engine.name,
            precision=config.precision,
            seed=config.seed,
            dataset={
                "name": corpus.name,
                "sha256": corpus.sha256,
                "num_tokens": len(corpus.train),
                "vocab_size": len(corpus.vocabulary),
                "entropy_floor_perplexity": floor_of(config),
                "source_nats": corpus.source_nats,
            },
            config=config.as_dict(),
            config_id=config_id(config, corpus.sha256),
            versions=surroundings.versions(),
            git=surroundings.git_state(),
            host=surroundings.host(device),
            **(first | more),
        )
        return cls(config, corpus, folder, recipe, result)

    @property
    def description(self) -> str:
        """Two lines for a person, and more of an engine or a start that is not the usual one."""
        config, V = self.config, len(self.corpus.vocabulary)
        floor = f", floor {self.result.floor:.4g}" if self.result.floor else ""
        lines = (
            f"{config.model.name} {config.num_hiddens}x{config.num_layers} "
            f"on {config.dataset.name} ({len(self.corpus.train):,} tokens, {V} in the vocabulary"
            f"{floor})\n"
            f"{', '.join(self._training())}"
        )
        notes = (*notes_on_engine(config, self.recipe.device.type), self.result.init_from)
        return "\n".join([lines, *filter(None, notes)])

    def _training(self) -> Iterator[str]:
        config, clip = self.config, self.config.clip
        yield f"{config.sampler.name} sampling"
        yield f"{config.optimizer.title} lr {config.lr:g}"
        if config.schedule.title:
            yield config.schedule.title
        is_clipped = f"clipping by {clip.name}, theta {config.theta:g}"
        yield is_clipped if clip.uses_theta else "no clipping"

    def start(self, own: Parameters) -> None:
        """Put what the run starts from into its lane; raises ConfigError where it is not there."""
        if start := Start.of(self.config):
            start.fill(own, self.corpus.vocabulary)
            self.result.init_from = start.said(self.corpus.vocabulary)
            self.write()

    @property
    def is_alone(self) -> bool:
        """No other run trains with it."""
        return sum(name != "" for name in self.result.stack) == 1

    @property
    def has_ended(self) -> bool:
        return self.result.status != Status.running

    def write(self) -> None:
        """Raises LostError, as all that is written in the folder, once it is another's."""
        self.owner.require()
        self.owner.sign(self.result)
        self.result.ended = surroundings.moment() if self.has_ended else None
        self.result.wall_seconds = self.seconds_before + time.perf_counter() - self.began
        self.result.write(self.folder)
        self.owner.wrote()
        self.written = self.result.status

    def give_up(self, error: LostError) -> None:
        """The folder is another's: nothing is written there any more."""
        self.result.status, self.result.error = Status.interrupted, str(error)
        complain(f"{error}.")

    def ends_early(self, status: Status, error: str) -> None:
        """Said while the exception is handled, whose trace goes to run.log."""
        self.result.status, self.result.error = status, error
        self.log.exception("the run ended early")

    def close(self) -> None:
        """Nobody trains it any more; raises OSError where that cannot be written."""
        expected = (OSError,) if self.result.status == Status.failed else ()  # perhaps that is why
        try:
            with contextlib.suppress(*expected, LostError):
                if self.written != self.result.status and not self.owner.is_lost:
                    self.write()
        finally:
            for handler in self.log.handlers:
                handler.close()


def floor_of(config: Config) -> float | None:
    """The perplexity of whoever knows the text's source, in the mean over a text without end."""
    rate = config.dataset.entropy_rate()
    return None if rate is None else math.exp(rate)
