"""Every state that a kill or a power cut can leave of a folder whose file operations are known.

As ALICE and CrashMonkey do for file systems; recorder.py records the operations. The disk keeps
what POSIX promises and no more: of a file what it had when it was last flushed, of a folder the
names that it had when it was last flushed. ext4 and others keep more.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

Tree = dict[str, bytes | None]  # by path below the folder: content; None of a folder
KINDS = {  # which names, and which contents, are found afterwards
    "killed": ("now", "now"),
    "cut": ("flushed", "flushed"),
    "cut, names kept": ("now", "flushed"),
    "cut, contents kept": ("flushed", "now"),
}


# --- a disk ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Operation:
    path: str  # where, for a person; numbers are of nodes, which keep theirs when they are renamed


@dataclass(frozen=True)
class Make(Operation):
    folder: int
    name: str
    is_folder: bool


@dataclass(frozen=True)
class Write(Operation):
    node: int
    offset: int
    content: bytes


@dataclass(frozen=True)
class Truncate(Operation):
    node: int
    length: int


@dataclass(frozen=True)
class Flush(Operation):
    node: int


@dataclass(frozen=True)
class Rename(Operation):
    folder: int
    name: str
    to_folder: int
    to_name: str


@dataclass(frozen=True)
class Remove(Operation):
    folder: int
    name: str


@dataclass
class Node:
    """A file's content, or a folder's names: as processes see them, and as they were flushed."""

    now: Any
    flushed: Any

    def flush(self) -> None:
        self.flushed = dict(self.now) if isinstance(self.now, dict) else self.now


class Disk:
    """Node 0 is the folder itself."""

    def __init__(self, tree: Tree) -> None:
        """All of the tree is flushed."""
        self.nodes = [Node({}, {})]
        for path, content in sorted(tree.items()):
            above, _, name = path.rpartition("/")
            self.do(Make(path, self.find(above), name, content is None))
            self.nodes[-1].now = {} if content is None else content
        for node in self.nodes:
            node.flush()

    def find(self, path: str, start: int = 0) -> int:
        """The node's number; raises KeyError where there is none."""
        for name in path.split("/") if path else []:
            start = self.nodes[start].now[name]
        return start

    def do(self, operation: Operation) -> None:
        nodes = self.nodes
        match operation:
            case Make(_, folder, name, is_folder):
                nodes[folder].now[name] = len(nodes)
                nodes.append(Node({}, {}) if is_folder else Node(b"", b""))
            case Write(_, node, offset, content):
                before = nodes[node].now.ljust(offset, b"\0")
                nodes[node].now = before[:offset] + content + before[offset + len(content) :]
            case Truncate(_, node, length):
                nodes[node].now = nodes[node].now[:length].ljust(length, b"\0")
            case Flush(_, node):
                nodes[node].flush()
            case Rename(_, folder, name, to_folder, to_name):
                nodes[to_folder].now[to_name] = nodes[folder].now.pop(name)
            case Remove(_, folder, name):
                del nodes[folder].now[name]

    def tree(self, names: str, contents: str) -> Tree:
        """As found with these names and contents, each `now` or `flushed`."""
        found: Tree = {}
        self._walk(found, 0, "", names, contents)
        return found

    def _walk(self, found: Tree, folder: int, above: str, names: str, contents: str) -> None:
        for name, number in getattr(self.nodes[folder], names).items():
            content = getattr(self.nodes[number], contents)
            found[above + name] = None if isinstance(content, dict) else content
            if isinstance(content, dict):
                self._walk(found, number, f"{above}{name}/", names, contents)


def write_tree(tree: Tree, folder: Path) -> None:
    for path, content in sorted(tree.items()):
        if content is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(content)


def read_tree(folder: Path) -> Tree:
    return {
        path.relative_to(folder).as_posix(): None if path.is_dir() else path.read_bytes()
        for path in folder.rglob("*")
    }


# --- what can be found -----------------------------------------------------------------------


@dataclass
class State:
    """A folder as it can be found, and when: after which operations."""

    tree: Tree
    first: int
    last: int
    said: str  # the first of these operations
    live: Tree  # what processes saw after the last of them


@dataclass
class Recording:
    begun: Tree  # the folder before the first operation: all of it is on the disk
    operations: list[Operation] = field(default_factory=list)

    def states(self, kind: str) -> list[State]:
        """Each distinct one once; of a kill also those with half of a write."""
        disk, found = Disk(self.begun), dict[frozenset[Any], State]()

        def note(number: int, said: str) -> None:
            tree, live = disk.tree(*KINDS[kind]), disk.tree("now", "now")
            state = found.setdefault(
                frozenset(tree.items()), State(tree, number, number, said, live)
            )
            state.last, state.live = number, live

        note(0, "nothing yet")
        for number, operation in enumerate(self.operations, 1):
            said = f"{type(operation).__name__.lower()} {operation.path}"
            if kind == "killed" and isinstance(operation, Write) and len(operation.content) > 1:
                half = operation.content[: len(operation.content) // 2]
                disk.do(replace(operation, content=half))
                note(number, f"half of {said}")
            disk.do(operation)
            note(number, said)
        return [*found.values()]
