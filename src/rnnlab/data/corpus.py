"""Text -> vocabulary -> tokens, as one compact integer array. Imports no torch.

The rules are the textbook's (DESIGN: Text). Everything is vectorised: no Python loop runs over
characters. Shapes: N tokens in the corpus, V vocabulary entries.
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rnnlab._common.errors import ConfigError, require
from rnnlab.data.source import Clean, Source, Token

UNKNOWN = "<unk>"
NEWLINE = "\n"
NUM_CODE_POINTS = 0x110000
CHUNK = 1 << 20


@dataclass(frozen=True)
class Vocabulary:
    """Tokens by falling frequency, ties by first appearance; <unk> is 0."""

    tokens: tuple[str, ...]
    kind: str = Token.char  # what a token is: char or word

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, text: str, clean: Clean = Clean.none) -> list[int]:
        """Indices of a prompt's tokens, once it is cleaned as the text was.

        Raises ConfigError for an empty text or a token the vocabulary lacks: unlike the corpus, a
        prompt is typed by a person, who should be told.
        """
        if self.kind == Token.word:
            pieces = _words(text.encode(errors="replace"), clean, NEWLINE in self.tokens)
        else:
            pieces = list(_as_letters(text) if clean == Clean.letters else text)
        after = f" after dataset.clean={clean}" if clean != Clean.none else ""
        require(bool(pieces), f"the prefix {text!r}", f"it needs at least one token{after}")
        index = {token: i for i, token in enumerate(self.tokens)}
        unknown = sorted({piece for piece in pieces if piece not in index})
        hint = "" if self.kind == Token.word else f", which has {''.join(self.tokens[1:81])!r}"
        require(
            not unknown,
            f"the prefix {text!r}",
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
    train: NDArray[np.integer]  # (N,) uint8, int16 or int32: the smallest that holds V
    held_out: NDArray[np.integer]
    clean: Clean = Clean.none  # how the text was cleaned, and prompts are

    def encode(self, prompt: str) -> list[int]:
        """Indices of a prompt's tokens; see Vocabulary.encode."""
        return self.vocabulary.encode(prompt, self.clean)

    def prefixes(self, wanted: tuple[str, ...]) -> tuple[str, ...]:
        """What samples begin with: `wanted`, else the first known tokens of the text itself."""
        for prefix in wanted:
            self.encode(prefix)
        known = np.flatnonzero(self.train)
        run = self.train[known[0] :][:10] if len(known) else self.train[:0]
        unknown = np.flatnonzero(run == 0)
        own = run[: unknown[0]] if len(unknown) else run
        return wanted or (self.vocabulary.decode(own.tolist()),)


def load(dataset: Source) -> Corpus:
    """Read, clean and cut the text that `dataset` names.

    Raises ConfigError when it is not there, empty, not UTF-8 or not what its checksum says.
    """
    raw = dataset.read()
    digest = hashlib.sha256(raw).hexdigest()
    tokens, vocabulary = tokenize(raw, dataset)
    if not len(tokens):
        raise ConfigError(f"{dataset.place} has no text in it after dataset.clean={dataset.clean}.")
    tokens = tokens[: dataset.max_tokens]
    require(
        bool(tokens.any()),
        f"dataset.min_freq={dataset.min_freq}",
        "every token of the text is rarer; take a smaller min_freq",
    )
    num_train = len(tokens) - round(dataset.val_fraction * len(tokens))
    train, held_out = tokens[:num_train], tokens[num_train:]
    return Corpus(dataset.name, digest, vocabulary, train, held_out, dataset.clean)


def tokenize(raw: bytes, dataset: Source) -> tuple[NDArray[np.integer], Vocabulary]:
    """Token indices (N,) of a UTF-8 text by the dataset's rules, and their vocabulary."""
    if dataset.token == Token.word:
        words = _words(raw, dataset.clean, dataset.newlines)
        return _index_words(words, dataset.min_freq)
    if dataset.clean == Clean.letters:
        codes = _letters(raw)
    else:
        codes = np.frombuffer(raw.decode().encode("utf-32-le"), np.uint32)
    return _index_characters(codes, dataset.min_freq)


# what the textbook's cleaning makes of each byte, before spaces and line ends are dealt with
LETTERS = bytes(
    byte | 0x20 if chr(byte).isascii() and chr(byte).isalpha() else (10 if byte in b"\r\n" else 32)
    for byte in range(256)
)


def _letters(raw: bytes) -> NDArray[np.uint8]:
    """The textbook's cleaning, as ASCII codes.

    Each line: a run of other characters becomes one space; strip; lower case. The lines are then
    joined with nothing between them.
    """
    codes = np.frombuffer(raw.translate(LETTERS), np.uint8)
    is_space = codes == ord(" ")
    is_space[1:] &= is_space[:-1]
    is_space[:1] = False
    codes = codes[~is_space]  # each run of spaces is one space now
    is_end = codes == ord("\n")
    at_edge = np.ones_like(is_end)  # at a line's edge, or the text's
    at_edge[1:-1] = is_end[:-2] | is_end[2:]
    return codes[~is_end & ~((codes == ord(" ")) & at_edge)]


def _as_letters(prompt: str) -> str:
    """A prompt need not be a whole line: a space that was typed at its edge stays."""
    cleaned = _letters(prompt.encode(errors="replace")).tobytes().decode()
    before, after = (" " if prompt[edge] == " " else "" for edge in (slice(1), slice(-1, None)))
    return f"{before}{cleaned}{after}" if cleaned else before


def _words(raw: bytes, clean: Clean, newlines: bool) -> list[str]:
    if newlines:
        raw = raw.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    text = (raw.translate(LETTERS) if clean == Clean.letters else raw).decode()
    return re.findall(r"\n|\S+", text) if newlines else text.split()


def _index_characters(
    codes: NDArray[np.integer], min_freq: int
) -> tuple[NDArray[np.integer], Vocabulary]:
    counts = np.zeros(NUM_CODE_POINTS, np.int64)
    order: list[int] = []  # code points by first appearance
    for start in range(0, len(codes), CHUNK):
        chunk = codes[start : start + CHUNK]
        here = np.bincount(chunk, minlength=1)
        new = np.flatnonzero(here[: len(counts)] * (counts[: len(here)] == 0))
        order += sorted(new.tolist(), key=lambda code: int(np.argmax(chunk == code)))
        counts[: len(here)] += here
    kept = [code for code in order if counts[code] >= min_freq]
    kept.sort(key=lambda code: -counts[code])  # stable: ties stay by first appearance
    index = np.zeros(NUM_CODE_POINTS, _compact(len(kept) + 1))
    index[kept] = np.arange(1, len(kept) + 1)
    return index[codes], Vocabulary((UNKNOWN, *map(chr, kept)), Token.char)


def _index_words(words: list[str], min_freq: int) -> tuple[NDArray[np.integer], Vocabulary]:
    counts = Counter(words)
    kept = [word for word, count in counts.most_common() if count >= min_freq]
    index = {word: i for i, word in enumerate(kept, start=1)}
    tokens = np.fromiter((index.get(word, 0) for word in words), np.int32, len(words))
    return tokens.astype(_compact(len(kept) + 1)), Vocabulary((UNKNOWN, *kept), Token.word)


def _compact(num_values: int) -> type[np.integer]:
    """The smallest integer type that torch has and that holds 0..num_values-1."""
    if num_values <= 1 << 8:
        return np.uint8
    return np.int16 if num_values <= 1 << 15 else np.int32
