"""Texts that are drawn, and so have a floor: each source is one file of sources/ and one YAML.

A source says how its symbols are drawn and its entropy rate, the nats a symbol that nobody can do
without over a long text: exp of it is the lowest perplexity that a model can keep. Where a finite
machine draws it (machine.py), both come from that machine.

Symbols are characters of ASCII, a token each; beside them the vocabulary has <unk>, as always. The
random numbers are bits of Philox (Salmon et al. 2011), which numpy promises not to change, so a
seed is the same text on every machine. A longer text begins with the shorter one.

Shapes: n symbols drawn at once.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from string import ascii_letters, digits
from typing import Self

import numpy as np
from numpy.typing import NDArray

from rnnlab._common.choices import knob
from rnnlab._common.errors import ConfigError, require
from rnnlab.data.source import Clean, Indices, Source, Strings, Token

SYMBOLS = ascii_letters + digits
DRAWN = 1 << 16  # symbols at once, about
TEXT, FRESH, TABLE = range(3)  # what numbers are drawn for
STRINGS = 512  # of one length, that a model is evaluated on
MOST = 1 << 26  # symbols that these have together

Codes = NDArray[np.uint8]  # (n,) in ASCII


class Draws:
    """The random numbers of a text; those for another purpose are independent of them."""

    def __init__(self, seed: int, purpose: int) -> None:
        self.bits = np.random.Philox(key=[seed, purpose])

    def uniform(self, *shape: int) -> NDArray[np.float64]:
        """In [0, 1): 53 of 64 bits."""
        raw = np.asarray(self.bits.random_raw(math.prod(shape)))
        return np.ldexp((raw >> np.uint64(11)).astype(np.float64), -53).reshape(shape)

    def below(self, count: int, *shape: int) -> NDArray[np.intp]:
        """Whole numbers 0..count-1, each as likely as the others."""
        return (count * self.uniform(*shape)).astype(np.intp)


@dataclass(frozen=True, kw_only=True)
class Synthetic(Source):
    """A text of any length, without end if it were asked for more."""

    clean: Clean = Clean.none
    token: Token = Token.char
    min_freq: int = 0
    max_tokens: int | None = knob(
        "the corpus is cut to its first tokens; null: all", default=None, at_least=2
    )
    prefixes: tuple[str, ...] = knob(
        "what samples begin with; []: the text's own beginning", default=()
    )
    length: int = knob("symbols of the text", at_least=2, at_most=10_000_000_000)
    seed: int = knob("of the text, whatever the run's own seed is", at_least=0)

    def __post_init__(self) -> None:
        for name in ("clean", "token", "min_freq"):
            value, only = getattr(self, name), getattr(Synthetic, name)
            rule = f"its symbols are taken as they are; type dataset.{name}={only}"
            require(value == only, f"dataset.{name}={value} with dataset={self.name}", rule)
        super().__post_init__()

    @abstractmethod
    def draw(self, draws: Draws) -> Iterator[Codes]:
        """The symbols without end, some at a time."""

    @abstractmethod
    def entropy_rate(self) -> float:
        """Nats a symbol, in the mean over a text without end."""

    def nats(self, rows: Codes) -> float:
        """As one does who knows where a string begins; all strings cost the same here."""
        return rows[:, 1:].size * self.entropy_rate()

    @property
    def answers(self) -> str:
        """Symbols of which one is right, for whoever remembers: a copy, a parity, what closes."""
        return ""

    def at_length(self, length: int) -> tuple[Self, int] | None:  # noqa: ARG002
        """With strings of this length alone, and the symbols of each; None where it has no such."""
        return None

    def impossible(self, length: int, held_out: int) -> str:
        try:
            found = self.at_length(length)
        except ConfigError as error:  # of a knob that nobody has typed
            _, _, rule = str(error).rstrip(".").partition(" is not allowed: ")
            return rule.partition(";")[0]
        if found is None:
            return super().impossible(length, held_out)
        symbols = STRINGS * found[1]
        rule = f"{STRINGS} strings of it have {symbols:,} symbols, and there may be {MOST:,}"
        return "" if symbols <= MOST else rule

    def strings(
        self, length: int, held_out: Indices, encode: Callable[[bytes], Indices]
    ) -> Strings:
        """For eval.lengths: fresh ones of this length, where the source has strings of a length."""
        found = self.at_length(length)
        if found is None:
            return super().strings(length, held_out, encode)
        own, size = found
        text = own.text(Draws(own.seed, FRESH), STRINGS * size)
        tokens = np.concatenate([encode(codes.tobytes()) for codes in text])
        return Strings(tokens, len(tokens) - 1, own, own.answers)

    def blocks(self) -> Iterator[bytes]:
        return (codes.tobytes() for codes in self.text(Draws(self.seed, TEXT), self.length))

    def text(self, draws: Draws, length: int) -> Iterator[Codes]:
        """The first `length` symbols."""
        for codes in self.draw(draws):
            yield codes[:length]
            length -= len(codes)
            if length <= 0:
                return


def require_symbols(count: int, known: str = SYMBOLS) -> None:
    rule = f"there are {len(known)} characters for them, {known}"
    require(count <= len(known), f"dataset.symbols={count}", rule)


def codes_of(symbols: str) -> Codes:
    return np.frombuffer(symbols.encode("ascii"), np.uint8)
