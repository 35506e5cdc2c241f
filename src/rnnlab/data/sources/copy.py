"""Symbols, a wait, and the same symbols again: how far back can a cell reach?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from string import ascii_lowercase

import numpy as np

from rnnlab._common.choices import choice, knob
from rnnlab._common.errors import require
from rnnlab.data.synthetic import DRAWN, Codes, Draws, Synthetic, codes_of, require_symbols

WAIT, MARKER = "-", ">"


@choice("copy")
@dataclass(frozen=True, kw_only=True)
class Copy(Synthetic):
    """ca-->CA: random symbols, and each again as a capital, `lag` places later.

    Only the first of a pair is news: h = items ln(symbols) / (lag + items).
    """

    name: str = "copy"
    symbols: int = knob("how many there are", at_least=2)
    items: int = knob("symbols that are to be remembered at once", at_least=1)
    lag: int = knob("places from a symbol to its copy", at_least=1, at_most=1_000_000)
    marker: bool = knob("> stands before the copies, so that nobody has to count")

    def __post_init__(self) -> None:
        super().__post_init__()
        require_symbols(self.symbols, ascii_lowercase)
        least = self.items + self.marker
        behind = f"{self.items} symbols{' and the marker' if self.marker else ''}"
        rule = f"a copy comes after the {behind}; type dataset.lag={least} or more"
        require(self.lag >= least, f"dataset.lag={self.lag}", rule)

    @property
    def answers(self) -> str:
        return ascii_lowercase[: self.symbols].upper()

    @property
    def size(self) -> int:
        """Symbols of a string."""
        return self.lag + self.items

    def at_length(self, length: int) -> tuple[Copy, int]:
        """Of a lag."""
        own = replace(self, lag=length)
        return own, own.size

    def entropy_rate(self) -> float:
        return self.items * math.log(self.symbols) / self.size

    def nats(self, rows: Codes) -> float:
        """The copies are no news."""
        news = np.isin(rows[:, 1:], codes_of(ascii_lowercase))
        return int(news.sum()) * math.log(self.symbols)

    def draw(self, draws: Draws) -> Iterator[Codes]:
        strings = max(1, DRAWN // self.size)
        while True:
            drawn = draws.below(self.symbols, strings, self.items)
            rows = np.full((strings, self.size), ord(WAIT), np.uint8)
            rows[:, : self.items] = codes_of(ascii_lowercase)[drawn]
            rows[:, self.lag :] = codes_of(self.answers)[drawn]
            if self.marker:
                rows[:, self.lag - 1] = ord(MARKER)
            yield rows.ravel()
