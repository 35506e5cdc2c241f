"""A study: stacks of jobs in worker processes. Its state is what the jobs' folders say.

On a CPU a worker is a process with one thread, on a GPU there is one worker. A worker that is
killed is noticed; its jobs go on from their checkpoints once more, and are reported if that fails.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from typing import Protocol

from rnnlab import workers
from rnnlab.results import Result
from rnnlab.stacking import Job

POLL_SECONDS = 0.1
TRIES = 2


class View(Protocol):
    """Who is told of what happens."""

    def refresh(self) -> None:
        """Called again and again."""

    def ended(self, job: Job, result: Result) -> None:
        """Once for each job that has completed, diverged or failed."""

    def retried(self, jobs: list[Job], reason: str) -> None:
        """Their worker has gone; they go on in another one."""


@dataclass
class Task:
    """A stack's jobs, and the process that trains them."""

    jobs: list[Job]
    tries: int = 0
    process: BaseProcess | None = None
    reported: set[int] = field(default_factory=set)

    @property
    def left(self) -> list[Job]:
        """Without jobs that have ended, and lanes of jobs that had ended before."""
        return [job for job in self.jobs if job.number >= 0 and job.number not in self.reported]

    def start(self, threads: int | None) -> BaseProcess:
        self.tries += 1
        corpora = {job.config.dataset: job.corpus for job in self.jobs}
        configs, folders = zip(*((job.config, job.folder) for job in self.jobs), strict=True)
        self.process = workers.start(configs, folders, corpora, threads)
        return self.process

    def report_ended(self, view: View) -> None:
        """What this process has written: the result of an earlier one is no news."""
        for job in self.left:
            result = Result.find(job.folder)
            ended = result and result.status in ("completed", "diverged", "failed")
            if result and ended and self.process and result.process == self.process.pid:
                self.reported.add(job.number)
                view.ended(job, result)


def train(
    stacks: list[list[Job]],
    num_workers: int,
    stop: Callable[[], bool],
    view: View,
    open_folder: Callable[[Job], None],
) -> None:
    """Train all stacks. After a stop is asked for, workers save and end.

    `open_folder` is called for each job before its worker starts.
    """
    waiting, running = [Task(list(jobs)) for jobs in stacks], list[tuple[Task, BaseProcess]]()
    asked = False
    while waiting or running:
        if stop() and not asked:
            asked, waiting = True, []
            for _, process in running:
                process.terminate()
        while waiting and len(running) < num_workers:
            task = waiting.pop(0)
            for job in task.left if not task.tries else ():
                open_folder(job)
            running.append((task, task.start(threads=1 if num_workers > 1 else None)))
        time.sleep(POLL_SECONDS)
        view.refresh()
        for task, process in list(running):
            has_ended = process.exitcode is not None  # asked before its last results are read
            task.report_ended(view)
            if not has_ended:
                continue
            running.remove((task, process))
            if not task.left or asked:
                continue
            reason = f"its worker process ended with exit status {process.exitcode}"
            if task.tries < TRIES:
                view.retried(task.left, reason)
                waiting.insert(0, task)
            for job in task.left if task.tries == TRIES else ():
                _give_up(job, reason, view)


def _give_up(job: Job, reason: str, view: View) -> None:
    """A job whose workers ended before it did."""
    result = Result.find(job.folder)
    if result:
        result.status, result.error = "failed", f"{reason}, twice"
        result.write(job.folder)
        view.ended(job, result)
