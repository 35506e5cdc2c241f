"""Brackets of several kinds that close what they opened (Dyck's language), of bounded depth."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from rnnlab._common.choices import choice, knob
from rnnlab._common.errors import require
from rnnlab.data.synthetic import DRAWN, Codes, Draws, Synthetic, codes_of

OPENING, CLOSING = "([{<", ")]}>"


@choice("dyck")
@dataclass(frozen=True, kw_only=True)
class Dyck(Synthetic):
    """([])() ...: strings of so many brackets, balanced, each such string as likely as the others.

    Shapes: R strings, n brackets of each, D depths beside 0.

    N(r, d) ways lead in r steps from depth d back to 0 within 0..D, with
    N(r, d) = N(r - 1, d + 1) + N(r - 1, d - 1). Where a bracket opens its kind is free, where it
    closes it is not: h = (ln N(n, 0) + n / 2 ln kinds) / n.
    """

    name: str = "dyck"
    kinds: int = knob("of brackets", at_least=1, at_most=len(OPENING))
    depth: int = knob("brackets that are open at once, at most", at_least=1, at_most=1000)
    brackets: int = knob("of a string", at_least=2, at_most=100_000)

    def __post_init__(self) -> None:
        super().__post_init__()
        rule = "it is an even number, as each bracket is closed"
        require(self.brackets % 2 == 0, f"dataset.brackets={self.brackets}", rule)

    @property
    def answers(self) -> str:
        return CLOSING[: self.kinds]

    def at_length(self, length: int) -> tuple[Dyck, int]:
        """Of so many brackets."""
        return replace(self, brackets=length), length

    def entropy_rate(self) -> float:
        log_ways, _ = self._ways
        return (log_ways + self.brackets / 2 * math.log(self.kinds)) / self.brackets

    @cached_property
    def _ways(self) -> tuple[float, NDArray[np.float64]]:
        """ln N(n, 0), and (n, D + 1) the share of ways that open next, by steps left less one."""
        ways, log_scale = np.eye(1, self.depth + 3, 1)[0], 0.0  # with a zero on either side
        opens = np.zeros((self.brackets, self.depth + 1))
        for steps in range(self.brackets):
            up, down = ways[2:], ways[:-2]
            both = up + down
            np.divide(up, both, out=opens[steps], where=both > 0)
            log_scale += math.log(both.max())
            ways = np.r_[0.0, both / both.max(), 0.0]
        return log_scale + math.log(ways[1]), opens

    def draw(self, draws: Draws) -> Iterator[Codes]:
        n, (_, opens) = self.brackets, self._ways
        R = max(1, DRAWN // n)
        rows = np.arange(R)
        while True:
            uniform, kinds = draws.uniform(n, R), draws.below(self.kinds, n, R)
            codes, depth = np.empty((R, n), np.uint8), np.zeros(R, np.intp)
            stack = np.zeros((R, self.depth + 1), np.intp)  # the kind that is open at each depth
            for i in range(n):
                is_open = uniform[i] < opens[n - 1 - i, depth]
                depth += is_open
                kind = np.where(is_open, kinds[i], stack[rows, depth])
                stack[rows, depth] = kind
                codes[:, i] = np.where(is_open, codes_of(OPENING)[kind], codes_of(CLOSING)[kind])
                depth -= ~is_open
            yield codes.ravel()
