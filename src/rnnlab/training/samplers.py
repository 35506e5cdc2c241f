"""Where an epoch's minibatches begin in the text.

Shapes: N tokens, B batch, T time steps, M minibatches. Both samplers give the start of every
subsequence; its inputs are tokens start..start+T-1, its targets the same shifted by one.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnnlab._common.shapes import Integer


def random(N: int, B: int, T: int, generator: torch.Generator) -> Integer[Tensor, "M B"]:
    """Subsequences in random order; consecutive minibatches are unrelated.

    The offset is uniform in 0..T-1; an incomplete last minibatch is dropped.
    """
    offset = _uniform(T - 1, generator)
    num_subsequences = (N - offset - 1) // T
    order = torch.randperm(num_subsequences, generator=generator)
    M = num_subsequences // B
    return (offset + order * T)[: M * B].reshape(M, B)


def sequential(N: int, B: int, T: int, generator: torch.Generator) -> Integer[Tensor, "M B"]:
    """Minibatches that adjoin in the text: row b of minibatch i+1 goes on where that of i ended.

    The offset is uniform in 0..T; the rest is cut to B equal rows.
    """
    offset = _uniform(T, generator)
    row_length = (N - offset - 1) // B
    rows = offset + row_length * torch.arange(B)
    columns = T * torch.arange(row_length // T)
    return rows + columns[:, None]


def _uniform(maximum: int, generator: torch.Generator) -> int:
    """A whole number uniform in 0..maximum."""
    return int(torch.randint(maximum + 1, (), generator=generator))


SAMPLERS = {"random": random, "sequential": sequential}
