"""What to type where a comparison lacks runs: to go on with some, and to train others."""

from __future__ import annotations

import itertools
import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from rnnlab._common.program import resuming
from rnnlab.config.words import as_override, as_word, key_of
from rnnlab.studies.command import COMMANDS
from rnnlab.studies.report.entries import ABSENT, Entry

Settings = Mapping[str, str]  # of a run, as one types them
Columns = Mapping[str, list[str]]  # of several runs that are a grid
BY_HAND = "the command that trained the others, with these settings"


def to_type(commands: Iterable[str]) -> str:
    return f"type {' && '.join(dict.fromkeys(commands))}"


def resumes(unfinished: Sequence[Entry]) -> list[str]:
    """Of the study that a run is of, or of the run where it is alone."""
    homes = [e.folder.parent if _is_study(e.folder.parent) else e.folder for e in unfinished]
    return [resuming(home) for home in dict.fromkeys(homes)]


def _is_study(folder: Path) -> bool:
    return (folder / COMMANDS).exists()


def trains(missing: Sequence[Settings], by: Sequence[str], entries: Sequence[Entry]) -> list[str]:
    """Commands that train them, each like the run of its values of `by` that is most alike.

    What is alike in all else is one command where it is a grid, else one for each settings.
    """
    donors = {id(own): own for own in (_donor(each, by, entries) for each in missing)}
    words = {key: _words(donor) for key, donor in donors.items()}
    alike: dict[tuple[str, ...], list[Settings]] = {}
    for settings in missing:
        own = words[id(_donor(settings, by, entries))]
        alike.setdefault(tuple(w for w in own if key_of(w) not in settings), []).append(settings)
    found = []
    for grid in itertools.chain.from_iterable(map(_grids, alike.values())):
        donor = _donor({name: values[0] for name, values in grid.items()}, by, entries)
        found.append(_train(grid, donor, words[id(donor)], entries))
    return found


def _donor(settings: Settings, by: Sequence[str], entries: Sequence[Entry]) -> Entry:
    def alike(entry: Entry) -> tuple[bool, int]:
        same = [name for name, value in settings.items() if entry.setting(name) == value]
        return {*by} <= {*same}, len(same)

    return max(entries, key=alike)


def _words(donor: Entry) -> list[str]:
    """The settings of its command; none where nobody can type it."""
    from rnnlab.studies.report.commands import commands  # and Hydra

    words = shlex.split(commands([[donor]])[0])
    return words[2:] if words[:2] == ["rnnlab", "train"] else []


def _grids(group: Sequence[Settings]) -> Iterator[Columns]:
    """The whole group, or for each settings their seeds."""
    columns = _columns(group)
    has_gaps = math.prod(map(len, columns.values())) > len(group)
    if not has_gaps and all(len(own) == 1 or ABSENT not in own for own in columns.values()):
        yield columns
        return
    for _, own in itertools.groupby(group, key=lambda settings: {**settings, "seed": ""}):
        yield _columns([*own])


def _columns(group: Sequence[Settings]) -> Columns:
    return {name: list(dict.fromkeys(own[name] for own in group)) for name in group[0]}


def _train(grid: Columns, donor: Entry, words: Sequence[str], entries: Sequence[Entry]) -> str:
    """As its donor, but for what differs."""
    if not words:
        return BY_HAND
    own = {
        name: f"{name}={','.join(_word(name, value, entries) for value in values)}"
        for name, values in grid.items()
        if values != [donor.setting(name)]
    }
    kept = [own.pop(key_of(word), word) for word in words]
    home = donor.folder.parent
    sweep = [as_override("sweep", str(home))] if _is_study(home) else []
    return shlex.join(["rnnlab", "train", "-m", *kept, *own.values(), *sweep])


def _word(name: str, typed: str, entries: Sequence[Entry]) -> str:
    """With quotes where a text needs them; a new seed is in no run."""
    known = (entry.settings[name] for entry in entries if entry.setting(name) == typed)
    found = next(known, None)
    return typed if found is None else as_word(found)
