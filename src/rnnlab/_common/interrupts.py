"""Ctrl-C and SIGTERM ask a run to stop at the next minibatch; a second one ends it at once.

So do SIGHUP, which a closed terminal sends, and Windows' Ctrl-Break, where the system has them.
"""

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


class StopAskedError(Exception):
    """Ends what has nothing to save, and is done from its beginning the next time."""


_others: list[Callable[[], bool]] = []
_warnings: set[signal.Signals] = set()  # signals that have their answer


def also_stop_when(asked: Callable[[], bool]) -> None:
    """A stop is also asked for when this function says so."""
    _others.append(asked)


def warned_by(*signals: signal.Signals) -> Callable[[], bool]:
    """These ask for a stop from here on, and for no more, however often they come.

    Returns a function that tells whether one has come.
    """
    came = threading.Event()
    for number in signals:
        signal.signal(number, lambda *_: came.set())
    _warnings.update(signals)
    also_stop_when(came.is_set)
    return came.is_set


def _handled_by(handler: Callable[[int, Any], None]) -> dict[signal.Signals, Any]:
    """Let it answer all that ask for a stop; returns what answered before.

    A SIGHUP that is ignored stays so: that is what nohup asks for.
    """
    names = ["SIGINT", "SIGTERM", "SIGBREAK"]
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        names.append("SIGHUP")
    signals = {getattr(signal, name) for name in names if hasattr(signal, name)} - _warnings
    return {number: signal.signal(number, handler) for number in signals}


@contextmanager
def ending_at_once(status: int) -> Iterator[None]:
    """Before a run has begun there is nothing to save: end with this exit status."""

    def end(number: int, frame: Any) -> None:  # noqa: ARG001
        print("interrupted before training began", file=sys.stderr, flush=True)
        os._exit(status)

    before = _handled_by(end)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Yields a function that tells whether a stop was asked for since the block began."""
    asked = threading.Event()

    def ask(number: int, frame: Any) -> None:  # noqa: ARG001
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    if threading.current_thread() is not threading.main_thread():
        yield asked.is_set  # only the main thread may handle signals
        return
    before = _handled_by(ask)
    try:
        yield lambda: asked.is_set() or any(other() for other in _others)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
