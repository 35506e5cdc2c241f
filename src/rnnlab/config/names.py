"""The names that a command line can have: groups, their choices, knobs; and where conf/ is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

from rnnlab.config.schema import nodes


def conf_dir() -> str:
    """The folder of YAML files: the checkout's, or the copy that travels in the wheel."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "conf"
    return str(installed if installed.is_dir() else package.parents[1] / "conf")


def groups() -> dict[str, list[str]]:
    """Every config group and its choices, as the folders of conf/ say."""
    folders = sorted(path for path in Path(conf_dir()).iterdir() if path.is_dir())
    return {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in folders}


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
