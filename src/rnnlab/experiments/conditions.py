"""Which runs are meant: those whose setting, or figure, is one of some values, or between bounds.

where: {sampler: random, lr: [1, 3], held_out_perplexity: {above: 1, below: 3}}
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from rnnlab.config.identity import by_value, is_number
from rnnlab.experiments.names import known_name
from rnnlab.experiments.reading import Node
from rnnlab.experiments.rows import Row


class Condition(ABC):
    @abstractmethod
    def holds(self, row: Row) -> bool: ...

    @abstractmethod
    def __str__(self) -> str: ...


@dataclass(frozen=True)
class OneOf(Condition):
    name: str
    values: tuple[Any, ...]

    def holds(self, row: Row) -> bool:
        return by_value(row.value(self.name)) in map(by_value, self.values)

    def __str__(self) -> str:
        return f"{self.name}={','.join(map(str, self.values))}"


@dataclass(frozen=True)
class Between(Condition):
    name: str
    above: float
    below: float

    def holds(self, row: Row) -> bool:
        own = row.value(self.name)
        return is_number(own) and self.above < own < self.below

    def __str__(self) -> str:
        return f"{self.name} between {self.above:g} and {self.below:g}"


def conditions(node: Node) -> tuple[Condition, ...]:
    """Raises ConfigError with the line of a mistake."""
    return tuple(_condition(known_name(own, name), own) for name, own in node.items().items())


def _condition(name: str, node: Node) -> Condition:
    if not node.is_mapping:
        return OneOf(name, tuple(own.value() for own in node.each()))
    sides = {side: own.number_value() for side, own in node.fields("", "above below").items()}
    if not sides:
        node.refuse(f"{name} has no bound; write above: or below:")
    found = Between(name, sides.get("above", -math.inf), sides.get("below", math.inf))
    node.require_room(found.above, found.below)
    return found
