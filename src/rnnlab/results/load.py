"""rnnlab.load: from folders to a Study."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from rnnlab._common.console import one_line
from rnnlab._common.errors import require
from rnnlab.results.run import Run
from rnnlab.results.study import Study
from rnnlab.runs.folder import METRICS, RESULT
from rnnlab.studies.report.entries import Entry, read

Name = str | os.PathLike[str]
log = logging.getLogger(__name__)


def load(folders: Name | Iterable[Name]) -> Study:
    """Every run in a folder, or in several; what cannot be read is warned of, and left out.

    Raises ConfigError for a folder that is not there, or where nothing was ever trained.
    """
    names = [folders] if isinstance(folders, str | os.PathLike) else [*folders]
    homes = _homes(names)
    entries, skipped = dict[Path, Entry](), list[str]()
    for home in homes:
        found, mistakes = read(home)
        mistakes += _without_result(home)
        require(bool(found or mistakes), f"loading {home}", "it has no run's folder in it")
        entries |= {entry.folder: entry for entry in found}  # in one that is in another: once
        skipped += mistakes
    base = _above(homes)
    runs = tuple(Run(replace(entry, home=base)) for entry in entries.values())
    study = Study(runs, tuple(dict.fromkeys(skipped)), ", ".join(map(str, names)))
    for sentence in study.skipped:
        log.warning("not read: %s", one_line(sentence))
    return study


def _homes(names: list[Name]) -> list[Path]:
    """Seen from everywhere: curves and checkpoints are read later, wherever the program is then."""
    require(bool(names), "loading no folder", "it takes one, or a list of several")
    homes = [Path(name).expanduser().absolute() for name in names]
    for home in homes:
        require(home.is_dir(), f"loading {home}", "there is no such folder")
    return homes


def _above(homes: list[Path]) -> Path:
    """Where the names of runs are seen from; a run that is loaded itself has its folder's name."""
    return Path(os.path.commonpath([h.parent if (h / RESULT).exists() else h for h in homes]))


def _without_result(home: Path) -> Iterator[str]:
    """Runs that have logged epochs, and lost the file that says what they are."""
    for path in sorted(home.rglob(METRICS)):
        if not (path.parent / RESULT).exists():
            yield f"{path.parent} is a run that has lost its {RESULT}."
