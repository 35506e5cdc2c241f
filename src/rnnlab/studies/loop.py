"""A study: stacks of jobs in worker processes. Its state is what the jobs' folders say.

On a CPU a worker is a process with one thread, on a GPU there is one worker. A worker that is
killed is noticed; its jobs go on from their checkpoints once more, and are reported if that fails.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Protocol

from rnnlab._common.files import InUseError, locked
from rnnlab.runs.result import Result, Status
from rnnlab.studies.executors import local as workers
from rnnlab.studies.stacks import Job, Stack

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
class Task:
    """A stack, and the process that trains it."""

    stack: Stack
    is_retry: bool = False
    is_open: bool = False  # its jobs have their folders
    process: BaseProcess | None = None
    reported: set[Path] = field(default_factory=set)

    @property
    def left(self) -> list[Job]:
        return [job for job in self.stack.jobs if job.folder not in self.reported]

    def open(self, open_folder: Callable[[Job], None]) -> None:
        for job in self.stack.jobs if not self.is_open else ():
            open_folder(job)
        self.is_open = True

    def start(self, threads: int | None) -> BaseProcess:
        jobs = self.stack.jobs
        lanes = workers.Lanes(
            folders=[job.folder if job else None for job in self.stack.lanes],
            configs={job.folder: job.config for job in jobs},
            begins=self.stack.begins,
            corpora={job.config.dataset: job.corpus for job in jobs},
            swept=list(jobs[0].swept),
            threads=threads,
        )
        self.process = workers.start(lanes)
        return self.process

    def report_ended(self, view: View) -> None:
        """That a job failed before this study went on with it is no news."""
        for job in self.left:
            result = Result.find(job.folder)
            if result and result.has_ended and result != job.before:
                self.reported.add(job.folder)
                view.ended(job, result)


def train(
    divide: Callable[[list[Job]], list[Stack]],
    jobs: list[Job],
    num_workers: int,
    stop: Callable[[], bool],
    view: View,
    open_folder: Callable[[Job], None],
) -> None:
    """Train the jobs in the stacks that `divide` makes of them.

    After a stop is asked for, workers save and end. `open_folder` is called for each job before
    its worker starts.
    """
    waiting = [Task(stack) for stack in divide(jobs)]
    running: list[tuple[Task, BaseProcess]] = []
    asked, looked = False, time.monotonic()
    while waiting or running:
        if stop() and not asked:
            asked, waiting = True, []
            for _, process in running:
                process.terminate()
        while waiting and len(running) < num_workers:
            task = waiting.pop(0)
            task.open(open_folder)
            running.append((task, task.start(threads=1 if num_workers > 1 else None)))
        if unopened := next((task for task in waiting if not task.is_open), None):
            unopened.open(open_folder)  # meanwhile
        time.sleep(POLL_SECONDS)
        looks = time.monotonic() - looked > LOOK_SECONDS
        if looks:
            looked = time.monotonic()
            view.refresh()
        for task, process in list(running):
            exitcode = process.exitcode  # before its last results are read
            if looks or exitcode is not None:
                task.report_ended(view)
            if exitcode is None:
                continue
            running.remove((task, process))
            if not task.left or asked:
                continue
            reason = f"the worker process ended before its jobs, with exit status {exitcode}"
            if task.is_retry:
                for job in task.left:
                    _give_up(job, f"{reason}, twice", view)
            else:
                view.retried(task.left, reason)
                left = [replace(job, before=Result.find(job.folder)) for job in task.left]
                waiting[:0] = [Task(stack, is_retry=True) for stack in divide(left)]


def _give_up(job: Job, reason: str, view: View) -> None:
    """A job whose workers ended before it did."""
    result = Result.find(job.folder) or Result.without_run(reason)
    if not result.has_ended:
        result.status, result.error = Status.failed, reason
        with contextlib.suppress(InUseError, OSError), locked(job.folder):
            result.write(job.folder)
    view.ended(job, result)
