"""Workers are processes of this machine, which the one that started them can kill and replace.

On a CPU a worker has one thread; each GPU has a worker.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from rnnlab._common.machine import leave_terminal, start_method, starting_apart
from rnnlab.studies.executors import Task
from rnnlab.studies.executors.worker import stop_asked_in, train

context: Any = multiprocessing.get_context(start_method())


@dataclass(frozen=True)
class Worker:
    """A process, and the line to it: what is sent asks it to stop, and so does the line's end."""

    process: BaseProcess
    line: Connection
    gpu: int | None


@dataclass
class Local:
    """An Executor; with GPUs, a worker takes the one that has the fewest."""

    slots: int = 1
    gpus: tuple[int, ...] = ()
    workers: list[Worker] = field(default_factory=list)  # that may be alive

    def start(self, task: Task) -> Worker:
        gpu, threads = self._gpu(), 1 if self.slots > 1 else None
        worker = Worker(*begin(_work, task, threads, gpu), gpu)
        self.workers.append(worker)
        return worker

    def poll(self, handle: Worker) -> str | None:
        code = handle.process.exitcode
        return None if code is None else f"process ended before its jobs, with exit status {code}"

    def stop(self, handle: Worker) -> None:
        with suppress(OSError):  # it has ended
            handle.line.send("stop")

    def kill(self, handle: Worker) -> None:
        handle.process.kill()

    def name(self, handle: Worker) -> None:
        """It ends with this process."""

    def adopt(self, name: str) -> None:
        """There is none."""

    def _gpu(self) -> int | None:
        self.workers = [worker for worker in self.workers if self.poll(worker) is None]
        taken = [worker.gpu for worker in self.workers]
        return min(self.gpus, key=taken.count, default=None)


def preload() -> None:
    """Let the server, where the system has one, import torch meanwhile."""
    if context.get_start_method() == "forkserver":
        from rnnlab.studies.executors import server

        server.begin()


def begin(work: Callable[..., None], *given: Any) -> tuple[BaseProcess, Connection]:
    """A process that calls work(line, *given), and this end of the line to it."""
    preload()
    ours, its = context.Pipe()
    process = context.Process(target=work, args=(its, *given), daemon=True)
    with starting_apart():
        process.start()
    its.close()
    return process, ours


def _work(line: Connection, task: Task, threads: int | None, gpu: int | None) -> None:
    leave_terminal()
    sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
    import torch

    from rnnlab._common import interrupts

    def is_asked_to_stop() -> bool:
        try:
            return line.poll()  # also at its end: the study is gone
        except OSError:
            return True  # Windows says so

    sys.orig_argv = task.typed
    if threads:
        torch.set_num_threads(threads)
    if gpu is not None:
        torch.cuda.set_device(gpu)
    interrupts.also_stop_when(is_asked_to_stop)
    if is_asked_to_stop():
        sys.exit(1)  # nothing has been touched
    interrupts.also_stop_when(stop_asked_in(task.study))
    sys.exit(0 if train(task) else 1)
