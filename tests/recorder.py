"""Records the operations of this process on files below a folder, for disk.py.

    with recording(folder) as recorded:
        ...
    for state in recorded.states("cut"):
        write_tree(state.tree, elsewhere)

Only what Python itself writes is seen: not a library's C code, other processes, links, or files
that were open before. So at the end of a recording its replay is compared with the folder.
"""

from __future__ import annotations

import builtins
import fcntl
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from disk import (
    Disk,
    Flush,
    Make,
    Operation,
    Recording,
    Remove,
    Rename,
    Truncate,
    Write,
    read_tree,
)


@contextmanager
def recording(folder: Path) -> Iterator[Recording]:
    """Record what this process does below the folder, by files that are opened in this block."""
    recorder = Recorder(folder)
    with ExitStack() as patches:
        for name in OPERATIONS:
            patches.enter_context(patch.object(os, name, getattr(recorder, name)))
        for module in (builtins, io):
            patches.enter_context(patch.object(module, "open", recorder.open_file))
        yield recorder.recorded
    replayed = Disk(recorder.recorded.begun)
    for operation in recorder.recorded.operations:
        replayed.do(operation)
    assert replayed.tree("now", "now") == read_tree(folder), "something was written unseen"


OPERATIONS = """open close write pwrite ftruncate truncate fsync fdatasync rename replace unlink
    remove mkdir rmdir""".split()


class Recorder:
    """Python's own functions, each of which notes what it did."""

    def __init__(self, folder: Path) -> None:
        self.folder = f"{folder.absolute()}/"
        self.recorded = Recording(read_tree(folder))
        self.disk = Disk(self.recorded.begun)
        self.descriptors: dict[int, tuple[int, str]] = {}  # node and path of what is open
        self.real = {name: getattr(os, name) for name in OPERATIONS}
        self.real_open = io.open

    def did(self, operation: Operation) -> None:
        self.disk.do(operation)
        self.recorded.operations.append(operation)

    def place(self, path: Any, dir_fd: int | None = None) -> tuple[str, int, str] | None:
        """Path below the folder, node of the folder above, and name; None of what is elsewhere.

        Asked after the system has done what it was asked for: then the folder above is there.
        """
        if isinstance(path, int):
            return None
        given = os.fsdecode(path)
        if dir_fd in self.descriptors:
            start, above = self.descriptors[dir_fd]
            whole = f"{above}/{given}" if above else given
        else:
            start, absolute = 0, str(Path(os.path.abspath(given)))  # noqa: PTH100
            if absolute == self.folder[:-1]:
                return "", 0, "."
            if not absolute.startswith(self.folder):
                return None
            whole = given = absolute.removeprefix(self.folder)
        parents, _, name = given.rpartition("/")
        return whole, self.disk.find(parents, start), name

    # --- files that are open ---

    def open(self, path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        descriptor = self.real["open"](path, flags, mode, dir_fd=dir_fd)
        if place := self.place(path, dir_fd):
            whole, folder, name = place
            names = self.disk.nodes[folder].now
            if name != "." and name not in names:
                self.did(Make(whole, folder, name, is_folder=False))
            elif flags & os.O_TRUNC:
                self.did(Truncate(whole, names[name], 0))
            self.descriptors[descriptor] = (folder if name == "." else names[name], whole)
        return descriptor

    def open_file(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Callable[[Any, int], int] | None = None,
    ) -> Any:
        """io.open in Python, on a raw file that notes its writes."""
        if not (set(mode) & set("wax+") and self.is_ours(file)):
            return self.real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        opener = opener or (lambda path, flags: os.open(path, flags, 0o666))
        raw = Raw(self, file, mode.replace("b", "").replace("t", ""), closefd, opener)
        if buffering == 0:
            return raw
        size = buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE
        buffered = (io.BufferedRandom if "+" in mode else io.BufferedWriter)(raw, size)
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, encoding, errors, newline, line_buffering=buffering == 1)

    def is_ours(self, file: Any) -> bool:
        if isinstance(file, int):
            return file in self.descriptors
        return os.path.abspath(os.fsdecode(file)).startswith(self.folder)  # noqa: PTH100

    def close(self, descriptor: int) -> None:
        self.descriptors.pop(descriptor, None)
        self.real["close"](descriptor)

    def write(self, descriptor: int, content: Any) -> int:
        return self.written(descriptor, content, lambda: self.real["write"](descriptor, content))

    def pwrite(self, descriptor: int, content: Any, offset: int) -> int:
        count = self.real["pwrite"](descriptor, content, offset)
        if found := self.descriptors.get(descriptor):
            self.did(Write(found[1], found[0], offset, bytes(content)[:count]))
        return count

    def written(self, descriptor: int, content: Any, really: Callable[[], int]) -> int:
        if descriptor not in self.descriptors:
            return really()
        node, path = self.descriptors[descriptor]
        appends = fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_APPEND
        offset = os.lseek(descriptor, 0, os.SEEK_END if appends else os.SEEK_CUR)
        count = really()
        self.did(Write(path, node, offset, bytes(content)[:count]))
        return count

    def ftruncate(self, descriptor: int, length: int) -> None:
        self.real["ftruncate"](descriptor, length)
        self.truncated(descriptor, length)

    def truncated(self, descriptor: int, length: int) -> None:
        if found := self.descriptors.get(descriptor):
            self.did(Truncate(found[1], found[0], length))

    def fsync(self, descriptor: Any) -> None:
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        self.real["fsync"](number)
        if found := self.descriptors.get(number):
            self.did(Flush(found[1], found[0]))

    fdatasync = fsync

    # --- names ---

    def truncate(self, path: Any, length: int) -> None:
        self.real["truncate"](path, length)
        if isinstance(path, int):
            self.truncated(path, length)
        elif place := self.place(path):
            self.did(Truncate(place[0], self.disk.find(place[2], place[1]), length))

    def rename(self, source: Any, target: Any) -> None:
        self.real["rename"](source, target)
        one, other = self.place(source), self.place(target)
        assert (one is None) == (other is None), "a rename into the folder, or out of it"
        if one and other:
            self.did(Rename(f"{one[0]} to {other[0]}", *one[1:], *other[1:]))

    replace = rename

    def unlink(self, path: Any, *, dir_fd: int | None = None) -> None:
        self.real["unlink"](path, dir_fd=dir_fd)
        if place := self.place(path, dir_fd):
            self.did(Remove(*place))

    remove = unlink

    def rmdir(self, path: Any, *, dir_fd: int | None = None) -> None:
        self.real["rmdir"](path, dir_fd=dir_fd)
        if place := self.place(path, dir_fd):
            self.did(Remove(*place))

    def mkdir(self, path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        self.real["mkdir"](path, mode, dir_fd=dir_fd)
        if place := self.place(path, dir_fd):
            self.did(Make(*place, is_folder=True))


class Raw(io.FileIO):
    """What stands under a buffered file: its writes are the system's."""

    def __init__(self, recorder: Recorder, file: Any, mode: str, closefd: bool, opener: Any):
        self.recorder = recorder
        super().__init__(file, mode, closefd, opener)

    def write(self, content: Any) -> int:
        return self.recorder.written(
            self.fileno(), content, lambda: super(Raw, self).write(content)
        )

    def truncate(self, size: int | None = None) -> int:
        length = super().truncate(size)
        self.recorder.truncated(self.fileno(), length)
        return length

    def close(self) -> None:
        if not self.closed and self.closefd:
            self.recorder.descriptors.pop(self.fileno(), None)
        super().close()
