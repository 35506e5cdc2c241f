"""The text of a YAML file as nodes, which know where they stand.

What YAML's reader answers with a traceback is a sentence with the file and the line.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar

import yaml

from rnnlab._common.errors import ConfigError

LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
EXAMPLE = "write NAME: VALUE in each line, as in lr: 0.5"
T = TypeVar("T")


def place(path: Path, number: int) -> str:
    """FILE, line N: the file as seen from here."""
    here = path.is_relative_to(Path.cwd())
    return f"{path.relative_to(Path.cwd()) if here else path}, line {number}"


def refuse(path: Path, number: int, why: str) -> NoReturn:
    raise ConfigError(f"{place(path, number)}: {why}{'' if why.endswith('?') else '.'}")


def decoded(path: Path) -> str:
    """UTF-8; raises ConfigError for anything else."""
    raw = path.read_bytes()
    try:
        return raw.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        number = raw[: error.start].count(b"\n") + 1
        refuse(path, number, "it is not UTF-8; save it as UTF-8")


def names_and_values(path: Path, text: str) -> yaml.MappingNode:
    """The root of a file that has names and values; raises ConfigError for another one."""
    root = parsed(path, text, lambda: yaml.compose(text, LOADER))
    if root is None:
        refuse(path, 1, f"it is empty; {EXAMPLE}")
    if not isinstance(root, yaml.MappingNode):
        kind = "a list" if isinstance(root, yaml.SequenceNode) else "a text"
        refuse(path, root.start_mark.line + 1, f"it is {kind}; {EXAMPLE}")
    return root


def parsed(path: Path, text: str, parse: Callable[[], T]) -> T:
    """What `parse` makes of it; raises ConfigError where YAML's reader fails."""
    try:
        return parse()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        refuse(path, mark.line + 1 if mark else 1, _said(error, text, mark))
    except yaml.YAMLError as error:  # a character that YAML does not have
        position = getattr(error, "position", 0)
        refuse(path, text[:position].count("\n") + 1, "YAML has no such character; remove it")


def once(path: Path, node: yaml.MappingNode) -> dict[str, tuple[int, yaml.Node]]:
    """Values by their names, each with its line; raises ConfigError for a name that is twice."""
    found: dict[str, tuple[int, yaml.Node]] = {}
    for name, value in node.value:
        number = name.start_mark.line + 1
        if not isinstance(name, yaml.ScalarNode):
            refuse(path, number, f"a name is a text; {EXAMPLE}")
        if name.value in found:
            there = found[name.value][0]
            refuse(path, number, f"{name.value} is in line {there} already; remove one of them")
        found[name.value] = number, value
    return found


def _said(error: yaml.MarkedYAMLError, text: str, mark: yaml.Mark | None) -> str:
    line = text.split("\n")[mark.line] if mark else ""
    if "\t" in line:
        return "there is a tab in it; write spaces instead"
    problem = str(error.problem)
    if problem.startswith("but found"):
        problem = f"{error.context}, {problem}"
    return f"{problem}; {EXAMPLE}, and a text with : or # in quotes"
