"""The command that trains a run again, or the seeds of some settings, in words safe to paste."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from rnnlab._common.console import one_line
from rnnlab._common.errors import ConfigError
from rnnlab.config.schema import Config
from rnnlab.config.shortest import Words, shortest
from rnnlab.config.stored import from_dict
from rnnlab.config.words import as_override
from rnnlab.nn.own_cell import OwnCell
from rnnlab.runs.folder import CELL
from rnnlab.studies.report.entries import Entry


def commands(many: Sequence[Sequence[Entry]]) -> list[str]:
    """Of each group of runs that differ in nothing but their seed; "" where none has a config."""
    own = [[entry for entry in entries if entry.is_known] for entries in many]
    configs = [_config(entries[0]) if entries else None for entries in own]
    found = iter(shortest(config for config in configs if config))
    words = [next(found) if config else None for config in configs]
    return [_command(*each) if each[0] else "" for each in zip(own, configs, words, strict=True)]


def _command(entries: Sequence[Entry], config: Config | None, words: Words | None) -> str:
    if config and words is not None and isinstance(config.model, OwnCell):
        copy = as_override("model", str(entries[0].folder.absolute() / CELL))
        words = [copy if word == f"model={config.model.name}" else word for word in words]
    if words is not None and "".join(words).isprintable():
        seeds = sorted({entry.result.seed for entry in entries})
        if len(seeds) > 1:
            words = [word for word in words if not word.startswith("seed=")]
            words = ["-m", *words, f"seed={','.join(map(str, seeds))}"]
        return shlex.join(["rnnlab", "train", *words])  # in any folder: a page travels
    folder = str(entries[0].folder.absolute())
    if not folder.isprintable():
        name = one_line(entries[0].folder.name)
        return f"(the name of the run's folder cannot be typed: {name})"
    return shlex.join(["rnnlab", "reproduce", folder])


def _config(entry: Entry) -> Config | None:
    try:
        return from_dict(entry.result.config)
    except ConfigError:  # a choice that is not known here
        return None
