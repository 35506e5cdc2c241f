"""The names that a command line can have: groups, their choices, knobs; and where conf/ is."""

from __future__ import annotations

import dataclasses
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from rnnlab._common.choices import registered
from rnnlab._common.program import shipped
from rnnlab.config.schema import GROUPS, nodes

_folders: list[Path] = []  # that a command names


def look_in(config_path: str | None, config_dir: str | None) -> None:
    """From here on the YAML files are those of --config-path, or conf/, and of --config-dir."""
    _folders[:] = map(Path, filter(None, [config_path or conf_dir(), config_dir]))


def folders() -> list[Path]:
    """Where the YAML files are."""
    return _folders or [Path(conf_dir())]


def conf_dir() -> str:
    """The folder of YAML files."""
    return str(shipped("conf"))


def groups() -> dict[str, list[str]]:
    """Every config group and its choices."""
    found = files()
    for group, name in without_file():
        found.setdefault(group, []).append(name)
    return found


def files() -> dict[str, list[str]]:
    """The choices that have a file, by their groups."""
    found: dict[str, list[str]] = {}
    for root in folders():
        for file in sorted(root.glob("*/*.yaml")):
            group = file.parent.name
            if group != "hydra" and file.stem not in found.setdefault(group, []):
                found[group].append(file.stem)
    return found


def file_of(group: str, name: str) -> Path | None:
    """Where a choice is written."""
    return next((f for root in folders() if (f := root / group / f"{name}.yaml").exists()), None)


def without_file() -> dict[tuple[str, str], type]:
    """The registered choices that need none, because each of their knobs has a default."""
    known = files()
    return {
        (group, name): choice
        for group in GROUPS
        for name, choice in registered(group).items()
        if name not in known.get(group, [])
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


def owners(key: str) -> list[str]:
    """The choices of its group that have this knob: optimizer.beta1 is adam's and adamw's."""
    group, _, field = key.partition(".")
    schemas = {path: kind for path, kind in nodes().items() if path.startswith(f"schema/{group}/")}
    found = [path for path, kind in schemas.items() if field in kind.__dataclass_fields__]
    return [path.rpartition("/")[2] for path in found]


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
    """What is a text, or a list of them."""

    is_list: bool = False
    may_be_null: bool = False
    is_choice: bool = False  # of a group: no name of a file


def texts() -> dict[str, Texts]:
    """Every name whose value is one."""
    found = dict.fromkeys(groups(), Texts(may_be_null=True, is_choice=True))
    for name, kind in knobs():
        kinds = {*(get_args(kind) or (kind,))} - {...}
        if kinds - {NoneType} == {str}:
            found[name] = Texts(is_list(kind), may_be_null(kind))
    return found


def is_list(kind: Any) -> bool:
    return (get_origin(kind) or kind) in (tuple, list)


def may_be_null(kind: Any) -> bool:
    return NoneType in get_args(kind)


def in_words(kind: Any, key: str) -> str:
    """What a knob of this type is, as a person says it."""
    example = "[40,80]" if int in get_args(kind) else "[a,b]"
    hint = f"; type for example {shlex.quote(f'{key}={example}')}" if is_list(kind) else ""
    return kind_in_words(kind) + hint + (" or null" if may_be_null(kind) else "")


def kind_in_words(kind: Any) -> str:
    """A type, without its null."""
    if kind is Any:  # as of instruments
        return "a name or a list of names"
    kinds = [each for each in get_args(kind) or (kind,) if each is not NoneType]
    if is_list(kind):
        return "a list of whole numbers" if int in kinds else "a list of texts"
    if get_origin(kind) is dict:
        return "names and values"
    if isinstance(kinds[0], type) and issubclass(kinds[0], Enum):
        return f"one of {', '.join(str(member.value) for member in kinds[0])}"
    words = {float: "a number", int: "a whole number", bool: "true or false", str: "a text"}
    return words[kinds[0]]
