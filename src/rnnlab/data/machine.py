"""Finite machines that draw a text: the generator and its entropy rate are of one table.

Shapes: S states, E edges, A symbols, W contexts.

A machine goes from state to state, and each edge writes a symbol: a hidden Markov model whose
symbols are on its edges. It is unifilar where a state's edges have different symbols, so that who
knows the state goes on knowing it (an epsilon machine is; an order-k Markov chain too).
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from rnnlab.data.synthetic import DRAWN, Codes, Draws, codes_of

ERROR = 1e-6  # nats: an entropy rate is known as exactly, or refused
CONTEXTS = 1 << 18  # that are looked at for it at most
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Machine:
    """Its edges, those of a state side by side; it starts in state 0, which it comes back to."""

    source: NDArray[np.intp]  # (E,) rising
    symbol: Codes  # (E,)
    target: NDArray[np.intp]  # (E,)
    probability: Floats  # (E,) those of a state sum to 1

    @classmethod
    def of(cls, edges: Iterable[tuple[int, str, int, float]]) -> Machine:
        """From (state, symbol, next state, probability)."""
        source, symbol, target, probability = zip(*sorted(edges), strict=True)
        return cls(
            np.array(source), codes_of("".join(symbol)), np.array(target), np.array(probability)
        )

    @property
    def num_states(self) -> int:
        return int(self.source[-1]) + 1

    def draw(self, draws: Draws) -> Iterator[Codes]:
        """A state's edges lie between it and the next number: one search finds the edge."""
        within = np.cumsum(self.probability)
        ends = self.source + within - np.r_[0.0, within][self._first[self.source]]
        ends[self._last] = self.source[self._last] + 1  # whatever the sum is rounded to
        edges, target = ends.tolist(), self.target.tolist()
        edge = target.index(0)
        while True:
            taken = accumulate(
                draws.uniform(DRAWN).tolist(),
                lambda edge, u: bisect(edges, target[edge] + u),
                initial=edge,
            )
            places = np.fromiter(taken, np.intp, DRAWN + 1)[1:]
            edge = int(places[-1])
            yield self.symbol[places]

    @cached_property
    def _first(self) -> NDArray[np.intp]:
        """(S,) the first edge of each state."""
        return np.searchsorted(self.source, np.arange(self.num_states))

    @cached_property
    def _last(self) -> NDArray[np.intp]:
        return np.r_[self._first[1:], len(self.source)] - 1

    # --- its entropy rate ----------------------------------------------------------------------

    @cached_property
    def stationary(self) -> Floats:
        """(S,) pi = pi P, summing to 1: the share of the time that it spends in each state."""
        S = self.num_states
        equations = -np.eye(S)
        np.add.at(equations, (self.target, self.source), self.probability)
        equations[0] = 1  # one of the others follows from the rest
        return np.linalg.solve(equations, np.eye(S)[0])

    @property
    def is_unifilar(self) -> bool:
        pairs = {*zip(self.source.tolist(), self.symbol.tolist(), strict=True)}
        return len(pairs) == len(self.source)

    def entropy_rate(self) -> float:
        """Of a unifilar machine sum_s pi_s H(X | s) (Shannon 1948, theorem 5), else by bounds."""
        if self.is_unifilar:
            joint = self.stationary[self.source] * self.probability
            return float(-np.sum(joint * np.log(self.probability)))
        low, high = self.bounds
        return (low + high) / 2

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Around the entropy rate, at most 2 ERROR apart where so many contexts are enough.

        H(X_0 | context, the state before it) <= h <= H(X_0 | context) (Birch 1962; Cover and Thomas
        2006, theorem 4.5.1). It holds for contexts of any lengths that no past has two of: the
        forward algorithm lengthens into the past those that still leave a gap.
        """
        (_, T), pi = self.matrices, self.stationary
        words, low, high = np.eye(len(pi))[None], 0.0, 0.0  # (W, S, S), before to after a context
        while True:
            joint = pi[:, None] * words
            lows = _conditional(np.einsum("wij,ajk->wia", joint, T)).sum(1)
            highs = _conditional(np.einsum("wij,ajk->wa", joint, T))
            gaps = highs - lows
            is_wide = gaps > ERROR / CONTEXTS
            longer = len(T) * np.count_nonzero(is_wide)
            if gaps.sum() + high - low <= 2 * ERROR or longer > CONTEXTS:
                return low + lows.sum(), high + highs.sum()
            low, high = low + lows[~is_wide].sum(), high + highs[~is_wide].sum()
            words = np.einsum("aij,wjk->awik", T, words[is_wide]).reshape(longer, len(pi), len(pi))

    @cached_property
    def matrices(self) -> tuple[Codes, Floats]:
        """The symbols (A,), and of each P(write it, go to the state | state), (A, S, S)."""
        symbols, places = np.unique(self.symbol, return_inverse=True)
        found = np.zeros((len(symbols), self.num_states, self.num_states))
        np.add.at(found, (places, self.source, self.target), self.probability)
        return symbols, found


def _conditional(joint: Floats) -> Floats:
    """P(context) H(X | context) of P(context, X) along the last axis."""
    whole = joint.sum(-1, keepdims=True)
    logs = np.log(np.divide(joint, whole, out=np.ones_like(joint), where=joint > 0))
    return -(joint * logs).sum(-1)
