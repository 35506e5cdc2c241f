"""A kind of text: one class, which gives the bytes; corpus.py makes tokens of them."""

from __future__ import annotations

import codecs
from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from rnnlab._common.choices import Choice, knob
from rnnlab._common.errors import ConfigError, require


class Clean(StrEnum):
    """letters: the textbook's rule (lower-case a-z, every other run one space). none: as it is."""

    letters = "letters"
    none = "none"


class Token(StrEnum):
    char = "char"
    word = "word"


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
    prefixes: tuple[str, ...] = knob("what samples begin with; []: the text's own beginning")

    def __post_init__(self) -> None:
        object.__setattr__(self, "prefixes", tuple(self.prefixes))
        texts = all(isinstance(prefix, str) for prefix in self.prefixes)
        require(texts, f"dataset.prefixes={list(self.prefixes)}", "it is a list of texts")
        super().__post_init__()

    @abstractmethod
    def read(self) -> bytes:
        """The text in UTF-8, from this machine; raises ConfigError where it is not there."""

    def fetch(self) -> None:
        """Get the text onto this machine if it is not there: only for a command that was typed.

        Raises ConfigError where it cannot be had.
        """

    @property
    def place(self) -> str:
        """What to call it in a sentence."""
        return self.name


def read_file(path: Path) -> bytes:
    """The bytes without a byte order mark; raises ConfigError where they are not UTF-8."""
    try:
        raw = path.read_bytes()
        raw.decode()
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8 (byte {error.start} is 0x{error.object[error.start]:02x}); "
            f"convert it, for example with: iconv -f latin1 -t utf-8 FILE > NEW_FILE"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    return raw.removeprefix(codecs.BOM_UTF8)
