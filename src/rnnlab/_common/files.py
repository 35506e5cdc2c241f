"""Writing a file whole or not at all, and one process at a time in a folder."""

import contextlib
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

TEMPORARY = re.compile(r"\.[0-9a-f]{8}")  # what the name of a file that is being written ends with


def write_atomically(path: Path, content: bytes | str) -> None:
    """Write to a temporary file in the same folder, flush it to the disk, rename it.

    The old file is kept until the new one is whole. Raises OSError, and leaves no temporary file.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        _flush_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _flush_folder(folder: Path) -> None:
    """So that the new name outlives a power loss, where the system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def remove_leftovers_of(path: Path) -> None:
    """Temporary files of writes of this file that were killed, and no others."""
    for other in path.parent.glob(f".{path.name}.*"):
        if TEMPORARY.fullmatch(other.suffix) and other.is_file():
            other.unlink()


class InUseError(RuntimeError):
    """Another process works in the folder."""


@contextmanager
def locked(folder: Path, patience: float = 0) -> Iterator[None]:
    """Hold the folder; raises InUseError where another process still does after so many seconds.

    The system gives the lock back when a process ends, however it ends, so none is ever stale.
    """
    lock = FileLock(folder / ".lock")
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        raise InUseError(folder) from None
    try:
        yield
    finally:
        lock.release()
