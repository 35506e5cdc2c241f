"""A number of a study, as an experiment's file asks for it; nothing of the file is run as code.

    {figure: held_out_perplexity, where: {sampler: random}, reduce: max}   of many runs one figure
    {figure: held_out_perplexity, reduce: mean, for_each: lr, then: min}   means, and their best
    {figure: excess_nats, against: dataset.length, reduce: exponent, for_each: seed, then: mean}
    {ratio: {left: ..., right: ...}}                       also difference, product; of quantities

`low` and `high` are the ends of the mean's 95 % confidence interval; `exponent` is that of a power
law, least squares on logarithms. `where` chooses runs by settings and figures: a value, a list of
values, or {above: 1, below: 3}. A name lr*theta is the product of two, accuracy_at_20 a figure of
eval.lengths, and accuracy_at_dataset.lag that at each run's own lag. Of a run that diverged every
figure is infinite: it counts as the worst, and is not left out.
"""

from __future__ import annotations

import math
import operator
import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rnnlab.config.identity import by_value, is_number
from rnnlab.experiments.conditions import Condition, conditions
from rnnlab.experiments.names import known_name, number_name
from rnnlab.experiments.reading import Node
from rnnlab.experiments.rows import Row
from rnnlab.studies.report.statistics import mean_and_half

REDUCTIONS: Mapping[str, Callable[[list[float]], float]] = {
    "mean": statistics.fmean,
    "median": statistics.median,
    "min": min,
    "max": max,
    "std": statistics.stdev,
    "low": lambda values: operator.sub(*mean_and_half(values)),
    "high": lambda values: operator.add(*mean_and_half(values)),
    "count": len,
}
EXPONENT = "exponent"
OF_SEVERAL = {
    "std": "standard deviation",
    "low": "confidence interval",
    "high": "confidence interval",
}
TOGETHER: Mapping[str, Callable[[float, float], float]] = {
    "ratio": operator.truediv,
    "difference": operator.sub,
    "product": operator.mul,
}


class Unanswered(Exception):  # noqa: N818 (no error of the program)
    """The study does not have what is asked for; the message says why."""


class Quantity(ABC):
    @abstractmethod
    def of(self, rows: Sequence[Row]) -> float:
        """Its value for a study; raises Unanswered."""


@dataclass(frozen=True)
class Number(Quantity):
    value: float

    def of(self, rows: Sequence[Row]) -> float:  # noqa: ARG002
        return self.value


@dataclass(frozen=True)
class Combined(Quantity):
    how: str
    left: Quantity
    right: Quantity

    def of(self, rows: Sequence[Row]) -> float:
        left, right = self.left.of(rows), self.right.of(rows)
        if self.how == "ratio" and right == 0:
            raise Unanswered("its right side is zero")
        found = TOGETHER[self.how](left, right)
        if math.isnan(found):
            raise Unanswered(
                f"{left:g} and {right:g} have no {self.how}: what diverged is infinite"
            )
        return found


@dataclass(frozen=True)
class Reduced(Quantity):
    """A figure of the runs that are meant, as one number."""

    figure: str
    where: tuple[Condition, ...] = ()
    reduce: str = "mean"
    for_each: tuple[str, ...] = ()
    then: str = ""
    against: str = ""  # what an exponent is of

    def of(self, rows: Sequence[Row]) -> float:
        chosen = [row for row in rows if all(condition.holds(row) for condition in self.where)]
        if self.reduce == "count":
            return len(chosen)
        if not chosen:
            raise Unanswered(f"no run has {' '.join(map(str, self.where)) or self.figure}")
        groups: dict[tuple[Any, ...], list[Row]] = {}
        for row in chosen:
            key = tuple(by_value(row.value(name)) for name in self.for_each)
            groups.setdefault(key, []).append(row)
        ends = [self._end(own) for own in groups.values()]
        return _reduced(self.then, ends) if self.then else ends[0]

    def _end(self, rows: Sequence[Row]) -> float:
        values = [_figure(row, self.figure) for row in rows]
        if self.reduce == EXPONENT:
            return exponent([_figure(row, self.against) for row in rows], values)
        return _reduced(self.reduce, values)


def _figure(row: Row, name: str) -> float:
    if not row.status.is_final:
        raise Unanswered(f"{row.folder} is {row.status}")
    value = row.figure(name)
    if not is_number(value):
        raise Unanswered(f"{row.folder} has no {name}")
    return float(value)


def _reduced(how: str, values: list[float]) -> float:
    lost = values.count(math.inf)
    if how in OF_SEVERAL and len(values) < 2:
        raise Unanswered(f"one run alone has no {OF_SEVERAL[how]}")
    if how in OF_SEVERAL and lost:
        raise Unanswered(f"{lost} of {len(values)} diverged: there is no {OF_SEVERAL[how]}")
    return REDUCTIONS[how](values)


def exponent(x: Sequence[float], y: Sequence[float]) -> float:
    """The a of y = c x^a, by least squares on logarithms."""
    if len(set(x)) < 2 or not all(0 < value < math.inf for value in (*x, *y)):
        raise Unanswered("an exponent takes two values or more, all of them finite and above 0")
    return statistics.linear_regression([*map(math.log, x)], [*map(math.log, y)]).slope


# --- as it is written ------------------------------------------------------------------------


def quantity(node: Node) -> Quantity:
    """Raises ConfigError with the line of a mistake."""
    if not node.is_mapping:
        return Number(node.number_value())
    given = node.items()
    if how := next((name for name in TOGETHER if name in given), None):
        sides = node.fields(how)[how].fields("left right")
        return Combined(how, quantity(sides["left"]), quantity(sides["right"]))
    fields = node.fields("reduce", "figure against where for_each then")
    reduce = fields["reduce"].one_of([*REDUCTIONS, EXPONENT])
    if reduce != "count" and "figure" not in fields:
        node.refuse(f"{node.name} has no figure; write figure: held_out_perplexity, say")
    if ("for_each" in fields) != ("then" in fields):
        node.refuse("for_each and then come together: reduce: mean, for_each: lr, then: min")
    if (reduce == EXPONENT) != ("against" in fields):
        node.refuse(
            f"{EXPONENT} and against come together: reduce: {EXPONENT}, against: num_hiddens"
        )
    return Reduced(
        number_name(fields["figure"]) if "figure" in fields else "",
        conditions(fields["where"]) if "where" in fields else (),
        reduce,
        tuple(map(known_name, fields["for_each"].each())) if "for_each" in fields else (),
        fields["then"].one_of([*REDUCTIONS]) if "then" in fields else "",
        number_name(fields["against"]) if "against" in fields else "",
    )
