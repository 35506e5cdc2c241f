"""What --help shows above Hydra's own flags: choices, and every value with meaning and range."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from rnnlab._common.choices import Choice, Knobs, registered
from rnnlab.config.names import conf_dir, files, groups, in_words, without_file
from rnnlab.config.schema import Config

WIDTH = 26  # of a name and its value, before what they mean
BEGINNING = """\
Train a recurrent language model, or with -m a study of many.

  python run.py sampler=random lr=1
  python run.py dataset=text dataset.path=FILE model=lstm optimizer=adam lr=0.003
  python run.py -m lr=0.3,1,3 seed=0,1,2
"""
ENDING = """\
Of a study (-m):
  plan=true              show its jobs, stacks, memory and time; train nothing
  sweep=FOLDER           its folder: a study that is there goes on, or grows
  on_invalid=skip        train the valid jobs; abort, the default, trains none
  resume=FOLDER          go on with a run or a study; with num_epochs=N for longer

--cfg job prints the composed config and runs nothing; --hydra-help lists Hydra's flags."""


def help_text() -> str:
    """The whole page."""
    parts = {
        "Choices (NAME=CHOICE), and their defaults:": _choices(),
        "Values (NAME=VALUE), and their defaults:": _knobs(Config, _file("config.yaml"), ""),
        "Values of a choice (GROUP.NAME=VALUE); of others, what differs:": _of_choices(),
    }
    sections = ["\n".join([title, *lines]) + "\n" for title, lines in parts.items()]
    return "\n".join([BEGINNING, *sections, ENDING])


def _choices() -> Iterator[str]:
    chosen: dict[str, Any] = {}
    for entry in _file("config.yaml")["defaults"]:
        chosen |= entry if isinstance(entry, dict) else {}
    for group, names in groups().items():
        usual = f"{group}={chosen[group]}" if chosen.get(group) else group
        yield f"  {usual:<{WIDTH}} {', '.join(names)}"


def _knobs(kind: type, defaults: dict[str, Any], prefix: str) -> Iterator[str]:
    """A line for each knob: its value as one types it, what it means, what it may be."""
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        name, hint = prefix + field.name, hints[field.name]
        if isinstance(hint, type) and issubclass(hint, Knobs):
            if not issubclass(hint, Choice):
                yield from _knobs(hint, defaults[field.name], f"{name}.")
        elif field.metadata:
            default = defaults.get(field.name, field.default)
            value = "" if default in ("???", dataclasses.MISSING) else _typed(default)
            yield f"  {f'{name}={value}':<{WIDTH}} {_meaning(field)} ({_allowed(field, hint)})"


def _of_choices() -> Iterator[str]:
    """The knobs of each choice, under the choice; not those that stand above for its group."""
    shown: set[str] = set()
    known = [(group, name) for group, names in files().items() for name in names]
    for group, name in [*known, *without_file()]:
        defaults = _file(f"{group}/{name}.yaml")
        kind = registered(group).get(name) or _schema_of(group, defaults)
        lines = list(_knobs(kind, defaults, f"{group}.")) if kind else []
        if new := [line for line in lines if line not in shown]:
            yield f" {group}={name}"
            yield from new
        shown |= set(new)


def _schema_of(group: str, defaults: dict[str, Any]) -> type | None:
    """What a file names in its defaults list: [/schema/dataset/download@_here_]."""
    for entry in defaults.get("defaults", []):
        path = str(entry).partition("@")[0]
        if path.startswith(f"/schema/{group}/"):
            return registered(group)[path.rpartition("/")[2]]
    return None


def _allowed(field: dataclasses.Field[Any], hint: Any) -> str:
    kind, allowed = in_words(hint, "").partition(";")[0], field.metadata.get("allowed")
    if allowed is None:
        return kind
    return str(allowed) if allowed.one_of else f"{kind} {allowed}"


def _meaning(field: dataclasses.Field[Any]) -> str:
    return field.metadata["meaning"]


def _file(name: str) -> dict[str, Any]:
    path = Path(conf_dir(), name)
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {} if path.exists() else {}


def _typed(value: Any) -> str:
    """As one types it: null, true, [a,b]."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_typed, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return "null" if value is None else str(value)
