"""Record what a program does to a folder's files; then the folder as every kill or cut leaves it.

with recording(folder) as recorded:
    ...                                  # Python's own file operations below the folder
for state in recorded.states("cut"):     # after each of them the power is cut
    put(state.tree, elsewhere)

As ALICE (Pillai et al. 2014) and CrashMonkey (Mohan et al. 2018) do: one recording, every prefix.
What is written otherwise than by Python's functions is missed; so the end of a recording replays
it, and fails where that is not what the folder holds.
"""

from __future__ import annotations

import builtins
import io
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

Tree = Mapping[str, bytes | None]  # relative path -> content, None of a folder
LEFT_OUT = (".lock",)  # has no content, and whoever held it is gone
KINDS = {
    "killed": "all that was done, and of a write of several bytes also its first half",
    "cut": "contents as of their last fsync, names as of their folder's: the letter of POSIX",
    "cut, names kept": "all names, contents as of their last fsync: the file that is empty",
    "cut, zeros": "all names and lengths; what was added since the last fsync is zeros",
    "cut, contents kept": "all contents, names as of their folder's last fsync",
}


# --- a disk ----------------------------------------------------------------------------------


class Inode:
    """A file or a folder: as programs see it, and as it was at its last fsync."""

    def __init__(self, is_folder: bool) -> None:
        self.is_folder = is_folder
        self.content = self.synced_content = b""
        self.entries: dict[str, Inode] = {}
        self.synced_entries: dict[str, Inode] = {}

    def sync(self) -> None:
        self.synced_content, self.synced_entries = self.content, dict(self.entries)

    def found(self, kind: str) -> bytes | None:
        """A file's content after a kill or a cut."""
        if self.is_folder:
            return None
        if kind in ("killed", "cut, contents kept"):
            return self.content
        if kind == "cut, zeros":
            return self.synced_content[: len(self.content)].ljust(len(self.content), b"\0")
        return self.synced_content


class Disk:
    """A folder's inodes, numbered as they were made; the folder itself is 0."""

    def __init__(self, tree: Tree) -> None:
        """With all of the tree on the disk."""
        self.inodes = [Inode(is_folder=True)]
        for path, content in sorted(tree.items()):
            parent, _, name = path.rpartition("/")
            made = self.make(self.number(parent), name, content is None)
            self.inodes[made].content = content or b""
        for inode in self.inodes:
            inode.sync()

    def make(self, parent: int, name: str, is_folder: bool) -> int:
        inode = self.inodes[parent].entries[name] = Inode(is_folder)
        self.inodes.append(inode)
        return len(self.inodes) - 1

    def number(self, path: str) -> int:
        """Of the inode that has this path now."""
        inode = self.inodes[0]
        for name in path.split("/") if path else ():
            inode = inode.entries[name]
        return self.inodes.index(inode)

    def tree(self, kind: str = "killed", *, whole: bool = False) -> dict[str, bytes | None]:
        """All that is found there; without what is LEFT_OUT, if it need not be whole."""
        found: dict[str, bytes | None] = {}
        synced = kind in ("cut", "cut, contents kept")

        def walk(inode: Inode, path: str) -> None:
            for name, own in (inode.synced_entries if synced else inode.entries).items():
                if whole or name not in LEFT_OUT:
                    found[path + name] = own.found(kind)
                    walk(own, f"{path}{name}/")

        walk(self.inodes[0], "")
        return found


@dataclass(frozen=True)
class Make:
    parent: int
    name: str
    is_folder: bool

    def apply(self, disk: Disk) -> None:
        disk.make(self.parent, self.name, self.is_folder)


@dataclass(frozen=True)
class Write:
    inode: int
    offset: int
    data: bytes = field(repr=False)

    def apply(self, disk: Disk) -> None:
        inode, end = disk.inodes[self.inode], self.offset + len(self.data)
        before = inode.content[: self.offset].ljust(self.offset, b"\0")
        inode.content = before + self.data + inode.content[end:]

    @property
    def half(self) -> Write:
        return Write(self.inode, self.offset, self.data[: len(self.data) // 2])


@dataclass(frozen=True)
class Cut:
    inode: int
    length: int

    def apply(self, disk: Disk) -> None:
        inode = disk.inodes[self.inode]
        inode.content = inode.content[: self.length].ljust(self.length, b"\0")


@dataclass(frozen=True)
class Sync:
    inode: int

    def apply(self, disk: Disk) -> None:
        disk.inodes[self.inode].sync()


@dataclass(frozen=True)
class Move:
    parent: int
    name: str
    new_parent: int
    new_name: str

    def apply(self, disk: Disk) -> None:
        inode = disk.inodes[self.parent].entries.pop(self.name)
        disk.inodes[self.new_parent].entries[self.new_name] = inode


@dataclass(frozen=True)
class Remove:
    parent: int
    name: str

    def apply(self, disk: Disk) -> None:
        del disk.inodes[self.parent].entries[self.name]


Operation = Make | Write | Cut | Sync | Move | Remove


# --- what is found after a kill or a cut -------------------------------------------------------


@dataclass(frozen=True)
class State:
    """A folder as it is found."""

    kind: str
    after: str  # which operation, for a person
    tree: Tree = field(repr=False)

    @property
    def key(self) -> frozenset[tuple[str, bytes | None]]:
        """Equal for equal trees."""
        return frozenset(self.tree.items())


@dataclass
class Recording:
    """A folder as it was, and all that was done to it."""

    before: Tree
    operations: list[Operation] = field(default_factory=list)

    def states(self, kind: str) -> Iterator[State]:
        """One of this kind after every operation, and before the first; equal ones once."""
        seen, disk = set[frozenset[tuple[str, bytes | None]]](), Disk(self.before)
        for state in self._all_states(kind, disk):
            if state.key not in seen:
                seen.add(state.key)
                yield state

    def _all_states(self, kind: str, disk: Disk) -> Iterator[State]:
        yield State(kind, "nothing", disk.tree(kind))
        for i, operation in enumerate(self.operations):
            if kind == "killed" and isinstance(operation, Write) and len(operation.data) > 1:
                inode = disk.inodes[operation.inode]
                content = inode.content
                operation.half.apply(disk)
                yield State(kind, f"half of {i}: {_said(operation, disk)}", disk.tree(kind))
                inode.content = content
            operation.apply(disk)
            yield State(kind, f"{i}: {_said(operation, disk)}", disk.tree(kind))

    def end(self) -> Disk:
        disk = Disk(self.before)
        for operation in self.operations:
            operation.apply(disk)
        return disk


def _said(operation: Operation, disk: Disk) -> str:
    """With the path in place of an inode's number."""
    number = getattr(operation, "inode", getattr(operation, "parent", 0))
    return f"{operation} [{_path(disk, disk.inodes[number])}]"


def _path(disk: Disk, wanted: Inode) -> str:
    todo = [("", disk.inodes[0])]
    while todo:
        path, inode = todo.pop()
        if inode is wanted:
            return path or "."
        todo += [(f"{path}/{name}".lstrip("/"), own) for name, own in inode.entries.items()]
    return "removed"


def read(folder: Path) -> dict[str, bytes | None]:
    """A folder's tree."""
    return {
        str(path.relative_to(folder)): None if path.is_dir() else path.read_bytes()
        for path in sorted(folder.rglob("*"))
    }


def put(tree: Tree, folder: Path) -> None:
    """Make the folder hold a tree; it was empty, or not there."""
    folder.mkdir(exist_ok=True)
    for path, content in sorted(tree.items()):
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)


# --- recording -------------------------------------------------------------------------------

REAL_OPEN = io.open
WRITING = set("wax+")


@contextmanager
def recording(folder: Path) -> Iterator[Recording]:
    """Record what this process does to the files below a folder, by Python's own functions.

    AssertionError at its end if the recording, replayed, is not what the folder then holds.
    """
    folder = folder.resolve()
    recorder = Recorder(folder)
    with ExitStack() as patches:
        for module, name, function in recorder.functions():
            patches.enter_context(mock.patch.object(module, name, function))
        yield recorder.recording
    replayed, found = recorder.recording.end().tree(whole=True), read(folder)
    wrong = [
        path
        for path in sorted(replayed.keys() | found.keys())
        if replayed.get(path, b"-") != found.get(path, b"-")
        or (path in found) != (path in replayed)
    ]
    assert not wrong, f"these files were changed by something that is not recorded: {wrong}"


class Recorder:
    """What stands in for Python's functions, while it records."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.recording = str(folder), Recording(read(folder))
        self.disk = Disk(self.recording.before)
        self.open: dict[int, int] = {}  # descriptor -> inode

    def functions(self) -> Iterator[tuple[Any, str, Any]]:
        """Where each is, and what takes its place."""
        yield builtins, "open", self._open_file
        yield io, "open", self._open_file
        for name in ("open", "close", "write", "fsync", "ftruncate", "truncate", "mkdir"):
            yield os, name, getattr(self, f"_{name}")(getattr(os, name))
        for name in ("fdatasync",):
            yield os, name, self._fsync(getattr(os, name))
        for name in ("rename", "replace"):
            yield os, name, self._move(getattr(os, name))
        for name in ("unlink", "remove", "rmdir"):
            yield os, name, self._remove(getattr(os, name))
        for name in ("link", "symlink", "pwrite", "writev"):
            yield os, name, self._refuse(name, getattr(os, name))

    def record(self, operation: Operation) -> None:
        operation.apply(self.disk)
        self.recording.operations.append(operation)

    def place(self, path: Any) -> tuple[int, str] | None:
        """The folder's inode and the name there; None for a path elsewhere."""
        if isinstance(path, int):
            return None
        whole = os.path.abspath(os.fsdecode(path))  # noqa: PTH100  (Path.absolute keeps ..)
        if not whole.startswith(self.folder + "/"):
            return None
        parent, _, name = whole[len(self.folder) + 1 :].rpartition("/")
        try:
            return self.disk.number(parent), name
        except KeyError:  # the real function will say so
            return None

    def inode(self, place: tuple[int, str]) -> int | None:
        entry = self.disk.inodes[place[0]].entries.get(place[1])
        return None if entry is None else self.disk.inodes.index(entry)

    def opened(self, descriptor: int, path: Any, *, creates: bool, empties: bool) -> None:
        """A file or folder was opened; note what that did."""
        self.open.pop(descriptor, None)
        if os.path.abspath(os.fsdecode(path)) == self.folder:  # noqa: PTH100
            self.open[descriptor] = 0
        elif place := self.place(path):
            if self.inode(place) is None and creates:
                self.record(Make(*place, is_folder=False))
            number = self.inode(place)
            assert number is not None, f"{path} was made by something that is not recorded"
            if empties and self.disk.inodes[number].content:
                self.record(Cut(number, 0))
            self.open[descriptor] = number

    def written(self, descriptor: int, data: Any, count: int) -> None:
        """The position tells where, of a file that is appended to as well."""
        if descriptor in self.open:
            offset = os.lseek(descriptor, 0, os.SEEK_CUR) - count
            self.record(
                Write(self.open[descriptor], offset, bytes(memoryview(data).cast("B"))[:count])
            )

    # --- in place of Python's --------------------------------------------------------------------

    def _open_file(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,
        opener: Any = None,
    ) -> Any:
        by_number = isinstance(file, int)
        is_ours = file in self.open if by_number else self.place(file) is not None
        if not (is_ours and WRITING & set(mode)):
            if by_number:
                self.open.pop(file, None)  # nothing comes of it, and its closing is not seen
            return REAL_OPEN(file, mode, buffering, encoding, errors, newline, closefd, opener)
        raw = Raw(self, file, mode.replace("b", "").replace("t", ""), closefd, opener)
        if not by_number:
            self.opened(raw.fileno(), file, creates=True, empties="w" in mode)
        if buffering == 0:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        if "b" in mode:
            return buffered
        return io.TextIOWrapper(buffered, encoding, errors, newline, buffering == 1)

    def _open(self, real: Any) -> Any:
        def opening(path: Any, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            descriptor = real(path, flags, mode, dir_fd=dir_fd)
            if dir_fd is None:
                creates, empties = bool(flags & os.O_CREAT), bool(flags & os.O_TRUNC)
                self.opened(descriptor, path, creates=creates, empties=empties)
            return descriptor

        return opening

    def _close(self, real: Any) -> Any:
        def closing(descriptor: int) -> None:
            self.open.pop(descriptor, None)
            real(descriptor)

        return closing

    def _write(self, real: Any) -> Any:
        def writing(descriptor: int, data: Any) -> int:
            count = real(descriptor, data)
            self.written(descriptor, data, count)
            return count

        return writing

    def _fsync(self, real: Any) -> Any:
        def syncing(file: Any) -> None:
            descriptor = file if isinstance(file, int) else file.fileno()
            real(descriptor)
            if descriptor in self.open:
                self.record(Sync(self.open[descriptor]))

        return syncing

    def _ftruncate(self, real: Any) -> Any:
        def cutting(descriptor: int, length: int) -> None:
            real(descriptor, length)
            if descriptor in self.open:
                self.record(Cut(self.open[descriptor], length))

        return cutting

    def _truncate(self, real: Any) -> Any:
        def cutting(path: Any, length: int) -> None:
            real(path, length)
            number = self.open.get(path) if isinstance(path, int) else None
            if place := self.place(path):
                number = self.inode(place)
            if number is not None:
                self.record(Cut(number, length))

        return cutting

    def _mkdir(self, real: Any) -> Any:
        def making(path: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
            real(path, mode, dir_fd=dir_fd)
            if place := self.place(path):
                self.record(Make(*place, is_folder=True))

        return making

    def _move(self, real: Any) -> Any:
        def moving(source: Any, target: Any, **folders: Any) -> None:
            old, new = self.place(source), self.place(target)
            real(source, target, **folders)
            assert (old is None) == (new is None), f"{source} is moved into or out of the folder"
            if old and new:
                self.record(Move(*old, *new))

        return moving

    def _remove(self, real: Any) -> Any:
        def removing(path: Any, *, dir_fd: int | None = None) -> None:
            real(path, dir_fd=dir_fd)
            if dir_fd is None and (place := self.place(path)):
                self.record(Remove(*place))

        return removing

    def _refuse(self, name: str, real: Any) -> Any:
        def refusing(first: Any, second: Any, *more: Any, **options: Any) -> Any:
            ours = first in self.open if isinstance(first, int) else self.place(second) is not None
            assert not ours, f"os.{name} is not recorded"
            return real(first, second, *more, **options)

        return refusing


class Raw(io.FileIO):
    """A file whose writes are recorded, below Python's buffers."""

    def __init__(
        self, recorder: Recorder, file: Any, mode: str, closefd: bool, opener: Any
    ) -> None:
        self.recorder = recorder
        super().__init__(file, mode, closefd, opener)

    def write(self, data: Any, /) -> int:
        count = super().write(data)
        self.recorder.written(self.fileno(), data, count)
        return count

    def truncate(self, size: int | None = None, /) -> int:
        length = super().truncate(size)
        self.recorder.record(Cut(self.recorder.open[self.fileno()], length))
        return length

    def close(self) -> None:
        if not self.closed:
            self.recorder.open.pop(self.fileno(), None)
        super().close()
