"""A source that is a finite machine: text, entropy rate and what a text costs are of one table."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from rnnlab.data.likelihood import nats
from rnnlab.data.machine import Machine
from rnnlab.data.synthetic import Codes, Draws, Synthetic


@dataclass(frozen=True, kw_only=True)
class Drawn(Synthetic):
    """What draws it is `automaton`."""

    @cached_property
    @abstractmethod
    def automaton(self) -> Machine:
        """What draws it."""

    def draw(self, draws: Draws) -> Iterator[Codes]:
        return self.automaton.draw(draws)

    def entropy_rate(self) -> float:
        return self.automaton.entropy_rate()

    def nats(self, rows: Codes) -> float:
        return nats(self.automaton, rows)
