"""A study: stacks of jobs in worker processes. Its state is what the jobs' folders say.

On a CPU a worker is a process with one thread, on a GPU there is one worker. A worker that is
killed is noticed; its jobs go on from their checkpoints once more, and are reported if that fails.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from rnnlab.config import ConfigError
from rnnlab.results import Result
from rnnlab.stacking import Job

POLL_SECONDS = 0.1
TRIES = 2


@dataclass
class Task:
    """A stack's jobs, and the process that trains them."""

    jobs: list[Job]
    tries: int = 0
    process: BaseProcess | None = None
    reported: set[int] = field(default_factory=set)

    @property
    def own(self) -> list[Job]:
        """Without the lanes of jobs that have ended or go on elsewhere."""
        return [job for job in self.jobs if job.number >= 0]


def train(
    tasks: list[list[Job]],
    workers: int,
    stop: Callable[[], bool],
    watch: Callable[[], None],
    report: Callable[[Job, Result], None],
) -> None:
    """Train all stacks; `watch` is called again and again, `report` once for a job that ended.

    After a stop is asked for, workers save and end.
    """
    waiting, running = [Task(list(jobs)) for jobs in tasks], list[Task]()
    asked = False
    while waiting or running:
        if stop() and not asked:
            asked, waiting = True, []
            for task in running:
                assert task.process
                task.process.terminate()
        while waiting and len(running) < workers:
            task = waiting.pop(0)
            task.tries += 1
            task.process = _start(task.jobs, workers)
            running.append(task)
        time.sleep(POLL_SECONDS)
        watch()
        for task in list(running):
            _report_ended(task, report)
            assert task.process
            if task.process.exitcode is None:
                continue
            running.remove(task)
            left = [job for job in task.own if job.number not in task.reported]
            if not left or asked:
                continue
            if task.tries < TRIES:
                waiting.insert(0, task)
            else:
                for job in left:
                    _give_up(job, task.process.exitcode, report)


def _report_ended(task: Task, report: Callable[[Job, Result], None]) -> None:
    for job in task.own:
        if job.number in task.reported:
            continue
        result = result_of(job)
        if result and _has_ended(result, task):
            task.reported.add(job.number)
            report(job, result)


def _has_ended(result: Result, task: Task) -> bool:
    """For good: a failed job is tried once more, after its worker has ended."""
    working = task.process is not None and task.process.exitcode is None
    failed = result.status == "failed" and not working and task.tries >= TRIES
    return failed or result.status in ("completed", "diverged")


def result_of(job: Job) -> Result | None:
    """What the job's folder says, if anything yet."""
    try:
        return Result.read(job.folder)
    except ConfigError:
        return None


def _give_up(job: Job, exitcode: int, report: Callable[[Job, Result], None]) -> None:
    result = result_of(job)
    if result is None:
        return
    if result.status == "running":
        result.status = "failed"
        result.error = f"its worker process ended with exit status {exitcode}, twice"
        result.write(job.folder)
    report(job, result)


def _start(jobs: list[Job], workers: int) -> BaseProcess:
    context = multiprocessing.get_context("forkserver")
    process = context.Process(target=_work, args=(jobs, workers), daemon=True)
    process.start()
    return process


def preload() -> None:
    """Let the server that forks workers import torch meanwhile."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["rnnlab.experiment", "rnnlab.resuming"])
    from multiprocessing.forkserver import ensure_running

    ensure_running()


def _work(jobs: Sequence[Job], workers: int) -> None:
    """In the worker: begin the jobs, or go on with those that have begun."""
    import torch

    from rnnlab import experiment, interrupts, resuming

    os.setsid()  # Ctrl-C is the study's to answer
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    torch.set_num_threads(max(1, (os.cpu_count() or 1) // workers) if workers == 1 else 1)
    parent = multiprocessing.parent_process()
    assert parent
    interrupts.also_stop_when(lambda: not parent.is_alive())
    folders = [job.folder for job in jobs]
    if all((folder / "result.json").exists() for folder in folders):
        resuming.resume_stack(folders, {})
    else:
        for folder in folders:  # killed before all of them had begun
            (folder / "result.json").unlink(missing_ok=True)
        corpora = {job.config.dataset: job.corpus for job in jobs}
        experiment.run_stack([job.config for job in jobs], folders, corpora)


def last_epoch(job: Job) -> dict[str, float] | None:
    """The last line of a job's metrics.jsonl."""
    path = job.folder / "metrics.jsonl"
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().splitlines()
        return json.loads(lines[-1]) if lines else None
    except (OSError, ValueError):
        return None
