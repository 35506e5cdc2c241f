"""When a run's instruments look, and what they see. Without instruments nothing is imported."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from rnnlab.config.schema import Config
from rnnlab.data.corpus import Corpus
from rnnlab.instruments import chosen
from rnnlab.runs.record import Record
from rnnlab.training.loop import Training

if TYPE_CHECKING:
    from rnnlab.instruments.instrument import Instrument
    from rnnlab.instruments.panel import Panel, Probe, Values

MINIBATCHES = 750  # between two looks, where nothing else is said: a light one costs some twelve


@dataclass(frozen=True, eq=False)
class Observer:
    """Of one run."""

    panel: Panel
    k: int  # its lane
    every: int  # epochs

    @property
    def instruments(self) -> Sequence[Instrument]:
        return self.panel.wanted[self.k]

    @property
    def text(self) -> list[int]:
        """The tokens that text instruments read."""
        return self.panel.probes[self.k].text.tolist()

    def is_due(self, epoch: int) -> bool:
        return epoch % self.every == 0

    def read(self, epoch: int) -> Values:
        return self.panel.read(self.k, epoch)


def observers(training: Training, places: Sequence[Record | None]) -> list[Observer | None]:
    """One for each record, None for those without instruments."""
    wanted = {k: chosen(p.config.instruments) for k, p in enumerate(places) if p}
    wanted = {k: own for k, own in wanted.items() if own}
    if not wanted:
        return [None for place in places if place]
    from rnnlab.instruments.panel import Panel

    probes = {k: probe(p.config, p.corpus) for k, p in enumerate(places) if p and k in wanted}
    panel = Panel(training.parameters, training.theta, training.recipe.clip, probes, wanted)
    return [
        Observer(panel, k, interval(place.config, place.corpus)) if k in wanted else None
        for k, place in enumerate(places)
        if place
    ]


def probe(config: Config, corpus: Corpus) -> Probe:
    """Held-out text where there is enough of it, else the text that is trained on."""
    from rnnlab.instruments.panel import Probe

    T = config.num_steps
    is_enough = len(corpus.held_out) > T
    tokens = corpus.held_out if is_enough else corpus.train
    return Probe.of(torch.from_numpy(np.asarray(tokens)), T)


def interval(config: Config, corpus: Corpus) -> int:
    """Epochs between two looks."""
    minibatches = len(corpus.train) // (config.batch_size * config.num_steps)
    M = min(max(1, minibatches), config.max_minibatches or minibatches)
    return config.log.inspect_every or math.ceil(MINIBATCHES / M)
