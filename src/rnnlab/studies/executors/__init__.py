"""Where stacks train: an Executor starts them, is asked how they are, and stops or kills them.

    handle = executor.start(task)
    while executor.poll(handle) is None: ...      # its jobs' results are in their folders
    executor.stop(handle)                         # they save and end; poll tells when
    executor.kill(handle)                         # they do not save; nobody polls any more

A task says all that its worker needs, and what comes of it stands in the runs' folders: so a worker
may be a process here (local), a job of Slurm or an actor of Ray, on another machine that sees the
same folders. What an executor keeps:

- start returns at once; the task may wait in a queue. poll then goes on to say None.
- poll is cheap, and asked ten times a second; it goes on to say how the task ended.
- kill waits for nothing, and works on a worker that hangs: the study's process ends next. The runs
  are left as by any kill, and go on from their checkpoints when they are asked for again.
- A worker that vanishes has ended: poll says so. The study starts its jobs once more.
- Where workers outlive the study's process, name says what a later one adopts them by.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol, TypeVar

from rnnlab.config.schema import Config
from rnnlab.runs.preflight import Corpora

Handle = TypeVar("Handle")


@dataclass(frozen=True)
class Task:
    """What a worker is to train: runs by their folders, in the order of their lanes.

    Whether they begin or go on, their folders say: so a task that is done again, whoever asks for
    it, does what is left to do.
    """

    configs: dict[Path, Config]
    corpora: Corpora = field(default_factory=Corpora)  # others are read where it trains
    swept: list[str] = field(default_factory=list)
    apart: bool = False  # without places for those that it trained with before: they need memory
    study: Path | None = None  # whose folder may ask for a stop (worker.STOP)
    typed: list[str] = field(default_factory=lambda: sys.orig_argv)  # the study's command

    @property
    def folders(self) -> list[Path]:
        return [*self.configs]

    def seen_from_elsewhere(self) -> Task:
        """By paths that another machine has too, and without texts, which are read there."""
        configs = {folder.absolute(): config for folder, config in self.configs.items()}
        study = self.study and self.study.absolute()
        return replace(self, configs=configs, study=study, corpora=Corpora())


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

    def name(self, handle: Handle) -> str | None:
        """What the queue calls it; None where the task ends with this process."""
        ...

    def adopt(self, name: str) -> Handle | None:
        """A task that another process has started; None where it is no more."""
        ...
