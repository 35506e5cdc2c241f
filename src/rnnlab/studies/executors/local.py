"""Workers are processes of this machine, which the one that started them can kill and replace.

A server that has imported torch forks them, so that a start takes no second. On a CPU a worker has
one thread, on a GPU there is one worker.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import stat
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing.forkserver import ensure_running
from multiprocessing.process import BaseProcess
from multiprocessing.util import Finalize
from pathlib import Path

from rnnlab._common.errors import ConfigError
from rnnlab._common.files import LOCK, InUseError, locked
from rnnlab.runs.failure import note_failure
from rnnlab.runs.result import Result, Status
from rnnlab.studies.executors import Task

_context = multiprocessing.get_context("forkserver")

SOCKET = "/rnnlab-12345678/pymp-12345678/listener-12345678"  # the server's, in the temporary folder
LONGEST = 100  # bytes of a socket's path; systems allow 103 or 107


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

    def kill(self, handle: BaseProcess) -> None:
        handle.kill()


def preload() -> None:
    """Let the server import torch meanwhile. Ctrl-C and SIGHUP are not for it to answer."""
    in_main = threading.current_thread() is threading.main_thread()
    names = ("SIGINT", "SIGHUP") if in_main else ()
    ignored = [getattr(signal, name) for name in names if hasattr(signal, name)]
    before = {number: signal.signal(number, signal.SIG_IGN) for number in ignored}
    _context.set_forkserver_preload(["rnnlab.runs.resume"])
    with _safe_path(), _own_temporary_folder():
        ensure_running()
    for number, handler in before.items():
        signal.signal(number, handler)


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


@contextmanager
def _own_temporary_folder() -> Iterator[None]:
    """What multiprocessing now puts into the temporary folder, it puts into ours there."""
    before = tempfile.gettempdir()
    tempfile.tempdir = _held_folder() or before
    try:
        yield
    finally:
        tempfile.tempdir = before


@cache
def _held_folder() -> str | None:
    """Held, and so known to be in use, for as long as this process lives.

    None where the path of a socket in it would be too long.
    """
    temporary = Path(tempfile.gettempdir())
    if len(os.fsencode(temporary)) + len(SOCKET) > LONGEST:
        return None
    remove_leftovers(temporary)
    folder = Path(tempfile.mkdtemp(prefix="rnnlab-"))
    holding = ExitStack()
    holding.enter_context(locked(folder))
    # after the server's own folder, which multiprocessing removes at its -100
    Finalize(None, _let_go, args=(folder, holding), exitpriority=-200)
    return str(folder)


def _let_go(folder: Path, holding: ExitStack) -> None:
    with suppress(OSError), holding:
        (folder / LOCK).unlink()
        folder.rmdir()


def remove_leftovers(temporary: Path) -> None:
    """The folders of studies of this user that were killed, and no others.

    A study holds its folder before its server's is made in it: so one that has just been made, and
    is not held yet, is no leftover.
    """
    for folder in temporary.glob("rnnlab-????????"):
        with suppress(OSError, InUseError):
            if _is_servers(folder):
                _remove(folder)


def _remove(folder: Path) -> None:
    """Raises InUseError where its study lives."""
    with locked(folder):
        for path in folder.glob("pymp-*/*"):
            path.unlink()
        for path in folder.glob("pymp-*"):
            path.rmdir()
        (folder / LOCK).unlink()
        folder.rmdir()


def _is_servers(folder: Path) -> bool:
    """Made by mkdtemp for this user, and nothing in it but a lock, and a folder of sockets."""
    found = folder.lstat()
    ours = found.st_uid == os.getuid() and found.st_mode & 0o777 == 0o700
    if not (ours and stat.S_ISDIR(found.st_mode) and (folder / LOCK).is_file()):
        return False
    inside = [path for path in folder.iterdir() if path.name != LOCK]
    return bool(inside) and all(map(_holds_sockets, inside))


def _holds_sockets(folder: Path) -> bool:
    is_folder = folder.name.startswith("pymp-") and stat.S_ISDIR(folder.lstat().st_mode)
    return is_folder and all(stat.S_ISSOCK(path.lstat().st_mode) for path in folder.iterdir())


def _work(task: Task, threads: int | None) -> None:
    import torch

    from rnnlab._common import interrupts

    os.setsid()  # Ctrl-C is for the one that started it to answer
    sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    sys.orig_argv = task.typed
    if threads:
        torch.set_num_threads(threads)
    parent = multiprocessing.parent_process()
    assert parent
    interrupts.also_stop_when(lambda: not parent.is_alive())
    if not parent.is_alive():
        sys.exit(1)  # nothing has been touched
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
