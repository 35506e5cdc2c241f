"""Threads that take parts of some work: whoever is free takes the next.

A part that is compiled leaves the interpreter to the others. Idle threads sleep.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Thread

Work = Callable[[int], None]  # for a thread, which is given its number
Ended = SimpleQueue[BaseException | None]
Inbox = SimpleQueue[tuple[Work, Ended] | None]


class Crew:
    """So many threads, the caller's own among them as number 0; they end with this object."""

    def __init__(self, number: int) -> None:
        self.inboxes: list[Inbox] = [SimpleQueue() for _ in range(number - 1)]
        for n, inbox in enumerate(self.inboxes, start=1):
            Thread(target=_serve, args=(inbox, n), daemon=True).start()
        weakref.finalize(self, _dismiss, self.inboxes)

    def do(self, parts: Sequence[Work], number: int) -> None:
        """All parts, on so many threads at most; raises what one of them raised."""
        waiting = iter(parts)

        def work(n: int) -> None:
            for part in waiting:
                part(n)

        others = self.inboxes[: max(0, min(number, len(parts)) - 1)]
        if not others:
            work(0)
            return
        ended: Ended = SimpleQueue()
        for inbox in others:
            inbox.put((work, ended))
        failed = _attempt(work, 0)
        for _ in others:
            failed = ended.get() or failed
        if failed:
            raise failed


def _serve(inbox: Inbox, n: int) -> None:
    while given := inbox.get():
        work, ended = given
        ended.put(_attempt(work, n))
        del work, given


def _attempt(work: Work, n: int) -> BaseException | None:
    try:
        work(n)
    except BaseException as error:
        return error
    return None


def _dismiss(inboxes: list[Inbox]) -> None:
    for inbox in inboxes:
        inbox.put(None)
