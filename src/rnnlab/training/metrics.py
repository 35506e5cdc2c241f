"""Exact figures of an epoch: sums over tokens and updates, divided once at the end.

Shapes: K lanes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnlab._common.shapes import Bool, Float


def perplexity(nats: float, tokens: int) -> float:
    """exp(sum of nats / number of tokens); never a mean over minibatches of their perplexities."""
    try:
        return math.exp(nats / tokens)
    except OverflowError:
        return math.inf


@dataclass(frozen=True)
class LaneSums:
    """One lane's sums over the minibatches of an epoch."""

    nats: float
    tokens: int
    updates: int
    gradient_norm: float
    clipped: int  # updates whose gradient was clipped

    def figures(self, epoch: int, seconds: float) -> Epoch | None:
        """The sums divided; None for a lane that made no update."""
        if not self.updates:
            return None
        return Epoch(
            epoch=epoch,
            loss=self.nats / self.tokens,
            perplexity=perplexity(self.nats, self.tokens),
            tokens=self.tokens,
            updates=self.updates,
            seconds=seconds,
            gradient_norm=self.gradient_norm / self.updates,
            clipped_fraction=self.clipped / self.updates,
        )


class Sums:
    """LaneSums of all lanes, (5, K) in fp64; on the device until the epoch has ended."""

    def __init__(self, K: int, device: torch.device) -> None:
        self.values = torch.zeros(5, K, dtype=torch.float64, device=device)

    def add(
        self,
        active: Bool[Tensor, " K"],
        loss: Float[Tensor, " K"],
        tokens: int,
        norm: Float[Tensor, " K"],
        clipped: Bool[Tensor, " K"],
    ) -> None:
        """One minibatch; lanes that are not active add nothing, not even a NaN."""
        one = torch.ones_like(self.values[0])
        row = torch.stack(
            [loss.double() * tokens, one * tokens, one, norm.double(), clipped.double()]
        )
        self.values += torch.where(active, row, 0)

    def read(self) -> list[LaneSums]:
        return [
            LaneSums(nats, int(tokens), int(updates), norm, int(clipped))
            for nats, tokens, updates, norm, clipped in self.values.T.tolist()
        ]

    def clear(self) -> None:
        self.values.zero_()


@dataclass(frozen=True, kw_only=True)
class Epoch:
    """What one lane did in one epoch."""

    epoch: int  # the first is 1
    loss: float  # nats a token
    perplexity: float
    tokens: int
    updates: int
    seconds: float
    gradient_norm: float  # mean over updates, before clipping
    clipped_fraction: float

    @property
    def tokens_per_second(self) -> float:
        return self.tokens / self.seconds

    @property
    def bits_per_token(self) -> float:
        return self.loss / math.log(2)
