"""A claim: a quantity of a study and its bounds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rnnlab.experiments.quantities import Number, Quantity, Unanswered, quantity
from rnnlab.experiments.reading import Node
from rnnlab.experiments.rows import Row


@dataclass(frozen=True)
class Claim:
    name: str
    says: str
    value: Quantity
    above: Quantity | None = None
    below: Quantity | None = None

    @classmethod
    def of(cls, name: str, node: Node) -> Claim:
        """As it is written; raises ConfigError with the line of a mistake."""
        fields = node.fields("says value", "above below")
        bounds = {side: quantity(fields[side]) for side in ("above", "below") if side in fields}
        if not bounds:
            node.refuse(f"the claim {name} has no bound; write above: or below:")
        plain = {side: own.value for side, own in bounds.items() if isinstance(own, Number)}
        node.require_room(plain.get("above", -math.inf), plain.get("below", math.inf))
        return cls(name, fields["says"].text(), quantity(fields["value"]), **bounds)

    def judged(self, rows: Sequence[Row]) -> Verdict:
        try:
            value = self.value.of(rows)
            above = self.above.of(rows) if self.above else None
            below = self.below.of(rows) if self.below else None
        except Unanswered as why:
            return Verdict(self, why=str(why))
        return Verdict(self, value, above, below)


@dataclass(frozen=True)
class Verdict:
    """What became of a claim."""

    claim: Claim
    value: float | None = None
    above: float | None = None
    below: float | None = None
    why: str = ""  # it could not be answered

    @property
    def holds(self) -> bool:
        if self.value is None:
            return False
        is_above = self.above is None or self.value > self.above
        return is_above and (self.below is None or self.value < self.below)

    @property
    def bounds(self) -> str:
        """above 1.2, below 1.4; a bound that the study gave as it came out."""
        sides = {"above": self.claim.above, "below": self.claim.below}
        own = {side: (bound, getattr(self, side)) for side, bound in sides.items() if bound}
        return ", ".join(
            f"{side} {shown(bound.value if isinstance(bound, Number) else value)}"
            for side, (bound, value) in own.items()
        )

    @property
    def found(self) -> str:
        return self.why or shown(self.value)

    def __str__(self) -> str:
        how = "holds" if self.holds else "does not hold"
        return f"{self.claim.name} {how}: {self.found}, claimed {self.bounds}. {self.claim.says}"

    @property
    def record(self) -> dict[str, Any]:
        """For results.json, where no number is infinite."""
        own = {"value": self.value, "above": self.above, "below": self.below}
        return {"holds": self.holds, **own, "why": self.why}


def shown(value: float | None) -> str:
    if value is None:
        return "?"
    if value == math.inf:
        return "diverged"
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"
