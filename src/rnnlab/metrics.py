"""Exact figures of an epoch: sums over tokens and updates, divided once at the end.

Shapes: K lanes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from rnnlab.shapes import Float


def perplexity(nats: float, tokens: int) -> float:
    """exp(sum of nats / number of tokens); never a mean over minibatches of their perplexities."""
    try:
        return math.exp(nats / tokens)
    except OverflowError:
        return math.inf


@dataclass
class Sums:
    """Running sums over the minibatches of one epoch, in fp64, one figure a lane.

    They stay on the device until the epoch ends, so that no minibatch waits for the host.
    """

    nats: Float[Tensor, " K"]
    tokens: Float[Tensor, " K"]
    updates: Float[Tensor, " K"]
    gradient_norm: Float[Tensor, " K"]
    clipped: Float[Tensor, " K"]  # updates whose gradient norm was above theta

    @classmethod
    def zeros(cls, K: int, device: torch.device) -> Sums:
        return cls(*(torch.zeros(K, dtype=torch.float64, device=device) for _ in fields(cls)))

    def add(self, active: Tensor, loss: Tensor, tokens: int, norm: Tensor, theta: Tensor) -> None:
        """One minibatch; lanes that are not active add nothing, not even a NaN."""
        weight = active.double()
        self.nats += torch.where(active, loss.double() * tokens, 0.0)
        self.tokens += weight * tokens
        self.updates += weight
        self.gradient_norm += torch.where(active, norm.double(), 0.0)
        self.clipped += weight * (norm > theta)

    def lanes(self, epoch: int, seconds: float) -> list[Epoch | None]:
        """Every lane's figures; None for a lane that made no update."""
        rows = torch.stack([getattr(self, field.name) for field in fields(self)]).T.tolist()
        return [
            Epoch(
                epoch=epoch,
                loss=nats / tokens,
                perplexity=perplexity(nats, int(tokens)),
                tokens=int(tokens),
                updates=int(updates),
                seconds=seconds,
                gradient_norm=norm / updates,
                clipped_fraction=clipped / updates,
            )
            if updates
            else None
            for nats, tokens, updates, norm, clipped in rows
        ]


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
