"""A bar for bytes that come, from a server or a disk."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from rnnlab._common.console import plain
from rnnlab._common.plain_console import PlainConsole


class Bar:
    """How many have come, of how many if that is known."""

    def __init__(self, progress: Progress, description: str) -> None:
        self.progress, self.done = progress, 0
        self.task = progress.add_task(plain(description), total=None)

    def advance(self, number: int, total: int | None) -> None:
        self.done += number
        self.progress.update(self.task, completed=self.done, total=total)


@contextmanager
def bar(description: str) -> Iterator[Bar]:
    text = TextColumn("{task.description}", markup=False)
    columns = (text, BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=PlainConsole()) as progress:
        yield Bar(progress, description)
