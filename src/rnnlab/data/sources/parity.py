"""Bits, and whether the number of ones among them is even or odd."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from rnnlab._common.choices import choice, knob
from rnnlab._common.errors import require
from rnnlab.data.synthetic import DRAWN, Codes, Draws, Synthetic, codes_of

END = "="


@choice("parity")
@dataclass(frozen=True, kw_only=True)
class Parity(Synthetic):
    """0110=e1=o: strings of random bits with their parity, e or o. Running: 0e1o1e0e=1o=.

    Of n to N bits, each number as likely. New are the bits and how many they are:
    h = (ln(N - n + 1) + m ln 2) / (m + 2) with m = (n + N) / 2, running over 2 m + 1.
    """

    name: str = "parity"
    fewest: int = knob("bits of a string", at_least=1)
    bits: int = knob("of a string at most", at_least=1, at_most=1_000_000)
    running: bool = knob("the parity so far stands after each bit, not once after all of them")

    def __post_init__(self) -> None:
        super().__post_init__()
        rule = f"strings have at least dataset.fewest={self.fewest}"
        require(self.bits >= self.fewest, f"dataset.bits={self.bits}", rule)

    @property
    def answers(self) -> str:
        return "eo"

    def at_length(self, length: int) -> tuple[Parity, int]:
        """Of so many bits."""
        own = replace(self, fewest=length, bits=length)
        return own, round(own.mean_size)

    @property
    def mean_bits(self) -> float:
        return (self.fewest + self.bits) / 2

    @property
    def mean_size(self) -> float:
        """Symbols of a string."""
        return 2 * self.mean_bits + 1 if self.running else self.mean_bits + 2

    def entropy_rate(self) -> float:
        sizes = self.bits - self.fewest + 1
        return (math.log(sizes) + self.mean_bits * math.log(2)) / self.mean_size

    def nats(self, rows: Codes) -> float:
        """The bits are news, and with each end how many they were."""
        bits = int(np.isin(rows[:, 1:], codes_of("01")).sum())
        ends = int((rows[:, 1:] == ord(END)).sum())
        return bits * math.log(2) + ends * math.log(self.bits - self.fewest + 1)

    def draw(self, draws: Draws) -> Iterator[Codes]:
        strings = max(1, DRAWN // self.bits)
        while True:
            sizes = self.fewest + draws.below(self.bits - self.fewest + 1, strings)
            ends = np.cumsum(sizes)
            bits = draws.below(2, int(ends[-1]))
            ones = np.cumsum(bits)
            parity = (
                ones - np.repeat(ones[ends - 1] - np.add.reduceat(bits, ends - sizes), sizes)
            ) % 2
            digits, letters = codes_of("01")[bits], codes_of(self.answers)[parity]
            if self.running:
                yield np.insert(np.stack([digits, letters], 1).ravel(), 2 * ends, ord(END))
            else:
                closing = np.stack([np.full(strings, ord(END), np.uint8), letters[ends - 1]], 1)
                yield np.insert(digits, np.repeat(ends, 2), closing.ravel())
