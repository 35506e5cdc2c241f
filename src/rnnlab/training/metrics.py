"""Exact figures of an epoch: sums over tokens and updates, divided once at the end.

Shapes: K lanes.

A figure is one call of `define`: what each minibatch adds to sums, and what the figure is of them.
It is then in metrics.jsonl, in TensorBoard under its tag, and in what a run's trackers are given.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

Numbers = Tensor | np.ndarray  # (K,)


@dataclass(frozen=True)
class Minibatch:
    """What all lanes did in one step, in fp64; lanes that made no update have no meaning here."""

    loss: Numbers  # mean nats a token
    tokens: int  # of a lane
    norm: Numbers  # of the gradient, before clipping
    clipped: Numbers  # 1 where it was


Term = Callable[[Minibatch], Any]  # Numbers, or one number for all lanes


@dataclass(frozen=True)
class Figure:
    """One figure of an epoch, from its sums, its `seconds`, and `lr` where that is scheduled."""

    of: Callable[[Mapping[str, float]], int | float | None]  # None: a lane that has no such one
    tag: str | None  # in TensorBoard, which shows them by the alphabet; None: not there
    meaning: str = ""


TERMS: dict[str, Term] = {}
FIGURES: dict[str, Figure] = {}


def define(
    name: str,
    of: Callable[[Mapping[str, float]], int | float | None],
    tag: str | None = None,
    meaning: str = "",
    **terms: Term,
) -> None:
    """Make a figure known; `terms` are sums of its own, by their names."""
    FIGURES[name] = Figure(of, tag, meaning)
    TERMS.update(terms)


def perplexity(nats: float, tokens: int | float) -> float:
    """exp(sum of nats / number of tokens); never a mean over minibatches of their perplexities."""
    try:
        return math.exp(nats / tokens)
    except OverflowError:
        return math.inf


define(
    "loss",
    lambda sums: sums["nats"] / sums["tokens"],
    tag="training/loss",
    meaning="nats a token, the mean over the epoch's minibatches as they were trained on",
    nats=lambda step: step.loss * step.tokens,
    tokens=lambda step: step.tokens,
    updates=lambda _: 1,
)
define(
    "perplexity",
    lambda sums: perplexity(sums["nats"], sums["tokens"]),
    tag="perplexity/train",
    meaning="exp(loss)",
)
define("tokens", lambda sums: int(sums["tokens"]), meaning="that were trained on")
define("updates", lambda sums: int(sums["updates"]), meaning="minibatches")
define("seconds", lambda sums: sums["seconds"], meaning="of training, without logging and samples")
define(
    "gradient_norm",
    lambda sums: sums["norm"] / sums["updates"],
    tag="training/gradient_norm",
    meaning="the mean over updates, before clipping",
    norm=lambda step: step.norm,
)
define(
    "clipped_fraction",
    lambda sums: sums["clipped"] / sums["updates"],
    tag="training/clipped_fraction",
    meaning="of the updates: 0 is none, 1 all",
    clipped=lambda step: step.clipped,
)
define(
    "bits_per_token",
    lambda sums: sums["nats"] / sums["tokens"] / math.log(2),
    tag="training/bits_per_token",
    meaning="loss / ln 2",
)
define(
    "tokens_per_second",
    lambda sums: sums["tokens"] / sums["seconds"],
    tag="speed/tokens_per_second",
    meaning="while training; of a job in a stack its own share",
)
define(
    "lr",
    lambda sums: sums.get("lr"),
    tag="training/lr",
    meaning="that was used; where a schedule changes it",
)


@dataclass(frozen=True)
class Epoch:
    """What one lane did in one epoch."""

    epoch: int  # the first is 1
    figures: dict[str, int | float]

    def __getitem__(self, name: str) -> int | float:
        return self.figures[name]

    @classmethod
    def of(
        cls, sums: Mapping[str, float], epoch: int, seconds: float, lr: float | None = None
    ) -> Epoch | None:
        """None for a lane that made no update; `lr` of one whose schedule is not constant."""
        if not sums["updates"]:
            return None
        given = {**sums, "seconds": seconds} | ({} if lr is None else {"lr": lr})
        found = {name: figure.of(given) for name, figure in FIGURES.items()}
        return cls(epoch, {name: value for name, value in found.items() if value is not None})


class Sums:
    """The terms of all lanes, summed over an epoch in fp64; on the device until it has ended."""

    def __init__(self, K: int, device: torch.device) -> None:
        self.terms = dict(TERMS)
        self.values = torch.zeros(len(self.terms), K, dtype=torch.float64, device=device)

    def add(self, active: Numbers, minibatch: Minibatch) -> None:
        """One minibatch; lanes that are not active add nothing, not even a NaN."""
        terms = [term(minibatch) for term in self.terms.values()]
        if isinstance(active, Tensor):
            for own, term in zip(self.values, terms, strict=True):
                own += torch.where(active, term, 0)
        else:
            where: Any = True if active.all() else active  # numpy is twice as fast without a mask
            for own, term in zip(self.values.numpy(), terms, strict=True):
                np.add(own, term, out=own, where=where)

    def read(self) -> list[dict[str, float]]:
        """Each lane's sums by their names."""
        return [dict(zip(self.terms, lane, strict=True)) for lane in self.values.T.tolist()]

    def clear(self) -> None:
        self.values.zero_()
