"""Runs in a process of their own, which the one that started it can kill and replace.

A server that has imported torch forks them, so that a start takes no second.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
from dataclasses import dataclass, field, replace
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from pathlib import Path

from rnnlab._common.errors import ConfigError
from rnnlab._common.files import InUseError, locked
from rnnlab.config.schema import Config
from rnnlab.runs.preflight import Corpora
from rnnlab.runs.result import Result, Status

PATIENCE = 60  # seconds
_context = multiprocessing.get_context("forkserver")


def preload() -> None:
    """Let the server import torch meanwhile. Ctrl-C is not for it to answer."""
    in_main = threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main else None
    _context.set_forkserver_preload(["rnnlab.runs.resume"])
    ensure_running()
    if in_main:
        signal.signal(signal.SIGINT, before)


@dataclass
class Lanes:
    """What a worker is to train: runs by their folders, in the order of their lanes."""

    folders: list[Path | None]  # None: an idle lane
    configs: dict[Path, Config]
    begins: bool  # else the runs go on from their checkpoints
    corpora: Corpora = field(default_factory=dict)
    swept: list[str] = field(default_factory=list)
    threads: int | None = None  # None: torch's own number


def start(lanes: Lanes) -> BaseProcess:
    preload()
    process = _context.Process(target=_work, args=(lanes,), daemon=True)
    process.start()
    return process


def _work(lanes: Lanes) -> None:
    import torch

    from rnnlab._common import interrupts

    os.setsid()  # Ctrl-C is for the one that started it to answer
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    if lanes.threads:
        torch.set_num_threads(lanes.threads)
    parent = multiprocessing.parent_process()
    assert parent
    interrupts.also_stop_when(lambda: not parent.is_alive())
    sys.exit(0 if _train(lanes) else 1)


def _train(lanes: Lanes) -> bool:
    """Whatever goes wrong is in the results then. What cannot go on together goes on alone."""
    from rnnlab.runs.resume import resume_stack
    from rnnlab.runs.stack import clear, run_stack

    folders = [folder for folder in lanes.folders if folder]
    try:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            with locked(folder, PATIENCE):  # the worker of a study that was killed may still save
                if lanes.begins:
                    clear(folder)
        if lanes.begins:
            configs = [lanes.configs[folder] for folder in folders]
            run_stack(configs, folders, lanes.corpora, lanes.swept)
        else:
            resume_stack(lanes.folders, lanes.configs, lanes.corpora)
        return True
    except ConfigError as error:
        if len(folders) > 1 and not lanes.begins:
            return _train_apart(lanes, folders)
        _note(folders, str(error))
    except Exception as error:
        _note(folders, f"{type(error).__name__}: {error}")
    return False


def _train_apart(lanes: Lanes, folders: list[Path]) -> bool:
    """One after the other, until a stop is asked for."""
    went = []
    for folder in folders:
        went.append(_train(replace(lanes, folders=[folder])))
        result = Result.find(folder)
        if result and result.status == Status.interrupted:
            break
    return all(went)


def _note(folders: list[Path], error: str) -> None:
    """The runs that do not say themselves how they ended have failed."""
    for folder in folders:
        result = Result.find(folder) or Result.without_run(error)
        told = result.status == Status.failed and result.process == os.getpid() and result.config
        if told or result.status.is_final:
            continue
        result.status, result.error, result.process = Status.failed, error, os.getpid()
        with contextlib.suppress(OSError, InUseError), locked(folder):
            result.write(folder)
