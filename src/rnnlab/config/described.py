"""Every choice and every knob as they are said to a person: by --help, and by the reference."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from rnnlab._common.choices import Choice, Knobs, registered
from rnnlab.config.forms import NEEDED
from rnnlab.config.names import (
    conf_dir,
    file_of,
    folders,
    groups,
    kind_in_words,
    may_be_null,
)
from rnnlab.config.schema import GROUPS, Config

NO_VALUE = "VALUE"  # where there is no default


@dataclass(frozen=True)
class Described:
    """A knob of the config, or of a choice."""

    name: str  # with its group: optimizer.beta1
    default: str  # as one types it
    meaning: str
    allowed: str


def knobs_of_config() -> Iterator[Described]:
    return _knobs(Config, _defaults(primary()), "")


def knobs_of(group: str, name: str) -> list[Described]:
    """Of a choice, with what its file sets of them."""
    defaults = _yaml(file_of(group, name))
    inner = defaults.get(group)  # of a file that sets values of the whole config too
    defaults = defaults | (inner if isinstance(inner, dict) else {})
    kind = registered(group).get(name) or _schema_of(group, defaults)
    return list(_knobs(kind, defaults, f"{group}.")) if kind else []


def chosen(config: dict[str, Any]) -> dict[str, str | None]:
    """The choice of each group in a defaults list."""
    entries = [entry for entry in config["defaults"] if isinstance(entry, dict)]
    return {group: name for entry in entries for group, name in entry.items() if " " not in group}


def in_order() -> Iterator[str]:
    """Each group in the order of the defaults list, then those of a user's own."""
    known, first = groups(), chosen(primary())
    yield from filter(known.get, first)
    yield from (own for own in known if own not in first)


def about(group: str, name: str) -> str:
    """What a choice's file begins with, or its definition."""
    if file := file_of(group, name):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        comments = [line[1:].strip() for line in lines if line.startswith("#")]
        said = [re.sub(r"^(@package|python run.py) \S+( |$)", "", line) for line in comments]
        sets = "" if group not in NEEDED else _typed_all(_of_config(_yaml(file)))
        return "; ".join(filter(None, [next(filter(None, said), ""), sets]))
    return str(registered(group)[name].__doc__).splitlines()[0]


def primary() -> dict[str, Any]:
    """config.yaml."""
    found = (folder / "config.yaml" for folder in folders())
    return _yaml(next((file for file in found if file.exists()), Path(conf_dir(), "config.yaml")))


def _knobs(kind: type, defaults: dict[str, Any], prefix: str) -> Iterator[Described]:
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        name, hint = prefix + field.name, hints[field.name]
        if isinstance(hint, type) and issubclass(hint, Knobs):
            if not issubclass(hint, Choice):
                yield from _knobs(hint, defaults.get(field.name, {}), f"{name}.")
        elif field.metadata:
            default = defaults.get(field.name, field.default)
            value = NO_VALUE if default in ("???", dataclasses.MISSING) else _typed(default)
            yield Described(name, value, field.metadata["meaning"], allowed(field, hint))


def allowed(field: dataclasses.Field[Any], hint: Any) -> str:
    """Its type and range in words."""
    own = field.metadata.get("allowed")
    words = str(own) if own and own.one_of else kind_in_words(hint)
    if own and not own.one_of:
        words += f" {own}"
    return f"{words} or null" if may_be_null(hint) else words


def _schema_of(group: str, defaults: dict[str, Any]) -> type | None:
    """What a file names in its defaults list: [/schema/dataset/download@_here_]."""
    for entry in defaults.get("defaults", []):
        path = str(entry).partition("@")[0].strip()
        if path.startswith(f"/schema/{group}/"):
            return registered(group).get(path.rpartition("/")[2])
    return None


def _defaults(config: dict[str, Any]) -> dict[str, Any]:
    """Values of the config, and of the choices that set values of the whole config."""
    found = dict(config)
    for group, choice in chosen(config).items():
        found |= _of_config(_yaml(file_of(group, choice))) if choice else {}
    return found


def _of_config(values: dict[str, Any]) -> dict[str, Any]:
    """Those of them that are the whole config's own."""
    names = {field.name for field in dataclasses.fields(Config)} - {*GROUPS}
    return {name: value for name, value in values.items() if name in names}


def _typed_all(values: dict[str, Any]) -> str:
    return ", ".join(f"{name}={_typed(value)}" for name, value in values.items())


def _yaml(file: Path | None) -> dict[str, Any]:
    """What is in a file; nothing where it is broken, which a command that needs it will say."""
    with contextlib.suppress(yaml.YAMLError, UnicodeDecodeError):
        found = yaml.safe_load(file.read_text(encoding="utf-8")) if file else None
        return found if isinstance(found, dict) else {}
    return {}


def _typed(value: Any) -> str:
    """As one types it: null, true, [a,b]."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_typed, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)
