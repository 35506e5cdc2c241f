"""How a text is cut into tokens, a block at a time: bytes -> pieces -> indices. Imports no torch.

The rules are the textbook's (DESIGN: Text). Everything is vectorised: no Python loop runs over
characters. Where blocks end makes no difference, as long as it is between characters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rnnlab.data.source import Clean, Indices, Source, Token

UNKNOWN = "<unk>"
NEWLINE = "\n"
NUM_CODE_POINTS = 0x110000
CHUNK = 1 << 20
# what the textbook's cleaning makes of each byte, before spaces and line ends are dealt with
LETTERS = bytes(
    byte | 0x20 if chr(byte).isascii() and chr(byte).isalpha() else (10 if byte in b"\r\n" else 32)
    for byte in range(256)
)


class Cut(Protocol):
    """A way to cut: pieces are tokens in some form, many at once."""

    def pieces(self, blocks: Iterable[bytes]) -> Iterator[Any]:
        """All of a text, cleaned."""
        ...

    def counts(self, pieces: Iterable[Any]) -> dict[str, int]:
        """How often each token is there, by first appearance."""
        ...

    def to_indices(self, tokens: Sequence[str]) -> Callable[[Any], Indices]:
        """From a piece to indices into `tokens`, of which the first stands for all others."""
        ...


def cut_of(dataset: Source) -> Cut:
    if dataset.token == Token.word:
        return Words(dataset.clean, dataset.newlines)
    return Characters(dataset.clean)


def ordered(counts: dict[str, int], min_freq: int) -> tuple[str, ...]:
    """A vocabulary: <unk>, then by falling frequency, ties by first appearance."""
    kept = [token for token, count in counts.items() if count >= min_freq]
    return UNKNOWN, *sorted(kept, key=lambda token: -counts[token])


def compact(num_values: int) -> type[np.integer]:
    """The smallest integer type that torch has and that holds 0..num_values-1."""
    if num_values <= 1 << 8:
        return np.uint8
    return np.int16 if num_values <= 1 << 15 else np.int32


@dataclass(frozen=True)
class Characters:
    """Pieces are arrays of code points."""

    clean: Clean

    def pieces(self, blocks: Iterable[bytes]) -> Iterator[Indices]:
        return _letters_of(blocks) if self.clean == Clean.letters else map(_code_points, blocks)

    def counts(self, pieces: Iterable[Indices]) -> dict[str, int]:
        counts = np.zeros(NUM_CODE_POINTS, np.int64)
        order: list[int] = []
        for piece in pieces:
            for start in range(0, len(piece), CHUNK):
                chunk = piece[start : start + CHUNK]
                here = _histogram(chunk)
                new = np.flatnonzero(here * (counts[: len(here)] == 0))
                order += sorted(new.tolist(), key=lambda code: int(np.argmax(chunk == code)))
                counts[: len(here)] += here
        return {chr(code): int(counts[code]) for code in order}

    def to_indices(self, tokens: Sequence[str]) -> Callable[[Indices], Indices]:
        table = np.zeros(NUM_CODE_POINTS, compact(len(tokens)))
        table[[ord(token) for token in tokens[1:]]] = np.arange(1, len(tokens))
        of_bytes = table[:256].tobytes()

        def indices(piece: Indices) -> Indices:
            if piece.dtype == table.dtype == np.uint8:  # twice as fast
                return np.frombuffer(piece.tobytes().translate(of_bytes), np.uint8)
            return table[piece]

        return indices


def _histogram(codes: Indices) -> NDArray[np.int64]:
    """How often each code is there; bytes are counted in pairs, in half the time."""
    if codes.dtype != np.uint8:
        return np.bincount(codes)
    even = len(codes) & ~1
    pairs = np.bincount(codes[:even].view(np.uint16), minlength=1 << 16).reshape(256, 256)
    return pairs.sum(0) + pairs.sum(1) + np.bincount(codes[even:], minlength=256)


def _code_points(block: bytes) -> Indices:
    if block.isascii():
        return np.frombuffer(block, np.uint8)
    return np.frombuffer(block.decode().encode("utf-32-le"), np.uint32)


def _letters_of(blocks: Iterable[bytes]) -> Iterator[Indices]:
    """As `letters` of all blocks together: what follows a block's last letter waits for the next.

    So does that letter, beside which it is no text's edge.
    """
    rest = b""
    for block in blocks:
        text = rest + block.translate(LETTERS)
        last = len(text.rstrip(b" \n")) - 1
        if last < 0:
            continue  # the text's edge
        gap = text[last + 1 :]
        rest = text[last : last + 1] + (b"\n" if b"\n" in gap else gap[:1])
        yield _joined(text[: last + 1])[:-1]
    yield np.frombuffer(rest[:1], np.uint8)


def letters(raw: bytes) -> NDArray[np.uint8]:
    """The textbook's cleaning, as ASCII codes.

    Each line: a run of other characters becomes one space; strip; lower case. The lines are then
    joined with nothing between them.
    """
    return _joined(raw.translate(LETTERS))


def _joined(lines: bytes) -> NDArray[np.uint8]:
    """Of letters, spaces and line ends."""
    codes = np.frombuffer(lines, np.uint8)
    is_space = codes == ord(" ")
    is_space[1:] &= is_space[:-1]
    is_space[:1] = False
    codes = codes[~is_space]  # each run of spaces is one space now
    is_end = codes == ord("\n")
    at_edge = np.ones_like(is_end)  # at a line's edge, or the text's
    at_edge[1:-1] = is_end[:-2] | is_end[2:]
    return codes[~is_end & ~((codes == ord(" ")) & at_edge)]


@dataclass(frozen=True)
class Words:
    """Pieces are lists of words; with `newlines` every line end is one too."""

    clean: Clean
    newlines: bool

    def pieces(self, blocks: Iterable[bytes]) -> Iterator[list[str]]:
        rest = ""
        for block in blocks:
            text = rest + block.decode()
            half = "\r" if self.newlines and text.endswith("\r") else ""  # of a line end, perhaps
            text = self._cleaned(text.removesuffix(half))
            words = self._split(text)
            in_a_word = bool(words) and not text[-1].isspace()
            rest = (words.pop() if in_a_word else "") + half
            yield words
        yield self._split(self._cleaned(rest))

    def counts(self, pieces: Iterable[list[str]]) -> dict[str, int]:
        counts = Counter[str]()
        for piece in pieces:
            counts.update(piece)
        return counts

    def to_indices(self, tokens: Sequence[str]) -> Callable[[list[str]], Indices]:
        dtype = compact(len(tokens))
        index = {word: i for i, word in enumerate(tokens) if i}
        return lambda piece: np.fromiter((index.get(w, 0) for w in piece), dtype, len(piece))

    def _cleaned(self, text: str) -> str:
        if self.newlines:
            text = text.replace("\r\n", NEWLINE).replace("\r", NEWLINE)
        return text.encode().translate(LETTERS).decode() if self.clean == Clean.letters else text

    def _split(self, text: str) -> list[str]:
        return re.findall(r"\n|\S+", text) if self.newlines else text.split()
