"""Runs in a process of their own, which the one that started it can kill and replace.

A server that has imported torch forks them, so that a start takes no second.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from collections.abc import Sequence
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from rnnlab.config import Config
from rnnlab.files import locked
from rnnlab.preflight import Corpora
from rnnlab.results import Result

PATIENCE = 60  # seconds
_context = multiprocessing.get_context("forkserver")


def preload() -> None:
    """Let the server import torch meanwhile."""
    _context.set_forkserver_preload(["rnnlab.resuming"])
    ensure_running()


def start(
    configs: Sequence[Config],
    folders: Sequence[Path],
    corpora: Corpora | None = None,
    swept: Sequence[str] = (),
    threads: int | None = None,
) -> BaseProcess:
    """Train a stack in its folders, or go on with it; with so many threads, or torch's number."""
    preload()
    arguments = (threads, list(configs), list(folders), corpora or {}, list(swept))
    process = _context.Process(target=_work, args=arguments, daemon=True)
    process.start()
    return process


def _work(threads: int | None, *stack: Any) -> None:
    import torch

    from rnnlab import interrupts, resuming

    os.setsid()  # Ctrl-C is for the one that started it to answer
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    if threads:
        torch.set_num_threads(threads)
    parent = multiprocessing.parent_process()
    assert parent
    interrupts.also_stop_when(lambda: not parent.is_alive())
    _, folders, *_ = stack
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder, PATIENCE):  # the worker of a study that was killed may still save
            pass
    try:
        resuming.begin_or_resume(*stack)
    except Exception:
        result = Result.find(folders[0])
        if result and result.status == "failed":  # it says why
            sys.exit(1)
        raise
