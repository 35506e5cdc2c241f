"""A folder's own files: opened as what they should be, written whole or not at all.

A folder may come from somebody else, and a machine may lose its power. So nothing that a folder's
name leads to is opened but a regular file in that folder: not what a link points at, no pipe, no
device. And a file is on the disk before anything that relies on it is.
"""

import contextlib
import errno
import os
import re
import secrets
import stat
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from filelock import FileLock, Timeout

from rnnlab._common.errors import ConfigError, said

TEMPORARY = re.compile(r"\.[0-9a-f]{8}")  # what the name of a file that is being written ends with
LOCK = ".lock"
MODES = {
    "rb": os.O_RDONLY,
    "ab": os.O_WRONLY | os.O_APPEND | os.O_CREAT,
    "r+b": os.O_RDWR,
}
PATIENCE = 5 if sys.platform == "win32" else 0  # seconds
# what a pipe or a link would do to us; not every system has all of them
CAREFULLY = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_BINARY"))


def opened(folder: Path, name: str, mode: str = "rb") -> BinaryIO:
    """A regular file of the folder: rb reads it, r+b changes it, ab appends and may create it.

    Raises OSError for anything else: a link, a file that has other names when it is to be changed,
    a pipe, a device, a folder.
    """
    path = _own(folder, name)
    descriptor = os.open(path, MODES[mode] | CAREFULLY, 0o666)
    found, mistake = os.fstat(descriptor), None
    if not stat.S_ISREG(found.st_mode):
        mistake = _strange(path)
    elif mode != "rb" and found.st_nlink > 1:
        mistake = _strange(
            path, "it has another name (a hard link), which would change too: copy it"
        )
    if mistake:
        os.close(descriptor)
        raise mistake
    return cast(BinaryIO, os.fdopen(descriptor, mode))


def read_bytes(folder: Path, name: str, limit: int) -> bytes:
    """The content of a regular file of the folder; raises OSError if it has more than the limit."""
    with opened(folder, name) as file:
        content = file.read(limit + 1)
    if len(content) > limit:
        said = f"it has more than the {limit >> 20} MiB that such a file may have"
        raise OSError(errno.EFBIG, said, str(folder / name))
    return content


def read_end(folder: Path, name: str, limit: int) -> bytes:
    """The last bytes of a regular file of the folder, at most so many; raises OSError."""
    with opened(folder, name) as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - limit))
        return file.read(limit)


def write_whole(folder: Path, name: str, content: bytes | str) -> None:
    """Write a file of a folder, whole or not at all; raises OSError."""
    with writing(folder, name) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def writing(folder: Path, name: str) -> Iterator[BinaryIO]:
    """Write to a temporary file in the same folder, flush it to the disk, rename it.

    The old file is kept until the new one is whole. Raises OSError; whatever is raised, no
    temporary file is left.
    """
    path = _own(folder, name)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("xb") as file:
            yield file
            flush(file)
        put_in_place(temporary, path)
        flush_folder(path.parent)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def put_in_place(temporary: Path, path: Path) -> None:
    """Rename. Windows refuses while another process reads the old file, which soon ends."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            temporary.replace(path)
            return
        except PermissionError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.01)


def flush(file: BinaryIO) -> int:
    """All that was written is on the disk now; says how many bytes the file has."""
    file.flush()
    os.fsync(file.fileno())
    return os.fstat(file.fileno()).st_size


def flush_folder(folder: Path) -> None:
    """The names in a folder outlive a power cut, where the system can do that."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def entered(text: str) -> Path:
    """The folder that a person means: seen from here as a name if it lies below, else from /.

    So whatever is typed (., .., ../RUN) has a name. Raises ConfigError for what cannot be one.
    """
    try:
        here, folder = Path.cwd(), Path(text).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(
            f"{text} is not allowed: no folder can be there: {said(error)}."
        ) from None
    below = folder != here and folder.is_relative_to(here)
    return folder.relative_to(here) if below else folder


def make_folder(folder: Path) -> None:
    """With its parents; the names of all that are new are on the disk."""
    folder = folder.absolute()
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in new:
        flush_folder(place.parent)


def flush_names_of(folder: Path) -> None:
    """The same for a folder that somebody else has made just now."""
    for parent in folder.absolute().parents:
        flush_folder(parent)


def remove_leftovers_of(folder: Path, name: str) -> None:
    """Temporary files of writes of this file that were killed, and no others."""
    path = folder / name
    for other in path.parent.glob(f".{path.name}.*"):
        if TEMPORARY.fullmatch(other.suffix) and other.is_file():
            other.unlink()


def _own(folder: Path, name: str) -> Path:
    """The file's path; raises OSError where a link leads out of the folder."""
    path = folder / name
    if path.is_symlink() or (path.parent != folder and path.parent.is_symlink()):
        raise _strange(path)
    return path


def _strange(path: Path, said: str = "it is a link, or no regular file") -> OSError:
    return OSError(errno.ELOOP, f"{said}; it is not opened", str(path))


# --- one process at a time -------------------------------------------------------------------


class InUseError(RuntimeError):
    """Another process works in the folder."""


@contextmanager
def locked(folder: Path, patience: float = 0) -> Iterator[None]:
    """Hold the folder; raises InUseError where another process still does after so many seconds.

    The system gives the lock back when a process ends, however it ends, so none is ever stale.
    """
    if (folder / LOCK).exists() or (folder / LOCK).is_symlink():
        opened(folder, LOCK).close()  # the lock's own opening would follow a link
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=patience)
    except Timeout:
        raise InUseError(folder) from None
    try:
        yield
    finally:
        lock.release()
