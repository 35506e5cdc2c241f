"""A hidden Markov model, or an epsilon machine, given as a table."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from rnnlab._common.choices import choice, knob
from rnnlab._common.errors import require
from rnnlab.data.drawn import Drawn
from rnnlab.data.machine import ERROR, Machine

MACHINES = {
    # no two 0s side by side; h = 2/3 ln 2 (Crutchfield and Feldman 2003)
    "golden_mean": "A 0 B 0.5; A 1 A 0.5; B 1 A 1",
    # 1s in runs of even length, so that no finite past is enough; h = 2/3 ln 2 (ibid.)
    "even": "A 0 A 0.5; A 1 B 0.5; B 1 A 1",
    # not unifilar: after many 0s nobody knows the state (Marzen and Crutchfield 2015)
    "nonunifilar": "A 0 A 0.5; A 0 B 0.5; B 0 B 0.5; B 1 A 0.5",
    # the golden mean of which every tenth symbol is read wrongly: an emission HMM of two states
    "noisy_golden_mean": "A 0 B 0.45; A 1 B 0.05; A 1 A 0.45; A 0 A 0.05; B 1 A 0.9; B 0 A 0.1",
}
EXAMPLE = MACHINES["golden_mean"]
EDGE = re.compile(r"(\w+) ([!-+.-~-]) (\w+) (0?\.\d+|1(?:\.0*)?)", re.ASCII)
ROUNDED = 1e-6  # what probabilities of a state may be off by in all, as 0.333333 three times is
MOST_STATES = 64


@choice("hmm")
@dataclass(frozen=True, kw_only=True)
class HiddenMarkov(Drawn):
    """States that nobody sees; each edge between them writes a symbol.

    The entropy rate is sum_s pi_s H(X | s) where the state can be told from the symbols (a unifilar
    machine: Shannon 1948, theorem 5), and otherwise between Birch's bounds (machine.py), which are
    brought together until it is known to 1e-6 nats by the forward algorithm.
    """

    name: str = "hmm"
    machine: str = knob(
        f"{', '.join(MACHINES)}, or edges: from, symbol, to, probability, as in {EXAMPLE!r}"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.automaton.is_unifilar:
            return
        low, high = self.automaton.bounds
        rule = f"its entropy rate, between {low:.6f} and {high:.6f}, is not known to {ERROR:g} nats"
        instead = "take a machine that forgets its state faster"
        require(high - low <= 2 * ERROR, self._given, f"{rule}; {instead}")

    @property
    def _given(self) -> str:
        return f"dataset.machine={self.machine}"

    @cached_property
    def automaton(self) -> Machine:
        """Raises ConfigError for what is no table, or none of a machine that goes on for ever."""
        edges = [self._edge(text) for text in self._table.split(";")]
        nobody = [f"{a} {symbol} {b} {p:g}" for a, symbol, b, p in edges if not p]
        rule = f"nobody takes {'; '.join(nobody)}: leave out what has a probability of 0"
        require(not nobody, self._given, rule)
        names = list(
            dict.fromkeys(name for source, _, target, _ in edges for name in (source, target))
        )
        numbers = {name: k for k, name in enumerate(names)}
        few = f"it has {len(names)} states, and there may be {MOST_STATES}"
        require(len(names) <= MOST_STATES, self._given, few)
        for name in names:
            total = sum(p for source, _, _, p in edges if source == name)
            rule = f"the probabilities out of {name} sum to {total:g}, and not to 1"
            require(abs(total - 1) < ROUNDED, self._given, rule)
        found = [(numbers[a], symbol, numbers[b], p) for a, symbol, b, p in edges]
        forward, back = ([(a, b) for a, _, b, _ in found], [(b, a) for a, _, b, _ in found])
        lost = {*range(len(names))} - (_reached(forward) & _reached(back))
        those = ", ".join(names[k] for k in sorted(lost))
        rule = f"one cannot go from {names[0]} to {those} and back, for ever"
        require(not lost, self._given, rule)
        return Machine.of(found)

    @property
    def _table(self) -> str:
        return MACHINES.get(self.machine, self.machine)

    def _edge(self, text: str) -> tuple[str, str, str, float]:
        edge = EDGE.fullmatch(text.strip())
        rule = f"it is one of {', '.join(MACHINES)}, or edges, as in {EXAMPLE!r}"
        require(edge is not None, self._given, rule)
        assert edge
        source, symbol, target, probability = edge.groups()
        return source, symbol, target, float(probability)


def _reached(edges: Iterable[tuple[int, int]]) -> set[int]:
    """The states that one comes to from state 0."""
    reached: set[int] = set()
    new = {0}
    while new:
        reached |= new
        new = {b for a, b in edges if a in new} - reached
    return reached
