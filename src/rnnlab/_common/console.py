"""All that is printed goes through here, and nothing of it decides about what is done.

A terminal that went away, a full disk behind `>`, an encoding without Greek letters: training goes
on. What comes from texts, files and names is shown as plain text, whatever is in it.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO, cast

from rnnlab._common.errors import said

# controls, invisible formats as those that reverse text, lone surrogates, line and paragraph ends
UNSAFE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def plain(text: object, keep: str = "\n\t") -> str:
    """What a terminal would obey instead of showing it becomes Python's escape: \\x1b."""
    shown = str(text)
    if shown.isprintable():
        return shown
    return "".join(c if c in keep or not _is_unsafe(c) else _escape(c) for c in shown)


def one_line(text: object) -> str:
    """The same without line ends."""
    return plain(text, keep="\t")


def _is_unsafe(character: str) -> bool:
    return unicodedata.category(character) in UNSAFE


def _escape(character: str) -> str:
    return character.encode("unicode_escape").decode()


def say(text: object) -> None:
    print(plain(text))


def complain(text: object) -> None:
    """On stderr."""
    print(plain(text), file=sys.stderr)


class Screen(io.TextIOBase):
    """A text stream that escapes what its encoding lacks, and is silent after its first failure."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.failure: Exception | None = None

    @property
    def encoding(self) -> str:  # pyrefly: ignore
        return self.stream.encoding or "utf-8"

    def isatty(self) -> bool:
        return self.failure is None and self.stream.isatty()

    def fileno(self) -> int:
        return self.stream.fileno()

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        shown = text.encode(self.encoding, "backslashreplace").decode(self.encoding)
        self._attempt(lambda: self.stream.write(shown))
        return len(text)

    def flush(self) -> None:
        self._attempt(self.stream.flush)

    def _attempt(self, action: Callable[[], object]) -> None:
        if self.failure:
            return
        try:
            action()
        except (OSError, ValueError) as failure:
            self.failure = failure
            self._sink()

    def _sink(self) -> None:
        """What is still in the stream's buffer goes nowhere when Python ends."""
        with contextlib.suppress(OSError, ValueError):
            number, null = self.stream.fileno(), os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, number)
            os.close(null)


@contextmanager
def on_screens() -> Iterator[None]:
    """Around a whole command: its stdout and stderr are Screens from here to the end of Python."""
    if isinstance(sys.stdout, Screen):  # rnnlab train comes through two doors
        yield
        return
    _open_closed()
    sys.stdout, sys.stderr = as_screen(sys.stdout), as_screen(sys.stderr)
    try:
        yield
    finally:
        if reason := lost():
            complain(f"not all of the output could be written: {reason}")


def lost() -> str | None:
    """Why stdout could not be written to; that a reader left, as in `| head`, is no reason."""
    sys.stdout.flush()
    failure = sys.stdout.failure if isinstance(sys.stdout, Screen) else None
    if failure is None or isinstance(failure, BrokenPipeError):
        return None
    return said(failure)


def _open_closed() -> None:
    """A file of a run must not get the number of a standard stream that was closed (>&-)."""
    while (null := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(null, True)
    os.close(null)


def as_screen(stream: TextIO | None) -> TextIO:
    """None is a stream that was closed: it is one that cannot be written to."""
    if isinstance(stream, Screen):
        return cast(TextIO, stream)
    return cast(TextIO, Screen(stream or Path(os.devnull).open(encoding="utf-8")))
