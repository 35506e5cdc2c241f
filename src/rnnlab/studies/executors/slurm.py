"""Stacks as jobs of a Slurm cluster, by submitit; with cluster=local as processes of this machine.

A task that is warned (SIGUSR2 before its time limit, SIGTERM when it is preempted) saves at the
next minibatch and asks to be queued again; its folders say where it goes on.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnlab._common.errors import ConfigError
from rnnlab._common.machine import starting_apart, without_output
from rnnlab._common.program import python_path
from rnnlab.config.backends import SlurmSettings
from rnnlab.runs.ownership import QUEUED_AS
from rnnlab.studies.executors import Task
from rnnlab.studies.executors.worker import STOP, is_left, stop_asked_in, train

FOLDER = ".tasks"  # of a study: what submitit writes


class Slurm:
    """An Executor whose tasks wait in Slurm's queue."""

    slots = sys.maxsize

    def __init__(self, study: Path, settings: SlurmSettings) -> None:
        import submitit

        self.study, self.settings, self.submitit = study, settings, submitit
        self.folder = study.absolute() / FOLDER
        self.is_local = settings.cluster == "local"
        self.kind = "process" if self.is_local else "slurm"
        try:
            self.executor = submitit.AutoExecutor(self.folder, cluster=settings.cluster)
            own = {"slurm_partition": settings.partition} if settings.partition else {}
            self.executor.update_parameters(
                name=job_name(study),
                timeout_min=settings.minutes,
                cpus_per_task=settings.cpus,
                gpus_per_node=settings.gpus,
                **own,
                **settings.more,
            )
        except (RuntimeError, ValueError, NameError) as error:
            raise ConfigError(f"backend=slurm cannot be used here: {error}.") from None

    def start(self, task: Task) -> Any:
        with starting_apart(), _importable(), without_output():
            own = Training(task.seen_from_elsewhere(), self.settings.cpus)
            return self.executor.submit(own)

    def poll(self, handle: Any) -> str | None:
        if self.is_local and handle._process is None:  # another launcher's
            has_ended = not _watches_over(int(handle.job_id), self.folder)
        else:
            has_ended = handle.done()
        return f"of {self.name(handle)} ended before its jobs" if has_ended else None

    def stop(self, handle: Any) -> None:  # noqa: ARG002
        (self.study / STOP).touch()

    def kill(self, handle: Any) -> None:
        if not self.is_local:
            handle.cancel(check=False)
        elif self.poll(handle) is None:
            with suppress(ProcessLookupError):
                os.kill(int(handle.job_id), signal.SIGINT)  # it ends its task

    def name(self, handle: Any) -> str:
        return f"{self.kind} {handle.job_id}"

    def adopt(self, name: str) -> Any | None:
        if (number := _number(name, self.kind)) is None:
            return None
        kind = self.submitit.LocalJob if self.is_local else self.submitit.SlurmJob
        handle = kind(self.folder, number)
        return None if self.poll(handle) else handle


@dataclass
class Training:
    """What submitit calls where a task runs."""

    task: Task
    threads: int

    def __call__(self) -> None:
        from submitit import JobEnvironment

        from rnnlab._common import interrupts

        environment = JobEnvironment()
        kind = "slurm" if environment.name() == "slurm" else "process"
        os.environ[QUEUED_AS] = f"{kind} {environment.job_id}"
        sys.orig_argv = self.task.typed
        import torch

        torch.set_num_threads(self.threads)
        is_stopped = stop_asked_in(self.task.study)
        interrupts.also_stop_when(is_stopped)
        is_warned = interrupts.warned_by(signal.SIGUSR2, signal.SIGTERM)
        train(self.task)
        if is_warned() and is_left(self.task) and not is_stopped():
            environment._requeue(0)  # documented for submitit's plugins


def state_of(name: str, study: Path) -> str:
    """What the queue says of a task, in a word or two; empty where it is not known, or gone."""
    if (number := _number(name, "process")) is not None:
        return "running" if _watches_over(int(number), study.absolute() / FOLDER) else ""
    if (number := _number(name, "slurm")) is None:
        return ""
    command = ["squeue", "--noheader", "--jobs", number, "--format", "%T"]
    with suppress(OSError, subprocess.SubprocessError):
        answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
        return answer.stdout.strip().lower()
    return ""


def cancel_waiting(name: str, study: Path) -> None:
    """A task of this study that waits in Slurm's queue."""
    if (number := _number(name, "slurm")) is not None:
        own = f"--name={job_name(study)}"  # whatever number a folder has, no other job ends
        with suppress(OSError, subprocess.SubprocessError):
            command = ["scancel", own, "--state=PENDING", number]
            subprocess.run(command, capture_output=True, check=False, timeout=20)


def _number(name: str, kind: str) -> str | None:
    """That a task of this kind has: 123, or 123_4 of an array."""
    own, _, number = name.partition(" ")
    return number if own == kind and re.fullmatch(r"[0-9]+(_[0-9]+)?", number) else None


def job_name(study: Path) -> str:
    return f"rnnlab-{study.absolute().name}"[:60]


def _watches_over(process: int, folder: Path) -> bool:
    """A process of submitit's, over a task of this study."""
    try:
        words = Path(f"/proc/{process}/cmdline").read_bytes().decode().split("\0")
    except (OSError, ValueError):
        return False
    return "submitit.local._local" in words and str(folder) in words


@contextmanager
def _importable() -> Iterator[None]:
    """What is started inside finds this package, installed or not."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = python_path()
    try:
        yield
    finally:
        del os.environ["PYTHONPATH"]
        if before is not None:
            os.environ["PYTHONPATH"] = before
