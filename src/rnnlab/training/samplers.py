"""Where an epoch's minibatches begin in the text, and what becomes of the hidden state.

Shapes: N tokens, B batch, T time steps, M minibatches. A subsequence's inputs are tokens
start..start+T-1, its targets the same shifted by one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rnnlab._common.choices import Choice, choice
from rnnlab._common.late import torch
from rnnlab._common.shapes import Bool, Tensor
from rnnlab.training.permutation import Permutation
from rnnlab.training.starts import MOST, Computed, Starts

if TYPE_CHECKING:
    from torch import Generator


@dataclass(frozen=True, kw_only=True)
class Sampler(Choice, ABC):
    """How a text is cut into minibatches."""

    group = "sampler"

    @abstractmethod
    def starts(self, N: int, B: int, T: int, generator: Generator) -> Starts:
        """(M, B): where every subsequence of an epoch begins; random only by the generator."""

    @abstractmethod
    def resets(self, M: int) -> Bool[Tensor, " M"]:
        """Before which of an epoch's M minibatches the hidden state starts at zero."""

    @abstractmethod
    def largest_offset(self, T: int) -> int:
        """How many tokens an epoch may leave out at the text's beginning."""


@choice("random")
@dataclass(frozen=True, kw_only=True)
class Random(Sampler):
    """Subsequences in random order; consecutive minibatches are unrelated.

    The offset is uniform in 0..T-1; an incomplete last minibatch is dropped. The order of more than
    MOST subsequences is a computed one.
    """

    name: str = "random"

    def starts(self, N: int, B: int, T: int, generator: Generator) -> Starts:
        offset = _uniform(self.largest_offset(T), generator)
        num_subsequences = (N - offset - 1) // T
        M = num_subsequences // B
        if num_subsequences > MOST:
            place = Permutation(num_subsequences, generator)
            return Computed(M, B, lambda i: offset + place(i) * T)
        order = torch.randperm(num_subsequences, generator=generator)
        return (offset + order * T)[: M * B].reshape(M, B)

    def resets(self, M: int) -> Bool[Tensor, " M"]:
        return torch.ones(M, dtype=torch.bool)

    def largest_offset(self, T: int) -> int:
        return T - 1


@choice("sequential")
@dataclass(frozen=True, kw_only=True)
class Sequential(Sampler):
    """Minibatches that adjoin in the text: row b of minibatch i+1 goes on where that of i ended.

    The offset is uniform in 0..T; the rest is cut to B equal rows. The state is carried.
    """

    name: str = "sequential"

    def starts(self, N: int, B: int, T: int, generator: Generator) -> Starts:
        offset = _uniform(self.largest_offset(T), generator)
        row_length = (N - offset - 1) // B
        return Computed(row_length // T, B, lambda i: offset + row_length * (i % B) + T * (i // B))

    def resets(self, M: int) -> Bool[Tensor, " M"]:
        return torch.arange(M) == 0

    def largest_offset(self, T: int) -> int:
        return T


def _uniform(maximum: int, generator: Generator) -> int:
    """A whole number uniform in 0..maximum."""
    return int(torch.randint(maximum + 1, (), generator=generator))
