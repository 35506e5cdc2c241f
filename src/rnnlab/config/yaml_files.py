"""A YAML file as Hydra is to read it, and where in it each value stands.

Texts keep what was typed, as on the command line: 0.50 is no number where a text is wanted. What
YAML's and Hydra's readers answer with a traceback is a sentence with the file and the line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import yaml

from rnnlab._common.errors import ConfigError
from rnnlab.config.names import all_keys, knobs, texts
from rnnlab.config.typed_words import FOLDERS

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
HEADER = "# @package _global_"
PACKAGE = re.compile(r"\s*#\s*@package\s+(\S+)\s*")
NULLS = ("", "~", "null", "Null", "NULL")
EXAMPLE = "write NAME: VALUE in each line, as in lr: 0.5"


@dataclass(frozen=True)
class Line:
    """A value where it is written."""

    key: str  # its dotted name in the config; in a defaults list, the group
    value: str
    path: Path
    number: int  # from 1

    def __str__(self) -> str:
        here = self.path.is_relative_to(Path.cwd())
        return f"{self.path.relative_to(Path.cwd()) if here else self.path}, line {self.number}"


@dataclass(frozen=True)
class Misplaced:
    """A value of the whole config in a file whose first line does not say that it is of it."""

    name: str
    package: str  # where it lands
    path: Path
    header: int | None  # the line that says something of a package

    def __str__(self) -> str:
        right = f"{HEADER} as the first line"
        if self.header and self.header > 1:
            right = f"{HEADER} as the first line, and not here"
        lands = f"without it {self.name} is read as {self.package}.{self.name}"
        return f"{Line('', '', self.path, self.header or 1)}: write {right}: {lands}."


@dataclass(frozen=True)
class File:
    text: str  # for OmegaConf
    lines: list[Line]
    defaults: list[Line]
    misplaced: Misplaced | None


_read_so_far: dict[Path, File] = {}  # what was read last stands last


def read(path: Path, group: str) -> File:
    """A file of this group, "" for a whole config; raises ConfigError."""
    file = _read_so_far.pop(path, None) or _Reader(path, group).file()
    _read_so_far[path] = file
    return file


def lines_of(key: str) -> list[Line]:
    """Where the files that were read say it, the last one first."""
    lines = [line for file in _read_so_far.values() for line in file.lines if line.key == key]
    return lines[::-1]


def defaults_of(config: str) -> list[Line]:
    """The defaults list of experiment/own."""
    parts = Path(f"{config}.yaml").parts
    found = [file for path, file in _read_so_far.items() if path.parts[-len(parts) :] == parts]
    return found[-1].defaults if found else []


def misplaced() -> list[Misplaced]:
    """Of each file that lacks its first line, the last one first."""
    return [file.misplaced for file in _read_so_far.values() if file.misplaced][::-1]


class _Reader:
    def __init__(self, path: Path, group: str) -> None:
        self.path, self.group = path, group
        self.texts = texts() | dict.fromkeys(FOLDERS)
        self.lines: list[Line] = []
        self.unquoted: list[tuple[int, int]] = []  # where plain texts begin and end

    def file(self) -> File:
        text = self._decoded()
        root = self._parsed(text)
        package = PACKAGE.fullmatch(text.partition("\n")[0])
        prefix = package[1] if package else "_group_"
        prefix = {"_global_": "", "_group_": self.group.replace("/", ".")}.get(prefix, prefix)
        self._walk(root, f"{prefix}." if prefix else "")
        defaults = [*self._defaults(root)]
        for start, end in reversed(self.unquoted):
            quoted = text[start:end].replace("'", "''")
            text = f"{text[:start]}'{quoted}'{text[end:]}"
        return File(text, self.lines, defaults, self._misplaced(prefix, text))

    def _decoded(self) -> str:
        raw = self.path.read_bytes()
        try:
            return raw.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            number = raw[: error.start].count(b"\n") + 1
            self._refuse(number, "it is not UTF-8; save it as UTF-8")

    def _parsed(self, text: str) -> yaml.MappingNode:
        try:
            root = yaml.compose(text, LOADER)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            self._refuse(mark.line + 1 if mark else 1, self._said(error, text, mark))
        except yaml.YAMLError as error:  # a character that YAML does not have
            position = getattr(error, "position", 0)
            self._refuse(text[:position].count("\n") + 1, "YAML has no such character; remove it")
        if root is None:
            self._refuse(1, f"it is empty; {EXAMPLE}")
        if not isinstance(root, yaml.MappingNode):
            kind = "a list" if isinstance(root, yaml.SequenceNode) else "a text"
            self._refuse(root.start_mark.line + 1, f"it is {kind}; {EXAMPLE}")
        return root

    def _said(self, error: yaml.MarkedYAMLError, text: str, mark: yaml.Mark | None) -> str:
        line = text.split("\n")[mark.line] if mark else ""
        if "\t" in line[: len(line) - len(line.lstrip())] or "\\t" in str(error.problem):
            return "a tab indents it; write spaces instead"
        return f"{error.problem}; {EXAMPLE}, and a text with : or # in quotes"

    def _walk(self, node: yaml.MappingNode, prefix: str) -> None:
        seen: dict[str, int] = {}
        for name, value in node.value:
            number, key = name.start_mark.line + 1, f"{prefix}{name.value}"
            if not isinstance(name, yaml.ScalarNode):
                self._refuse(number, f"a name is a text; {EXAMPLE}")
            if name.value in seen:
                there = seen[name.value]
                self._refuse(number, f"{name.value} is in line {there} already; remove one of them")
            seen[name.value] = number
            if key == "defaults":
                continue
            if isinstance(value, yaml.MappingNode) and value.value:
                self._walk(value, f"{key}.")
                continue
            items = value.value if isinstance(value, yaml.SequenceNode) else [value]
            shown = ", ".join(str(i.value) for i in items if isinstance(i, yaml.ScalarNode))
            self.lines.append(Line(key, shown, self.path, number))
            if key in self.texts:
                self.unquoted += [*_plain(items)]

    def _defaults(self, root: yaml.MappingNode) -> Iterator[Line]:
        found = [value for name, value in root.value if name.value == "defaults"]
        for entry in found[0].value if found and isinstance(found[0], yaml.SequenceNode) else []:
            for group, choice in entry.value if isinstance(entry, yaml.MappingNode) else []:
                if isinstance(choice, yaml.ScalarNode):
                    words = group.value.split()
                    yield Line(
                        words[-1].lstrip("/"), choice.value, self.path, group.start_mark.line + 1
                    )

    def _misplaced(self, prefix: str, text: str) -> Misplaced | None:
        """What stands for the whole config, and would land where there is no such place."""
        places = {name.partition(".")[0] for name, _ in knobs()} | {"hydra"}
        names = {*all_keys()}
        if not prefix or prefix.partition(".")[0] in places:
            return None
        for line in self.lines:
            name = line.key.removeprefix(f"{prefix}.")
            if name in names:
                found = [n for n, own in enumerate(text.split("\n"), 1) if "@package" in own]
                return Misplaced(name, prefix, self.path, found[0] if found else None)
        return None

    def _refuse(self, number: int, why: str) -> NoReturn:
        raise ConfigError(f"{Line('', '', self.path, number)}: {why}.")


def _plain(items: list[yaml.Node]) -> Iterator[tuple[int, int]]:
    """Where texts without quotes begin and end that YAML could read as something else."""
    for item in items:
        start, end = item.start_mark, item.end_mark
        is_plain = isinstance(item, yaml.ScalarNode) and not item.style
        if is_plain and item.value not in NULLS and start.line == end.line:
            yield start.index, end.index
