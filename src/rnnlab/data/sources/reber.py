"""Reber's grammar, and the embedded one of Hochreiter and Schmidhuber 1997: a stream of strings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from rnnlab._common.choices import choice
from rnnlab.data.drawn import Drawn
from rnnlab.data.machine import Machine

Edge = tuple[int, str, int, float]
GRAMMAR = {  # Reber 1967, as Cleeremans et al. 1989 draw it; of two edges each is as likely
    0: {"B": 1},
    1: {"T": 2, "P": 3},
    2: {"S": 2, "X": 4},
    3: {"T": 3, "V": 5},
    4: {"X": 3, "S": 6},
    5: {"P": 4, "V": 6},
    6: {"E": 7},
}
LONG = len(GRAMMAR)  # states that a string goes through


def edges(first: int, after: int) -> Iterator[Edge]:
    """Of one string, its states numbered from `first`, which ends in the state `after`."""
    for state, own in GRAMMAR.items():
        for symbol, target in own.items():
            yield first + state, symbol, after if target == LONG else first + target, 1 / len(own)


@choice("reber")
@dataclass(frozen=True, kw_only=True)
class Reber(Drawn):
    """BTSSXSE BPVVE ... without the spaces.

    Unifilar: h = sum_s pi_s H(X | s), by renewal the entropy of a string over its mean length.
    """

    name: str = "reber"

    @cached_property
    def automaton(self) -> Machine:
        return Machine.of(edges(0, after=0))


@choice("embedded_reber")
@dataclass(frozen=True, kw_only=True)
class EmbeddedReber(Drawn):
    """BT(BTSSXSE)TE BP(BPVVE)PE ...: the last symbol but one is the second, a whole string later.

    The task of Hochreiter and Schmidhuber 1997, experiment 1. Unifilar: h = sum_s pi_s H(X | s).
    """

    name: str = "embedded_reber"

    @cached_property
    def automaton(self) -> Machine:
        """B, T or P, a string for each of the two, the same symbol again, E."""
        begins = {"T": 2, "P": 2 + LONG + 2}
        found: list[Edge] = [(0, "B", 1, 1.0)]
        for symbol, first in begins.items():
            found.append((1, symbol, first, 0.5))
            found += edges(first, after=first + LONG)
            found += [
                (first + LONG, symbol, first + LONG + 1, 1.0),
                (first + LONG + 1, "E", 0, 1.0),
            ]
        return Machine.of(found)
