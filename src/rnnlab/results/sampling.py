"""How a text is to be continued, and what of that makes no sense. Imports no torch."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rnnlab._common.errors import require

LONGEST = 1_000_000  # tokens: there is an answer in minutes, and in memory
Typed = Callable[..., str]  # of a name, or of a name and its value


def as_argument(name: str, value: Any = None) -> str:
    """top_k=5, of a call."""
    return name if value is None else f"{name}={value}"


def as_option(name: str, value: Any = None) -> str:
    """--top-k 5, of a command."""
    option = f"--{name.replace('_', '-')}"
    return option if value is None else f"{option} {value}"


@dataclass(frozen=True, kw_only=True)
class Sampling:
    """What nn.generation is given, and how many texts."""

    length: int
    temperature: float = 0.0
    top_k: int | None = None
    top_p: float | None = None
    seed: int = 0
    samples: int = 1

    def check(self, typed: Typed = as_argument) -> None:
        """Raises ConfigError, in the words of a call or of a command, for what makes no sense."""
        temperature, top_p = self.temperature, self.top_p
        for name, least in (("length", 1), ("top_k", 1), ("seed", 0), ("samples", 1)):
            value = getattr(self, name)
            require(value is None or value >= least, typed(name, value), f"it is at least {least}")
        is_number = math.isfinite(temperature) and temperature >= 0
        require(is_number, typed("temperature", temperature), "it is a finite number from 0 on")
        above = f"it is above 0; {typed('top_k', 1)} takes one token"
        require(top_p is None or top_p > 0, typed("top_p", top_p), above)
        require(top_p is None or top_p <= 1, typed("top_p", top_p), "it is at most 1")
        self._check_together(typed)

    def _check_together(self, typed: Typed) -> None:
        samples, warmer = typed("samples", self.samples), typed("temperature", 1)
        for name in ("top_k", "top_p"):
            value = getattr(self, name)
            require(
                value is None or self.temperature > 0,
                f"{typed(name, value)} without {typed('temperature')}",
                f"temperature 0 takes the likeliest token; add {warmer}",
            )
        require(
            self.samples == 1 or self.temperature > 0,
            f"{samples} without {typed('temperature')}",
            f"at temperature 0 they would all be the same; add {warmer}",
        )
        require(
            self.samples * self.length <= LONGEST,
            f"{samples} with {typed('length', self.length)}",
            f"all texts together have at most {LONGEST:,} tokens",
        )
