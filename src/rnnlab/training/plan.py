"""An epoch's minibatches for all lanes, made a piece at a time.

Shapes: K lanes, B batch, M minibatches.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from rnnlab._common.shapes import Bool, Integer
from rnnlab.training.starts import Starts

PIECE = 1 << 17  # starts that are made at once: 1 MiB of them


class Step(NamedTuple):
    """A minibatch of every lane."""

    starts: Integer[Tensor, "K B"]  # where each subsequence begins in the texts
    present: Bool[Tensor, " K"]  # a lane with fewer than M has none at the end
    reset: Bool[Tensor, " K"]  # the hidden state starts at zero


@dataclass(frozen=True)
class LaneEpoch:
    """What a lane does in it."""

    starts: Starts
    number: int  # of its minibatches
    text: int  # where its text begins in the texts
    resets: Bool[Tensor, " M"]


class Plan:
    """Steps by their numbers, 0..M-1."""

    def __init__(self, lanes: Sequence[LaneEpoch], B: int, device: torch.device) -> None:
        self.lanes, self.B, self.device = lanes, B, device
        self.M = max(lane.number for lane in lanes)
        self.size = max(1, PIECE // (len(lanes) * B))
        self.piece: tuple[int, list[Step]] = (-1, [])

    def __len__(self) -> int:
        return self.M

    def __getitem__(self, i: int) -> Step:
        number, within = divmod(i, self.size)
        if self.piece[0] != number:
            self.piece = number, self._made(number * self.size)
        return self.piece[1][within]

    def _made(self, first: int) -> list[Step]:
        m, K = min(self.size, self.M - first), len(self.lanes)
        starts = torch.zeros(m, K, self.B, dtype=torch.int64)
        present = torch.zeros(m, K, dtype=torch.bool)
        reset = torch.zeros_like(present)
        for k, lane in enumerate(self.lanes):
            own = slice(first, min(first + m, lane.number))
            n = max(0, own.stop - first)
            if n:
                starts[:n, k] = lane.starts[own] + lane.text
                present[:n, k] = True
                reset[:n, k] = lane.resets[own]
        tensors = (tensor.to(self.device).unbind() for tensor in (starts, present, reset))
        return [Step(*step) for step in zip(*tensors, strict=True)]
