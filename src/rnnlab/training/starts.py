"""Where the subsequences of an epoch begin, kept or computed. Imports no torch.

Shapes: B batch, M minibatches of the epoch, m of a part of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from rnnlab._common.late import torch
from rnnlab._common.shapes import Integer, Tensor

MOST = 1 << 22  # subsequences of an epoch whose starts are kept; beyond, they are computed


@runtime_checkable
class Starts(Protocol):
    """(M, B): a tensor, or what computes the parts of it that are looked at."""

    def __len__(self) -> int: ...

    def __getitem__(self, part: slice, /) -> Integer[Tensor, "m B"]: ...


@dataclass(frozen=True)
class Computed:
    """`start` gives those of subsequences, which are numbered minibatch by minibatch."""

    M: int
    B: int
    start: Callable[[Integer[Tensor, "m B"]], Integer[Tensor, "m B"]]

    def __len__(self) -> int:
        return self.M

    def __getitem__(self, part: slice) -> Integer[Tensor, "m B"]:
        minibatches = torch.arange(*part.indices(self.M))
        return self.start(minibatches[:, None] * self.B + torch.arange(self.B))
