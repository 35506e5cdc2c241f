"""A YAML file as Hydra is to read it, and where in it each value stands.

Texts keep what was typed, as on the command line: 0.50 is no number where a text is wanted. What
Hydra's reader answers with a traceback is a sentence with the file and the line.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml
from omegaconf import OmegaConf
from omegaconf.errors import GrammarParseError

from rnnlab.config import yaml_text
from rnnlab.config.names import all_keys, knobs, texts
from rnnlab.config.schema import GROUPS
from rnnlab.config.typed_words import FOLDERS

HEADER = "# @package _global_"
PACKAGE = re.compile(r"\s*#\s*@package\s+(\S+)\s*")
NULLS = ("", "~", "null", "Null", "NULL")
ENTRY = "- override /GROUP: CHOICE"


@dataclass(frozen=True)
class Line:
    """A value where it is written."""

    key: str  # its dotted name in the config; in a defaults list, the group as it is written
    value: str
    path: Path
    number: int  # from 1

    def __str__(self) -> str:
        return yaml_text.place(self.path, self.number)


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
    config: Any  # OmegaConf's
    header: str  # the comments it begins with
    lines: list[Line]
    defaults: list[Line]
    misplaced: Misplaced | None
    is_of_all: bool  # it changes values of the whole config
    lacks_schema: bool  # it is a choice, and does not say which


_read_so_far: dict[Path, File] = {}  # what was read last stands last


def read(path: Path, group: str) -> File:
    """A file of this group, "" for a whole config; raises ConfigError."""
    file = _read_so_far.pop(path, None) or _Reader(path, group).file()
    _read_so_far[path] = file
    return file


def forget() -> None:
    """Another command begins."""
    _read_so_far.clear()


def lines_of(key: str) -> list[Line]:
    """Where the files that were read say it: changes first, and what was read last."""
    files = [*_read_so_far.values()][::-1]
    changing = [file for file in files if file.is_of_all]
    files = changing + [file for file in files if not file.is_of_all]
    return [line for file in files for line in file.lines if line.key == key]


def lacks_schema(path: Path) -> bool:
    """Whether this file, a choice of a group, does not say which choice it is a variant of."""
    return _read_so_far[path].lacks_schema


def defaults() -> list[Line]:
    """All entries of defaults lists, those of the file that was read last first."""
    return [line for file in reversed(_read_so_far.values()) for line in file.defaults]


def misplaced() -> list[Misplaced]:
    """Of each file that lacks its first line, the last one first."""
    return [file.misplaced for file in reversed(_read_so_far.values()) if file.misplaced]


class _Reader:
    def __init__(self, path: Path, group: str) -> None:
        self.path, self.group = path, group
        self.texts = texts() | dict.fromkeys(FOLDERS)
        self.lines: list[Line] = []
        self.unquoted: list[tuple[int, int]] = []  # where plain texts begin and end
        self.defaults: yaml.Node | None = None

    def file(self) -> File:
        text = yaml_text.decoded(self.path)
        root = yaml_text.names_and_values(self.path, text)
        package = self._package(text.partition("\n")[0])
        prefix = {"_global_": "", "_group_": self.group.replace("/", ".")}.get(package, package)
        self.defaults = next((own for name, own in root.value if name.value == "defaults"), None)
        self._walk(root, f"{prefix}." if prefix else "")
        defaults = [*self._defaults()]
        for start, end in sorted(self.unquoted, reverse=True):
            quoted = text[start:end].replace("'", "''")
            text = f"{text[:start]}'{quoted}'{text[end:]}"
        config = yaml_text.parsed(self.path, text, lambda: self._loaded(text))
        wrong = self._misplaced(prefix, text)
        is_of_all = package == "_global_"
        entries = self.defaults.value if self.defaults else []
        is_typed = any("/schema/" in str(entry.value) for entry in entries)
        lacks = self.group in GROUPS and not is_of_all and not is_typed
        return File(config, text[:512], self.lines, defaults, wrong, is_of_all, lacks)

    def _package(self, first: str) -> str:
        """What the first line says of it."""
        if not re.match(r"\s*#\s*@package\b", first):
            return "_group_"
        found = PACKAGE.fullmatch(first)
        return found[1] if found else self._refuse(1, f"write {HEADER}, and no more in this line")

    def _loaded(self, text: str) -> Any:
        try:
            return OmegaConf.load(io.StringIO(text))
        except GrammarParseError as error:
            about = [line for line in self.lines if line.key.endswith(str(error.full_key))]
            said = str(error.msg).partition("\n")[0]
            self._refuse(about[0].number if about else 1, f"{said}; an own ${{ is written \\${{")

    def _walk(self, node: yaml.MappingNode, prefix: str) -> None:
        for name, (number, value) in yaml_text.once(self.path, node).items():
            key = f"{prefix}{name}"
            if value is self.defaults:
                continue
            if isinstance(value, yaml.MappingNode) and value.value:
                self.lines.append(Line(key, "{...}", self.path, number))
                self._walk(value, f"{key}.")
                continue
            items = value.value if isinstance(value, yaml.SequenceNode) else [value]
            shown = ", ".join(str(i.value) for i in items if isinstance(i, yaml.ScalarNode))
            self.lines.append(Line(key, shown, self.path, number))
            if key in self.texts:
                self.unquoted += [*_plain(items, () if items is value.value else NULLS)]

    def _defaults(self) -> Iterator[Line]:
        if self.defaults is None:
            return
        number = self.defaults.start_mark.line + 1
        if not isinstance(self.defaults, yaml.SequenceNode):
            self._refuse(number, f"the defaults are a list; write {ENTRY} in each line")
        for entry in self.defaults.value:
            number = entry.start_mark.line + 1
            pairs = entry.value if isinstance(entry, yaml.MappingNode) else []
            if len(pairs) > 1:
                number = pairs[1][0].start_mark.line + 1
                self._refuse(number, f"an entry has one group; write {ENTRY} in each line")
            for group, choice in pairs:
                self.unquoted += [*_plain([choice], NULLS)]  # 2024_01 is a name here
                yield Line(group.value.split()[-1], str(choice.value), self.path, number)

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
        yaml_text.refuse(self.path, number, why)


def _plain(items: list[yaml.Node], but: tuple[str, ...]) -> Iterator[tuple[int, int]]:
    """Where those without quotes begin and end that YAML could read as something else."""
    for item in items:
        start, end = item.start_mark, item.end_mark
        is_plain = isinstance(item, yaml.ScalarNode) and not item.style
        if is_plain and item.value and item.value not in but and start.line == end.line:
            yield start.index, end.index
