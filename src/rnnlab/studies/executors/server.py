"""The server that workers are forked from: it has imported torch, and a start takes no second."""

from __future__ import annotations

import multiprocessing
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from multiprocessing.forkserver import ensure_running
from multiprocessing.util import Finalize
from pathlib import Path

from rnnlab._common.files import LOCK, InUseError, locked
from rnnlab._common.machine import starting_apart

SOCKET = "/rnnlab-12345678/pymp-12345678/listener-12345678"  # the server's, in the temporary folder
LONGEST = 100  # bytes of a socket's path; systems allow 103 or 107


def begin() -> None:
    """Start it, if it is not there; this returns at once."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["rnnlab.studies.executors.preloaded"])
    with starting_apart(), _own_temporary_folder():
        ensure_running()


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
