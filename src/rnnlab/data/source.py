"""A kind of text: one class, which gives the bytes; cutting.py makes tokens of them."""

from __future__ import annotations

import codecs
import contextlib
import hashlib
import os
import stat
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.typing import NDArray

from rnnlab._common.choices import Choice, knob
from rnnlab._common.errors import ConfigError, require, said
from rnnlab.data.encodings import between_characters, require_utf8

BLOCK = 1 << 20  # bytes


class Clean(StrEnum):
    """letters: the textbook's rule (lower-case a-z, every other run one space). none: as it is."""

    letters = "letters"
    none = "none"


class Token(StrEnum):
    char = "char"
    word = "word"


Indices = NDArray[np.integer]


@dataclass(frozen=True, eq=False)
class Strings:
    """What a model is evaluated on at one length: pieces of a text, each read from the zero state.

    Piece i is tokens[i size : (i + 1) size + 1]: the token before it is read as well, so that all
    of its own are predicted. A source's own strings are one piece, read one after the other.
    """

    tokens: Indices  # (N,)
    size: int  # tokens of a piece
    source: Source  # of such pieces
    answers: str = ""  # see Synthetic


@dataclass(frozen=True, kw_only=True)
class Source(Choice, ABC):
    """Which text, how it is cut into tokens, and how much of it is used."""

    group = "dataset"

    clean: Clean = knob("letters: a-z and single spaces, the textbook's; none: as it is")
    token: Token = knob("what a token is")
    min_freq: int = knob("rarer tokens become <unk>", at_least=0)
    max_tokens: int | None = knob("the corpus is cut to its first tokens; null: all", at_least=2)
    val_fraction: float = knob(
        "share of the corpus, its tail, that is held out", at_least=0, below=1
    )
    prefixes: tuple[str, ...] = knob(
        "what samples begin with, cleaned as the text is; []: the text's own beginning"
    )
    newlines: bool = knob("with token=word: every line end is a token too", default=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefixes", tuple(self.prefixes))
        texts = all(isinstance(prefix, str) for prefix in self.prefixes)
        require(texts, f"dataset.prefixes={list(self.prefixes)}", "it is a list of texts")
        require(
            not self.newlines or self.token == Token.word,
            f"dataset.newlines=true with dataset.token={self.token}",
            "it is for dataset.token=word; as characters, dataset.clean=none keeps line ends and "
            "dataset.clean=letters has none",
        )
        super().__post_init__()

    @abstractmethod
    def blocks(self) -> Iterator[bytes]:
        """The text in UTF-8, from this machine, in parts that end between characters.

        Raises ConfigError where it is not there.
        """

    def fetch(self) -> None:
        """Get the text onto this machine if it is not there: only for a command that was typed.

        Raises ConfigError where it cannot be had.
        """

    def entropy_rate(self) -> float | None:
        """Nats a token that no model can do without, in the mean over a text without end.

        None of a text of which nobody knows it.
        """
        return None

    def nats(self, rows: NDArray[np.uint8]) -> float | None:  # noqa: ARG002
        """What whoever knows the source pays for rows (R, n) of its text, in ASCII, all together.

        Of each row but the first symbol, which is given; in the mean over texts (R n - R) times the
        entropy rate, of one text more or less than that. None where nobody knows it.
        """
        return None

    def impossible(self, length: int, held_out: int) -> str:
        """Why eval.lengths cannot have this length, with so much text held out; "" if it can."""
        needed = f"it needs {length + 1} tokens of held-out text, and there are {held_out}"
        more = "hold out more, as dataset.val_fraction=0.1 does"
        return "" if length < held_out else f"{needed}; {more}"

    def strings(
        self,
        length: int,
        held_out: Indices,
        encode: Callable[[bytes], Indices],  # noqa: ARG002
    ) -> Strings:
        """For eval.lengths: the held-out text in pieces of so many tokens."""
        return Strings(held_out, length, self)

    def left_out(self) -> str:
        """What is there and not taken, in a sentence; empty where that is nothing."""
        return ""

    def placed(self, home: Path) -> Self:  # noqa: ARG002
        """With paths that are seen from everywhere, where they were seen from this folder."""
        return self

    @property
    def place(self) -> str:
        """What to call it in a sentence."""
        return self.name


def path_of(given: str, text: str) -> Path:
    """The path that a user has typed as `given`=`text`, ~ and ~user written out.

    Raises ConfigError for one that the system cannot look up. Whether a file is there is not asked.
    """
    try:
        path = Path(text).expanduser()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.stat()
        return path
    except RuntimeError:
        rule = "the home folder that ~ stands for is not known; type the path from / on"
    except (OSError, ValueError) as error:  # a name too long, a NUL in it
        rule = f"no file can be looked up there: {said(error)}"
    raise ConfigError(f"{given}={text} is not allowed: {rule}.")


def absolute(text: str, home: Path) -> str:
    """A path that was seen from `home`; what ~ stands for is written out where it is known."""
    with contextlib.suppress(RuntimeError):
        return os.path.normpath(home / Path(text).expanduser()) if text else text
    return text


def cache_folder() -> Path:
    """What can be had again is kept there; raises ConfigError where there is no home folder."""
    return path_of("XDG_CACHE_HOME", os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "rnnlab"


def blocks_of(path: Path) -> Iterator[bytes]:
    """A file in blocks that end between characters, without a byte order mark.

    Raises ConfigError where it is no text in UTF-8.
    """
    with opened(path) as (file, size):
        at, rest = 0, b""
        while at + len(rest) < size:
            read = file.read(min(BLOCK, size - at - len(rest)))
            block = rest + read
            is_last = not read or at + len(block) >= size
            end = len(block) if is_last else between_characters(block)
            block, rest = block[:end], block[end:]
            require_utf8(path, block, at)
            yield block if at else block.removeprefix(codecs.BOM_UTF8)
            at += end
            if is_last:
                return


def hashed(blocks: Iterable[bytes], digest: Any) -> Iterator[bytes]:
    """The same blocks. Each is hashed by another thread meanwhile; all of them are at the end."""
    with ThreadPoolExecutor(1) as thread:
        before = None
        for block in blocks:
            if before:
                before.result()  # two blocks at once are in memory, and no more
            before = thread.submit(digest.update, block)
            yield block


def sha256_of(path: Path) -> str:
    """Of a file's bytes, whatever they are."""
    with opened(path) as (file, _):
        digest = hashlib.sha256()
        while block := file.read(BLOCK):
            digest.update(block)
        return digest.hexdigest()


@contextlib.contextmanager
def opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """A file that has an end, and its size: a pipe or a device could keep us for ever.

    A link is followed, since a user typed the path. Raises ConfigError, while it is read too.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            found = os.fstat(file.fileno())
            is_file = stat.S_ISREG(found.st_mode)
            require(
                is_file, str(path), "a text is read from a file, and this is a pipe or a device"
            )
            yield file, found.st_size
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {said(error)}.") from error


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))  # for a pipe's other end
