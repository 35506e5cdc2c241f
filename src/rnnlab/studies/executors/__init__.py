"""Where stacks train: an Executor starts them, is asked how they are, and stops or kills them.

    handle = executor.start(task)
    while executor.poll(handle) is None: ...      # its jobs' results are in their folders
    executor.stop(handle)                         # they save and end; poll tells when
    executor.kill(handle)                         # they do not save; nobody polls any more

A task says all that its worker needs, and what comes of it stands in the runs' folders: so a worker
may be a process here, a job of Slurm or an actor of Ray, on another machine that sees the same
folders. What such a backend must keep:

- start returns at once; the task may wait in a queue. poll then goes on to say None.
- poll is cheap, and asked ten times a second; it goes on to say how the task ended.
- kill waits for nothing, and works on a worker that hangs: the study's process ends next. The runs
  are left as by any kill, and go on from their checkpoints when they are asked for again.
- A worker that vanishes has ended: poll says so. The study starts its jobs once more.
- A handle that can be pickled makes a study detachable: a later process takes its tasks up again
  with an executor's own adopt(folders) -> handle, in place of start.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, TypeVar

from rnnlab.config.schema import Config
from rnnlab.runs.preflight import Corpora

Handle = TypeVar("Handle")


@dataclass(frozen=True)
class Task:
    """What a worker is to train: runs by their folders, in the order of their lanes."""

    folders: list[Path | None]  # None: an idle lane
    configs: dict[Path, Config]
    begins: bool  # else the runs go on from their checkpoints
    corpora: Corpora = field(default_factory=Corpora)
    swept: list[str] = field(default_factory=list)
    typed: list[str] = field(default_factory=lambda: sys.orig_argv)  # the study's command


class Executor(Protocol[Handle]):
    """Trains tasks somewhere."""

    @property
    def slots(self) -> int:
        """Tasks at once; a backend with a queue of its own has many."""
        ...

    def start(self, task: Task) -> Handle:
        """Begin a task, or queue it."""
        ...

    def poll(self, handle: Handle) -> str | None:
        """None while the task goes on; then how its worker ended, to follow on 'the worker'."""
        ...

    def stop(self, handle: Handle) -> None:
        """Ask the task to save and end, soon."""
        ...

    def kill(self, handle: Handle) -> None:
        """End the task at once."""
        ...
