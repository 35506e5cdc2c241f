"""Who trains a run's folder: the last that has said so in result.json.

A lock keeps two processes of one machine out of a folder (folder.held). Machines that share a file
system may not see each other's locks, or see one that nobody holds any more. So whoever begins
writes down where it runs, a mark that nobody else has, and from time to time that it is alive. Who
finds another's mark there has lost the folder: it writes nothing there any more, and ends.
"""

from __future__ import annotations

import math
import os
import platform
import secrets
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rnnlab._common.files import opened
from rnnlab._common.machine import is_alive
from rnnlab.runs.folder import RESULT
from rnnlab.runs.result import Result, Status
from rnnlab.runs.surroundings import moment

LOOK_SECONDS = 1.0  # between two looks whether the folder is still one's own
BEAT_SECONDS = 10.0  # between two signs of life
SILENCE_SECONDS = 60.0  # after which nobody is thought to be alive
QUEUED_AS = "RNNLAB_JOB"  # environment variable: what a queue calls this process


class LostError(RuntimeError):
    """Another process trains the folder now."""


class Owner:
    """This process, as the one that trains a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.mark = folder, secrets.token_hex(8)
        self.written: tuple[int, int, int] | None = None  # what the file is, since it was written
        self.is_lost = False

    def sign(self, result: Result) -> None:
        """Who writes it, and when."""
        result.owner, result.process, result.job = self.mark, os.getpid(), os.environ.get(QUEUED_AS)
        result.heartbeat = moment()

    def wrote(self) -> None:
        self.written = _identity(self.folder)

    def require(self) -> None:
        """Raise LostError once the folder is another's; costs a few microseconds."""
        there = _identity(self.folder)
        if self.written is None or there in (self.written, None):  # where it is gone writing fails
            return
        result = Result.find(self.folder)
        if result and result.owner == self.mark:
            self.wrote()
            return
        self.is_lost = True
        who = said_of(result) if result else "another process"
        raise LostError(f"{who} trains {self.folder} now; this process leaves it alone")


def said_of(result: Result) -> str:
    """process 123 on HOST (slurm job 7)."""
    queued = f" ({result.job})" if result.job else ""
    return f"process {result.process} on {result.host.get('name', 'another machine')}{queued}"


def may_be_alive(result: Result) -> bool:
    """Somebody trains the run, for all that can be seen from here."""
    if result.status != Status.running or result.heartbeat is None:
        return False
    if result.host.get("name") == platform.node() and not is_alive(result.process):
        return False
    return seconds_since(result.heartbeat) < SILENCE_SECONDS


def seconds_since(text: str) -> float:
    """Infinite where it is no time."""
    try:
        then = datetime.fromisoformat(text)
        return time.time() - then.timestamp() if then.tzinfo else math.inf
    except (ValueError, OverflowError):
        return math.inf


def take_over(folders: Sequence[Path]) -> None:
    """From whoever may still train there, unseen by the lock: it is told, and has time to look."""
    found = {folder: Result.find(folder) for folder in folders}
    alive = {folder: own for folder, own in found.items() if own and may_be_alive(own)}
    for folder, result in alive.items():
        Owner(folder).sign(result)
        result.write(folder)
    if alive:
        time.sleep(2 * LOOK_SECONDS)


def _identity(folder: Path) -> tuple[int, int, int] | None:
    """Changes whenever the file is replaced; it is opened since network file systems look then."""
    try:
        with opened(folder, RESULT) as file:
            found = os.fstat(file.fileno())
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
