"""What --help shows: every choice and every value with its default, meaning and range."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from rnnlab._common.choices import Choice, Knobs, registered
from rnnlab._common.program import training
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

WIDTH = 80
COLUMN = 26  # where meanings begin
LONGEST = 40  # characters of a default
TOGETHER = "\N{NO-BREAK SPACE}"  # words that stay in one line
BEGINNING = """\
Train a recurrent language model, or with -m a study of many.

  {program} sampler=random lr=1
  {program} dataset=text dataset.path=FILE model=lstm theta=5
  {program} -m lr=0.3,1,3 seed=0,1,2
"""
ENDING = """\
Of a study (-m):
  plan=true               show its jobs, stacks, memory and time; train nothing
  sweep=FOLDER            its folder: a study that is there goes on, or grows
  on_invalid=skip         train the valid jobs; abort, the default, trains none
  backend=slurm           its stacks are jobs of a queue: slurm, ray; or local
  detach=true             leave it to train; rnnlab status FOLDER says how it is
  resume=FOLDER           go on with a run or a study; num_epochs=N: for longer

Of Hydra:
  hydra.run.dir=FOLDER    a run's folder
  --config-dir FOLDER     YAML files of your own: FOLDER/experiment/mine.yaml is
                          experiment=mine
  --config-name NAME      compose NAME.yaml of these instead of config.yaml
  --cfg job               print the composed config, and run nothing
  --hydra-help            Hydra's other flags

A list is typed 'NAME=[a,b]', and what has signs of the shell's goes in quotes."""


def help_text() -> str:
    """The whole page."""
    config = _yaml(_primary())
    parts = {
        "Choices (GROUP=CHOICE), and the default:": _choices(_chosen(config)),
        "Values (NAME=VALUE), and the default:": _knobs(Config, _defaults(config), ""),
        "Values of a choice (GROUP.NAME=VALUE); of others, what differs:": _of_choices(),
    }
    sections = ["\n".join([title, *lines]) + "\n" for title, lines in parts.items()]
    return "\n".join([BEGINNING.format(program=training()), *sections, ENDING])


def _choices(chosen: dict[str, str | None]) -> Iterator[str]:
    """Each group in the order of the defaults list, then those of a user's own."""
    known = groups()
    for group in [*filter(known.get, chosen), *(own for own in known if own not in chosen)]:
        default = chosen.get(group)
        plus = "" if group in chosen else "+"  # a user's own, which is in no defaults list
        yield f"  {plus}{group}={default}" if default else f"  {plus}{group}"
        for name in known[group]:
            yield from _entry(f"    {name}", _about(group, name))


def _about(group: str, name: str) -> str:
    """What a choice's file begins with, or its definition."""
    if file := file_of(group, name):
        lines = file.read_text(encoding="utf-8", errors="replace").splitlines()
        comments = [line[1:].strip() for line in lines if line.startswith("#")]
        said = [re.sub(r"^(@package|python run.py) \S+( |$)", "", line) for line in comments]
        sets = "" if group not in NEEDED else _typed_all(_of_config(_yaml(file)))
        return "; ".join(filter(None, [next(filter(None, said), ""), sets]))
    return str(registered(group)[name].__doc__).splitlines()[0]


def _knobs(kind: type, defaults: dict[str, Any], prefix: str) -> Iterator[str]:
    """Each knob: its value as one types it, what it means, what it may be."""
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        name, hint = prefix + field.name, hints[field.name]
        if isinstance(hint, type) and issubclass(hint, Knobs):
            if not issubclass(hint, Choice):
                yield from _knobs(hint, defaults.get(field.name, {}), f"{name}.")
        elif field.metadata:
            default = defaults.get(field.name, field.default)
            value = "VALUE" if default in ("???", dataclasses.MISSING) else _typed(default)
            allowed = f"({_allowed(field, hint)})".replace(" ", TOGETHER)
            yield "\n".join(_entry(f"  {name}={value}", f"{field.metadata['meaning']} {allowed}"))


def _of_choices() -> Iterator[str]:
    """The knobs of each choice, under the choice; not those that stand above for its group."""
    shown: set[str] = set()
    for group, names in groups().items():
        for name in names:
            defaults = _yaml(file_of(group, name))
            inner = defaults.get(group)  # of a file that sets values of the whole config too
            defaults = defaults | (inner if isinstance(inner, dict) else {})
            kind = registered(group).get(name) or _schema_of(group, defaults)
            lines = list(_knobs(kind, defaults, f"{group}.")) if kind else []
            if new := [line for line in lines if line not in shown]:
                yield f" {group}={name}"
                yield from new
            shown |= set(new)


def _schema_of(group: str, defaults: dict[str, Any]) -> type | None:
    """What a file names in its defaults list: [/schema/dataset/download@_here_]."""
    for entry in defaults.get("defaults", []):
        path = str(entry).partition("@")[0].strip()
        if path.startswith(f"/schema/{group}/"):
            return registered(group).get(path.rpartition("/")[2])
    return None


def _allowed(field: dataclasses.Field[Any], hint: Any) -> str:
    allowed = field.metadata.get("allowed")
    words = str(allowed) if allowed and allowed.one_of else kind_in_words(hint)
    if allowed and not allowed.one_of:
        words += f" {allowed}"
    return f"{words} or null" if may_be_null(hint) else words


def _entry(name: str, about: str) -> list[str]:
    """A name, and beside it, or below where it is long, what is said of it."""
    lines = [line.replace(TOGETHER, " ") for line in textwrap.wrap(about, WIDTH - COLUMN)]
    indented = [" " * COLUMN + line for line in lines]
    if len(name) >= COLUMN or not lines:
        return [name, *indented]
    return [f"{name:<{COLUMN}}{lines[0]}", *indented[1:]]


def _primary() -> Path:
    found = (folder / "config.yaml" for folder in folders())
    return next((file for file in found if file.exists()), Path(conf_dir(), "config.yaml"))


def _chosen(config: dict[str, Any]) -> dict[str, str | None]:
    """The choice of each group in a defaults list."""
    entries = [entry for entry in config["defaults"] if isinstance(entry, dict)]
    return {group: name for entry in entries for group, name in entry.items() if " " not in group}


def _defaults(config: dict[str, Any]) -> dict[str, Any]:
    """Values of the config, and of the choices that set values of the whole config."""
    found = dict(config)
    for group, choice in _chosen(config).items():
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
    text = "null" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
