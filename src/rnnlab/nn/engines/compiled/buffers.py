"""What a thread needs to compute some batch rows of one lane.

Shapes: L layers, G gates, T time steps, B batch rows, H hidden units, V tokens; w numbers make a
vector, and in brackets [H] and [V] are the lengths of rows that hold so many.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from rnnlab.nn.engines.compiled.cells import FORMS, SERIES
from rnnlab.nn.engines.compiled.products import TERMS
from rnnlab.nn.engines.compiled.tile import WIDE
from rnnlab.nn.engines.compiled.vectors import BYTES
from rnnlab.nn.model import Model, Parameters


class Packed(NamedTuple):
    """A lane's weights in the order in which products read them, and their transposes."""

    W_x: np.ndarray  # (L - 1, G, [H] / w, H, w): of the layers that have one below
    W_x_T: np.ndarray
    W_h: np.ndarray  # (L, G, [H] / w, H, w)
    W_h_T: np.ndarray
    W_hq: np.ndarray  # ([V] / w, H, w)
    W_hq_T: np.ndarray  # ([H] / w, V, w)
    b_q: np.ndarray  # [V]: of no token, no probability

    @classmethod
    def of(cls, model: Model, dtype: np.dtype) -> Packed:
        H, V, L, G = model.num_hiddens, model.vocab_size, model.num_layers, len(model.cell.gates)
        w = BYTES // dtype.itemsize

        def packed(*numbers: int, K: int = H, N: int = H) -> np.ndarray:
            return zeros(dtype, *numbers, -(-N // w), K, w)

        b_q = np.full(row_length(V, dtype), -np.inf, dtype)
        return cls(
            packed(L - 1, G), packed(L - 1, G), packed(L, G), packed(L, G),
            packed(N=V), packed(K=V), b_q,
        )  # fmt: skip


class Buffers(NamedTuple):
    """Of the passes over time, as in `cells`; and to work in."""

    A: np.ndarray  # (L, G, T, B, [H])
    S: np.ndarray  # (L, ., T + 1, B, [H])
    inputs: np.ndarray  # (L - 1, T, B, [H]): outputs of the layers below, masked; none without
    O: np.ndarray  # (T, B, [V]): logits, then their gradients
    dh: np.ndarray  # (T + 1, B, [H]): of one layer after the other
    d: np.ndarray  # (B, [H])
    sums: np.ndarray  # (H max([H], [V]),)
    right: np.ndarray  # (., ., w)

    @classmethod
    def of(cls, model: Model, T: int, B: int, dtype: np.dtype, *, is_masked: bool) -> Buffers:
        L, G = model.num_layers, len(model.cell.gates)
        H, V = row_length(model.num_hiddens, dtype), row_length(model.vocab_size, dtype)
        series = SERIES[FORMS.index(model.cell.form)]
        return cls(
            zeros(dtype, L, G, T, B, H),
            zeros(dtype, L, series, T + 1, B, H),
            zeros(dtype, L - 1 if is_masked else 0, T, B, H),
            zeros(dtype, T, B, V),
            zeros(dtype, T + 1, B, H),
            zeros(dtype, B, H),
            zeros(dtype, model.num_hiddens * max(H, V)),
            zeros(dtype, WIDE, TERMS, BYTES // dtype.itemsize),
        )


def row_length(n: int, dtype: np.dtype) -> int:
    """Of rows of n numbers: whole vectors, and one more where rows would share a few cache sets."""
    whole = n + -n % (BYTES // dtype.itemsize)
    return whole if whole * dtype.itemsize % 1024 else whole + BYTES // dtype.itemsize


def zeros(dtype: np.dtype, *shape: int) -> np.ndarray:
    """Beginning where a vector may: those that lie in two cache lines take twice as long."""
    size = int(np.prod(shape)) * dtype.itemsize
    memory = np.zeros(size + BYTES, np.uint8)
    first = -memory.ctypes.data % BYTES
    return memory[first : first + size].view(dtype).reshape(shape)


def places(parameters: Parameters) -> np.ndarray:
    """Where in a lane's row W_x, W_h, b and b_hh of each layer begin; W_hq and b_q last."""
    first = parameters.flat.data_ptr()

    def place(name: str, group: dict) -> int:
        size = parameters.flat.element_size()
        return (group[name].data_ptr() - first) // size if name in group else 0

    last = {"W_hq": parameters.W_hq, "b_q": parameters.b_q}
    found = [
        [place(name, own) for name in ("W_x", "W_h", "b_", "b_hh")] for own in parameters.layers
    ]
    return np.array([*found, [place("W_hq", last), place("b_q", last), 0, 0]])
