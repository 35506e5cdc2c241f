"""A study's stacks on an executor. Its state is what the jobs' folders say.

A worker that vanishes is noticed; its jobs go on from their checkpoints once more, and are reported
if that fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from rnnlab.runs.failure import note_vanished
from rnnlab.runs.ownership import may_be_alive
from rnnlab.runs.preflight import Corpora
from rnnlab.runs.result import Result
from rnnlab.studies.executors import Executor, Task
from rnnlab.studies.job import Job
from rnnlab.studies.stacks import Stack
from rnnlab.studies.tasks import note, submitted

POLL_SECONDS = 0.1  # between two looks at the workers
LOOK_SECONDS = 1.0  # at the folders


class View(Protocol):
    """Who is told of what happens."""

    def refresh(self) -> None:
        """Called every second."""

    def ended(self, job: Job, result: Result) -> None:
        """Once for each job that has completed, diverged or failed."""

    def retried(self, jobs: list[Job], reason: str) -> None:
        """Their worker has gone; they go on in another one."""


@dataclass
class Work:
    """A stack on its way: waiting, then in training by the executor's handle."""

    stack: Stack
    is_retry: bool = False
    is_open: bool = False  # its jobs have their folders
    handle: Any = None
    reported: set[Path] = field(default_factory=set)

    @property
    def left(self) -> list[Job]:
        return [job for job in self.stack if job.folder not in self.reported]

    def open(self, open_folder: Callable[[Job], None]) -> None:
        for job in self.stack if not self.is_open else ():
            open_folder(job)
        self.is_open = True

    def task(self, study: Path) -> Task:
        return Task(
            configs={job.folder: job.config for job in self.stack},
            corpora=Corpora({job.config.dataset: job.corpus for job in self.stack}),
            swept=list(self.stack[0].swept),
            study=study,
        )

    def report_ended(self, view: View) -> None:
        """That a job failed before this study went on with it is no news."""
        for job in self.left:
            result = Result.find(job.folder)
            if result and result.has_ended and result != job.before:
                self.reported.add(job.folder)
                view.ended(job, result)


class Loop:
    """All stacks, from waiting to ended.

    `divide` makes stacks of jobs; `open_folder` is called for each job before its worker starts.
    What trains in a queue already is taken up where it is.
    """

    def __init__(
        self,
        executor: Executor[Any],
        divide: Callable[[Sequence[Job]], list[Stack]],
        open_folder: Callable[[Job], None],
        view: View,
        study: Path,
    ) -> None:
        self.study = study
        self.executor, self.divide, self.open_folder = executor, divide, open_folder
        self.view = view
        self.waiting: list[Work] = []
        self.running: list[Work] = []
        self.stopping = False

    def train(self, jobs: Sequence[Job], stop: Callable[[], bool]) -> None:
        """Until all have ended; after a stop is asked for, workers save and end.

        Who asks twice does not wait: KeyboardInterrupt goes through, and no worker is left.
        """
        self._take_up(jobs)
        try:
            self._until_all_ended(stop)
        except KeyboardInterrupt:
            for work in self.running:
                self.executor.kill(work.handle)
            raise

    def leave(self, jobs: Sequence[Job]) -> dict[str, list[Job]]:
        """Hand all to the queue, which has room; returns what it calls them."""
        self._take_up(jobs)
        self._start()
        return {str(self.executor.name(work.handle)): work.stack for work in self.running}

    def _take_up(self, jobs: Sequence[Job]) -> None:
        left = {job.folder: job for job in jobs}
        for task in reversed(submitted(self.study)):  # the last word on a folder
            stack = [left[folder] for folder in task.folders if folder in left]
            handle = self.executor.adopt(task.name) if stack else None
            if handle is not None:
                self.running.append(Work(stack, is_open=True, handle=handle))
                left = {folder: job for folder, job in left.items() if job not in stack}
        self.waiting = [Work(stack) for stack in self.divide([*left.values()])]

    def _until_all_ended(self, stop: Callable[[], bool]) -> None:
        looked = time.monotonic()
        while self.waiting or self.running:
            if stop() and not self.stopping:
                self._stop()
            self._start()
            time.sleep(POLL_SECONDS)
            looks = time.monotonic() - looked > LOOK_SECONDS
            if looks:
                looked = time.monotonic()
                self.view.refresh()
            for work in list(self.running):
                self._look_at(work, looks)

    def _stop(self) -> None:
        self.stopping, self.waiting = True, []
        for work in self.running:
            self.executor.stop(work.handle)
            if self.executor.name(work.handle) and not any(map(_trains, work.stack)):
                self.executor.kill(work.handle)  # it waits, and may do so for long

    def _start(self) -> None:
        """As many as there is room for; and open another one's folders meanwhile."""
        while self.waiting and len(self.running) < self.executor.slots:
            work = self.waiting.pop(0)
            work.open(self.open_folder)
            work.handle = self.executor.start(work.task(self.study))
            if name := self.executor.name(work.handle):
                note(self.study, name, [job.folder for job in work.stack])
            self.running.append(work)
        if unopened := next((work for work in self.waiting if not work.is_open), None):
            unopened.open(self.open_folder)

    def _look_at(self, work: Work, looks: bool) -> None:
        ended = self.executor.poll(work.handle)  # before its last results are read
        if looks or ended is not None:
            work.report_ended(self.view)
        if ended is None:
            return
        self.running.remove(work)
        if work.left and not self.stopping:
            self._miss(work, f"the worker {ended}")

    def _miss(self, work: Work, reason: str) -> None:
        """Its worker ended before its jobs."""
        if work.is_retry:
            for job in work.left:
                self.view.ended(job, note_vanished(job.folder, f"{reason}, twice"))
            return
        self.view.retried(work.left, reason)
        left = [replace(job, before=Result.find(job.folder)) for job in work.left]
        self.waiting[:0] = [Work(stack, is_retry=True) for stack in self.divide(left)]


def _trains(job: Job) -> bool:
    result = Result.find(job.folder)
    return result is not None and may_be_alive(result)
