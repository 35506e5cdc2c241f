"""Workers are processes of this machine, which the one that started them can kill and replace.

A server that has imported torch forks them, so that a start takes no second. On a CPU a worker has
one thread, on a GPU there is one worker.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from pathlib import Path

from rnnlab._common.errors import ConfigError
from rnnlab.runs.failure import note_failure
from rnnlab.runs.result import Result, Status
from rnnlab.studies.executors import Task

_context = multiprocessing.get_context("forkserver")


@dataclass(frozen=True)
class Local:
    """An Executor."""

    slots: int = 1

    def start(self, task: Task) -> BaseProcess:
        preload()
        threads = 1 if self.slots > 1 else None
        process = _context.Process(target=_work, args=(task, threads), daemon=True)
        process.start()
        return process

    def poll(self, handle: BaseProcess) -> str | None:
        code = handle.exitcode
        return None if code is None else f"process ended before its jobs, with exit status {code}"

    def stop(self, handle: BaseProcess) -> None:
        handle.terminate()


def preload() -> None:
    """Let the server import torch meanwhile. Ctrl-C is not for it to answer."""
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main else None
    _context.set_forkserver_preload(["rnnlab.runs.resume"])
    with _safe_path():
        ensure_running()
    if in_main:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _safe_path() -> Iterator[None]:
    """The server and its resource tracker import nothing from the current folder.

    Both are started with python -c, which looks there for every module first.
    """
    before = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTHONSAFEPATH"]
        if before is not None:
            os.environ["PYTHONSAFEPATH"] = before


def _work(task: Task, threads: int | None) -> None:
    import torch

    from rnnlab._common import interrupts

    os.setsid()  # Ctrl-C is for the one that started it to answer
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    if threads:
        torch.set_num_threads(threads)
    parent = multiprocessing.parent_process()
    assert parent
    interrupts.also_stop_when(lambda: not parent.is_alive())
    sys.exit(0 if _train(task) else 1)


def _train(task: Task) -> bool:
    """Whatever goes wrong is in the results then. What cannot go on together goes on alone."""
    from rnnlab.runs.resume import train_stack

    folders = [folder for folder in task.folders if folder]
    try:
        train_stack(task.folders, task.configs, task.corpora, task.swept, begins=task.begins)
        return True
    except ConfigError as error:
        if len(folders) > 1 and not task.begins:
            return _train_apart(task, folders)
        said = str(error)
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    for folder in folders:
        note_failure(folder, said)
    return False


def _train_apart(task: Task, folders: list[Path]) -> bool:
    """One after the other, until a stop is asked for."""
    went = []
    for folder in folders:
        went.append(_train(replace(task, folders=[folder])))
        result = Result.find(folder)
        if result and result.status == Status.interrupted:
            break
    return all(went)
