"""A text as tokens: its vocabulary, and what is trained on and held out. Imports no torch.

Shapes: N tokens in the corpus, V vocabulary entries.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rnnlab._common.errors import ConfigError, require
from rnnlab.data.cutting import NEWLINE, Words, compact, cut_of, letters, ordered
from rnnlab.data.source import Clean, Indices, Source, Strings, Token, hashed

LARGE = 1 << 26  # bytes of a text whose tokens are kept in a file, and not in memory
CHUNK = 1 << 20  # tokens
SHOWN = 200  # letters of a prompt that is not allowed


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by falling frequency, ties by first appearance; <unk> is 0."""

    tokens: tuple[str, ...]
    kind: str = Token.char  # what a token is: char or word

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str, clean: Clean = Clean.none, called: str = "the prefix") -> list[int]:
        """Indices of a prompt's tokens, once it is cleaned as the text was.

        Raises ConfigError for an empty text or a token the vocabulary lacks: unlike the corpus, a
        prompt is typed by a person, who should be told.
        """
        if self.kind == Token.word:
            words = Words(clean, NEWLINE in self.tokens)
            pieces = [word for piece in words.pieces([_in_utf8(text)]) for word in piece]
        else:
            pieces = list(_as_letters(text) if clean == Clean.letters else text)
        after = f" after dataset.clean={clean}" if clean != Clean.none else ""
        given = f"{called} {text if len(text) <= SHOWN else text[:SHOWN] + '...'!r}"
        require(bool(pieces), given, f"it needs at least one token{after}")
        index = {token: i for i, token in enumerate(self.tokens)}
        unknown = sorted({piece for piece in pieces if piece not in index})
        hint = "" if self.kind == Token.word else f", which has {''.join(self.tokens[1:81])!r}"
        require(
            not unknown,
            given,
            f"{', '.join(map(repr, unknown))} is not in the vocabulary{hint}",
        )
        return [index[piece] for piece in pieces]

    def decode(self, indices: list[int]) -> str:
        """The text of some indices; words have a space between them, and none at a line's end."""
        tokens = [self.tokens[i] for i in indices]
        if self.kind == Token.char:
            return "".join(tokens)
        return " ".join(tokens).replace(f" {NEWLINE}", NEWLINE).replace(f"{NEWLINE} ", NEWLINE)


@dataclass(frozen=True, eq=False)
class Corpus:
    """A text as token indices (N,), with the held-out tail apart."""

    name: str
    sha256: str  # of the text's bytes, files of a folder joined
    vocabulary: Vocabulary
    train: Indices  # (N,) uint8, int16 or int32: the smallest that holds V
    held_out: Indices
    clean: Clean = Clean.none  # how the text was cleaned, and prompts are
    file: Path | None = None  # that the tokens are mapped from
    # a token of what is held out (of all where nothing is), for whoever knows the source
    source_nats: float | None = None

    def encode(self, prompt: str) -> list[int]:
        """Indices of a prompt's tokens; see Vocabulary.encode."""
        return self.vocabulary.encode(prompt, self.clean)

    def prefixes(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """What samples begin with: `wanted`, else the first known tokens of the text itself."""
        for prefix in wanted:
            self.encode(prefix)
        run = self.train[_first_known(self.train) :][:10]
        unknown = np.flatnonzero(run == 0)
        own = run[: unknown[0]] if len(unknown) else run
        return wanted or (self.vocabulary.decode(own.tolist()),)

    def windows(self, starts: Indices, length: int) -> Indices:
        """Of a mapped text: `length` tokens from each place on, (*starts, length)."""
        from rnnlab.data.token_file import windows

        assert self.file
        return windows(self.file, starts, length)

    def __reduce__(self) -> str | tuple[Any, ...]:
        """Another process maps the same file."""
        if self.file is None:
            return super().__reduce__()
        sizes = (len(self.train), len(self.held_out))
        own = self.name, self.sha256, self.vocabulary, self.clean, self.file, self.source_nats
        return _mapped, (*own, *sizes)


def _mapped(
    name: str,
    sha256: str,
    vocabulary: Vocabulary,
    clean: Clean,
    file: Path,
    source_nats: float | None,
    train: int,
    rest: int,
) -> Corpus:
    from rnnlab.data import token_file

    tokens = token_file.mapped(file)[: train + rest]
    cut = tokens[:train], tokens[train:]
    return Corpus(name, sha256, vocabulary, *cut, clean, file, source_nats)


def load(dataset: Source) -> Corpus:
    """Read, clean and cut the text that `dataset` names.

    The tokens of a large one are kept in a file, made the first time. Raises ConfigError when the
    text is not there, empty, not UTF-8 or not what its checksum says.
    """
    digest, size, held = hashlib.sha256(), 0, list[bytes]()
    for block in hashed(dataset.blocks(), digest):
        size += len(block)
        if size <= LARGE:
            held.append(block)
    sha256, file = digest.hexdigest(), None
    if size <= LARGE:
        tokens, vocabulary = tokenize(lambda: held, dataset)
    else:
        from rnnlab.data import token_file  # and rich

        held.clear()
        tokens, words, file = token_file.kept(dataset, sha256, size)
        vocabulary = Vocabulary(words, dataset.token)
    if not len(tokens):
        raise ConfigError(f"{dataset.place} has no text in it after dataset.clean={dataset.clean}.")
    tokens = tokens[: dataset.max_tokens]
    require(
        _first_known(tokens) < len(tokens),
        f"dataset.min_freq={dataset.min_freq}",
        "every token of the text is rarer; take a smaller min_freq",
    )
    num_train = len(tokens) - round(dataset.val_fraction * len(tokens))
    train, held_out = tokens[:num_train], tokens[num_train:]
    paid = source_nats(dataset, vocabulary, (held_out if len(held_out) else train)[None])
    return Corpus(dataset.name, sha256, vocabulary, train, held_out, dataset.clean, file, paid)


def tokenize(blocks: Callable[[], Iterable[bytes]], dataset: Source) -> tuple[Indices, Vocabulary]:
    """Token indices (N,) of a UTF-8 text by the dataset's rules, and their vocabulary."""
    cut = cut_of(dataset)
    tokens = ordered(cut.counts(cut.pieces(blocks())), dataset.min_freq)
    none = np.zeros(0, compact(len(tokens)))
    indices = map(cut.to_indices(tokens), cut.pieces(blocks()))
    return np.concatenate([none, *indices]), Vocabulary(tokens, dataset.token)


def strings_of(
    length: int, dataset: Source, corpus: Corpus, between: Callable[[], None] = lambda: None
) -> Strings:
    """What a model of this corpus is evaluated on at a length of eval.lengths.

    `between` is called again and again while they are drawn: what it raises ends that.
    """
    cut = cut_of(dataset)
    to_indices = cut.to_indices(corpus.vocabulary.tokens)

    def encode(text: bytes) -> Indices:
        between()
        return np.concatenate([*map(to_indices, cut.pieces([text]))])

    return dataset.strings(length, corpus.held_out, encode)


def source_nats(dataset: Source, vocabulary: Vocabulary, rows: Indices) -> float | None:
    """Nats a token of rows (R, n), each but its first, for whoever knows the source of the text.

    Of more than a CHUNK the rate, which it then is to some 0.001. None where nobody does, or there
    is no such token.
    """
    rate, size = dataset.entropy_rate(), rows[:, 1:].size
    if rate is None or not size:
        return None
    if size > CHUNK:
        return rate
    known = {i: ord(token) for i, token in enumerate(vocabulary.tokens) if len(token) == 1}
    codes = np.array([known.get(i, 0) for i in range(len(vocabulary))], np.uint8)
    paid = dataset.nats(codes[rows])
    return None if paid is None else paid / size


def _first_known(tokens: Indices) -> int:
    """The place of the first token in the vocabulary; their number if there is none."""
    for start in range(0, len(tokens), CHUNK):
        known = np.flatnonzero(tokens[start : start + CHUNK])
        if len(known):
            return start + int(known[0])
    return len(tokens)


def _in_utf8(text: str) -> bytes:
    return text.encode(errors="replace")


def _as_letters(prompt: str) -> str:
    """A prompt need not be a whole line: a space that was typed at its edge stays."""
    cleaned = letters(_in_utf8(prompt)).tobytes().decode()
    before, after = (" " if prompt[edge] == " " else "" for edge in (slice(1), slice(-1, None)))
    return f"{before}{cleaned}{after}" if cleaned else before
