"""The names that a command line can have: groups, their choices, knobs; and where conf/ is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from rnnlab._common.choices import registered
from rnnlab.config.schema import GROUPS, nodes


def conf_dir() -> str:
    """The folder of YAML files: the checkout's, or the copy that travels in the wheel."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "conf"
    return str(installed if installed.is_dir() else package.parents[1] / "conf")


def groups() -> dict[str, list[str]]:
    """Every config group and its choices."""
    found = files()
    for group, name in without_file():
        found[group].append(name)
    return found


def files() -> dict[str, list[str]]:
    """The choices that have a file in conf/, by their groups."""
    folders = sorted(path for path in Path(conf_dir()).iterdir() if path.is_dir())
    return {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in folders}


def without_file() -> dict[tuple[str, str], type]:
    """The registered choices that need none, because each of their knobs has a default."""
    known = files()
    return {
        (group, name): choice
        for group in GROUPS
        for name, choice in registered(group).items()
        if name not in known[group]
        and not any(
            field.default is field.default_factory is dataclasses.MISSING
            for field in dataclasses.fields(choice)
        )
    }


def all_keys() -> list[str]:
    """Every name that an override can begin with, whatever the choices."""
    settable = [name for name, kind in knobs() if not dataclasses.is_dataclass(kind)]
    return list(dict.fromkeys([*groups(), *settable]))


def type_of(key: str) -> Any:
    """The type that a knob is annotated with; None where there is no such knob."""
    return next((kind for name, kind in knobs() if name == key), None)


def knobs() -> Iterator[tuple[str, Any]]:
    """The dotted name and the type of every knob of every choice."""
    for path, node_type in nodes().items():
        _, group, *_ = path.split("/")
        yield from _knobs_of(node_type, "" if group == "config" else f"{group}.")


def _knobs_of(node_type: type, prefix: str) -> Iterator[tuple[str, Any]]:
    hints = get_type_hints(node_type)
    for field in dataclasses.fields(node_type):
        kind = hints[field.name]
        if field.name == "name":  # chosen with GROUP=NAME, not set
            continue
        yield prefix + field.name, kind
        if dataclasses.is_dataclass(kind) and isinstance(kind, type):
            yield from _knobs_of(kind, f"{prefix}{field.name}.")


@dataclass(frozen=True)
class Texts:
    """A knob that is a text, or a list of them."""

    is_list: bool = False
    may_be_null: bool = False


def texts() -> dict[str, Texts]:
    """Every knob that is one, by its dotted name."""
    found = {}
    for name, kind in knobs():
        kinds = {*(get_args(kind) or (kind,))} - {...}
        if kinds - {NoneType} == {str}:
            found[name] = Texts(is_list(kind), NoneType in kinds)
    return found


def is_list(kind: Any) -> bool:
    return (get_origin(kind) or kind) in (tuple, list)


def in_words(kind: Any, key: str) -> str:
    """A type, as a person says it."""
    kinds = [each for each in get_args(kind) or (kind,) if each is not NoneType]
    if is_list(kind):
        return f"a list; type for example {key}=[a,b]"
    if isinstance(kinds[0], type) and issubclass(kinds[0], Enum):
        return f"one of {', '.join(str(member.value) for member in kinds[0])}"
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
    return words.get(kinds[0], "of another type; --help lists the names")
