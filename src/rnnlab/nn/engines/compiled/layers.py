"""A recurrent layer of one lane: its buffers, its packed weights, and both passes.

Shapes as in `cells`, with G gates and I inputs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from rnnlab.nn.engines.compiled import cells
from rnnlab.nn.engines.compiled.edges import fill, sum_products, sum_rows
from rnnlab.nn.engines.compiled.products import TERMS, pack, pack_transposed
from rnnlab.nn.engines.compiled.tile import WIDE, in_tiles
from rnnlab.nn.engines.compiled.vectors import BYTES

Part = Callable[["Sums"], None]  # of some work, for a thread that has Sums to work in
Weights = Mapping[str, np.ndarray]  # a layer's groups of parameters, by Cell.side_by_side's names


def alone(function: Callable[..., Any], *given: Any) -> Part:
    """A part that needs nothing to work in."""
    return lambda _: function(*given)


@dataclass(frozen=True)
class Sizes:
    """Of the buffers, and of what is in them."""

    T: int
    B: int
    H: int
    dtype: np.dtype

    def filled(self, n: int) -> int:
        """n, up to whole vectors."""
        return n + -n % self.vector

    @property
    def vector(self) -> int:
        return BYTES // self.dtype.itemsize

    def zeros(self, *shape: int) -> np.ndarray:
        return np.zeros(shape, self.dtype)

    def series(self, steps: int = 0) -> np.ndarray:
        """(T + steps, B, H)."""
        return self.zeros(self.T + steps, self.B, self.filled(self.H))


class Packed:
    """Matrices (K, N) side by side as the right operands of products, and their transposes."""

    def __init__(self, sizes: Sizes, K: int, N: int, number: int = 1) -> None:
        w = sizes.vector
        self.forth = sizes.zeros(number, sizes.filled(N) // w, K, w)
        self.back = sizes.zeros(number, sizes.filled(K) // w, N, w)

    def set(self, W: np.ndarray) -> Iterator[Part]:
        """From W (K, number N), in parts."""
        each = np.split(W, len(self.forth), axis=1)
        for one, P, P_T in zip(each, self.forth, self.back, strict=True):
            yield alone(pack, one, P)
            yield alone(pack_transposed, one, P_T)


class Sums:
    """What a thread needs to work in while it sums over all tokens."""

    def __init__(self, sizes: Sizes, rows: int, columns: int) -> None:
        self.work = sizes.zeros(rows * columns)
        self.right = sizes.zeros(WIDE, TERMS, sizes.vector)

    def of_products(self, out: np.ndarray, X: np.ndarray, dA: np.ndarray, first: int) -> None:
        sum_products(out, X, dA, first, self.work, self.right)

    def of_rows(self, out: np.ndarray, dA: np.ndarray) -> None:
        sum_rows(dA, out, self.work)


def in_parts(out: np.ndarray, X: np.ndarray, dA: np.ndarray, number: int) -> Iterator[Part]:
    """out (M, n) = X^T dA, of X (T, B, M) and dA (T, B, N), in parts for so many threads."""
    for lo, hi in in_tiles(len(out), number):
        yield partial(Sums.of_products, out=out[lo:hi], X=X, dA=dA, first=lo)


class Layer:
    """What all cells have; `pass_forth` and `pass_back` are the kernels of one."""

    pass_forth: Callable[..., None]
    pass_back: Callable[..., None]

    def __init__(self, sizes: Sizes, gates: int) -> None:
        self.H, self.dH = sizes.series(1), sizes.series(1)
        self.A = sizes.zeros(gates, *sizes.series().shape)
        self.W_h = Packed(sizes, sizes.H, sizes.H, gates)

    def take(self, weights: Weights) -> Iterator[Part]:
        """Weights to train, in parts."""
        return self.W_h.set(weights["W_h"])

    @property
    def states(self) -> tuple[np.ndarray, ...]:
        """Each with the one before the first step as its first."""
        return (self.H,)

    def forward(self, lo: int, hi: int) -> None:
        self.pass_forth(self.A, self.H, self.W_h.forth, lo, hi)

    def backward(self, lo: int, hi: int) -> None:
        self.pass_back(self.A, self.H, self.dH, self.W_h.back, lo, hi)

    @property
    def outputs(self) -> np.ndarray:
        """H_1 .. H_T."""
        return self.H[1:]

    @property
    def d_outputs(self) -> np.ndarray:
        return self.dH[1:]

    def recurrent(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """For each gate, what W_h is multiplied with and the gradient of that product."""
        return [(self.H[:-1], dA) for dA in self.A]

    def gradients(self, out: Weights, number: int) -> Iterator[Part]:
        """Of W_h and the biases, in parts for so many threads."""
        dW_h, db = (np.split(out[kind], len(self.A), axis=1) for kind in ("W_h", "b_"))
        for own, (H, dA) in zip(dW_h, self.recurrent(), strict=True):
            yield from in_parts(own, H, dA, number)
        for own, dA in zip(db, self.A, strict=True):
            yield partial(Sums.of_rows, out=own[0], dA=dA)


class Tanh(Layer):
    pass_forth, pass_back = staticmethod(cells.rnn_tanh), staticmethod(cells.rnn_tanh_back)


class Relu(Layer):
    pass_forth, pass_back = staticmethod(cells.rnn_relu), staticmethod(cells.rnn_relu_back)


class LSTM(Layer):
    def __init__(self, sizes: Sizes, gates: int) -> None:
        super().__init__(sizes, gates)
        self.C, self.tanh_C, self.dC = sizes.series(1), sizes.series(), sizes.series()[0]

    @property
    def states(self) -> tuple[np.ndarray, ...]:
        return self.H, self.C

    def forward(self, lo: int, hi: int) -> None:
        cells.lstm(self.A, self.H, self.C, self.tanh_C, self.W_h.forth, lo, hi)

    def backward(self, lo: int, hi: int) -> None:
        cells.lstm_back(self.A, self.C, self.tanh_C, self.dH, self.dC, self.W_h.back, lo, hi)


class GRUBefore(Layer):
    def __init__(self, sizes: Sizes, gates: int) -> None:
        super().__init__(sizes, gates)
        self.RH, self.dRH = sizes.series(), sizes.series()[0]

    def forward(self, lo: int, hi: int) -> None:
        cells.gru_before(self.A, self.H, self.RH, self.W_h.forth, lo, hi)

    def backward(self, lo: int, hi: int) -> None:
        cells.gru_before_back(self.A, self.H, self.dRH, self.dH, self.W_h.back, lo, hi)

    def recurrent(self) -> list[tuple[np.ndarray, np.ndarray]]:
        z, r, n = self.A
        return [(self.H[:-1], z), (self.H[:-1], r), (self.RH, n)]


class GRUAfter(Layer):
    def __init__(self, sizes: Sizes, gates: int) -> None:
        super().__init__(sizes, gates)
        self.S, self.b_hh = sizes.series(), sizes.zeros(sizes.H)

    def take(self, weights: Weights) -> Iterator[Part]:
        yield from super().take(weights)
        yield alone(np.copyto, self.b_hh, weights["b_hh"][0])

    def forward(self, lo: int, hi: int) -> None:
        fill(self.S, self.b_hh, lo, hi)
        cells.gru_after(self.A, self.H, self.S, self.W_h.forth, lo, hi)

    def backward(self, lo: int, hi: int) -> None:
        cells.gru_after_back(self.A, self.H, self.S, self.dH, self.W_h.back, lo, hi)

    def recurrent(self) -> list[tuple[np.ndarray, np.ndarray]]:
        z, r, _ = self.A
        return [(self.H[:-1], z), (self.H[:-1], r), (self.H[:-1], self.S)]

    def gradients(self, out: Weights, number: int) -> Iterator[Part]:
        yield from super().gradients(out, number)
        yield partial(Sums.of_rows, out=out["b_hh"][0], dA=self.S)


LAYERS = {
    "rnn_tanh": Tanh,
    "rnn_relu": Relu,
    "lstm": LSTM,
    "gru_before": GRUBefore,
    "gru_after": GRUAfter,
}
