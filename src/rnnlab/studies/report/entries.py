"""The runs of a folder, as a report looks at them.

Reads files only, so it works on a study that is still running and on any folder of runs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from rnnlab._common.errors import ConfigError
from rnnlab.config.identity import as_typed, differing, settings_of
from rnnlab.runs.folder import FIGURES, METRICS, RESULT, number_of, overrides_of, read_metrics
from rnnlab.runs.result import FAR_BEYOND, Result

Curve = list[tuple[int, float]]  # epoch, figure
ASTRAY = 100 * FAR_BEYOND  # times guessing: an overfitted model's held-out text has less
DRAWN = (*FIGURES[METRICS], "gradient_norm", "clipped_fraction")  # of metrics.jsonl
ABSENT = ""  # a setting that a run has not, as an rnn has no reset gate


@dataclass(frozen=True)
class Entry:
    """One run's folder: its result, and its settings by dotted names.

    A perplexity far beyond guessing is none, wherever it stands.
    """

    folder: Path
    result: Result
    settings: dict[str, Any]
    home: Path = Path()  # of the report

    @classmethod
    def of(cls, folder: Path, result: Result, home: Path | None = None) -> Entry:
        settings = settings_of(result.config) if result.config else _asked(folder)
        return cls(folder, result, settings, home or folder.parent)

    @property
    def is_known(self) -> bool:
        """It has a config: it is more than a job that could not be composed or trained."""
        return bool(self.result.config)

    @property
    def name(self) -> str:
        """Where it is, seen from the report."""
        return Path(os.path.relpath(self.folder, self.home)).as_posix()

    @property
    def training(self) -> float | None:
        return self.sane(self.result.perplexity)

    @property
    def held_out(self) -> float | None:
        return self.sane(self.result.val_perplexity)

    @property
    def best(self) -> float | None:
        """The lowest of any epoch: held-out where text is held out, else of training."""
        return self.sane(self.result.best_perplexity)

    @property
    def floor(self) -> float | None:
        """The perplexity that no model stays below, where its text's is known."""
        return self.result.floor

    @property
    def excess(self) -> float | None:
        """Nats a token of the figure that counts above what its text costs by its source."""
        return self.result.excess if self.sane(self.result.figure) else None

    @property
    def holds_out(self) -> bool:
        return bool(self.settings.get("dataset.val_fraction"))

    @property
    def text(self) -> tuple[str, str]:
        """Perplexities are of the same thing where this is equal: the text, and how it is cut."""
        return str(self.result.dataset.get("sha256")), str(self.vocab_size)

    @property
    def vocab_size(self) -> int | None:
        found = self.result.dataset.get("vocab_size")
        return found if type(found) is int else None

    @cached_property
    def curves(self) -> tuple[Curve, Curve]:
        """Of training, and of held-out text, as far as they are logged."""
        training, held_out = (self.curve(figure) for figure in FIGURES[METRICS])
        return training, held_out

    def curve(self, figure: str) -> Curve:
        """A figure of metrics.jsonl over the epochs; of perplexities those that are no nonsense."""
        return self.logged.get(figure, [])

    @cached_property
    def logged(self) -> dict[str, Curve]:
        """What is drawn of metrics.jsonl, by its names."""
        curves: dict[str, Curve] = {figure: [] for figure in DRAWN}
        for line in read_metrics(self.folder):
            for figure, curve in curves.items():
                value = line.get(figure)
                if figure in FIGURES[METRICS]:
                    value = self.sane(value)
                if value is not None:
                    curve.append((line["epoch"], value))
        return curves

    @property
    def last_epoch(self) -> int:
        """The last that was logged."""
        return max((curve[-1][0] for curve in self.logged.values() if curve), default=0)

    def setting(self, name: str) -> str:
        """As one would type it."""
        return as_typed(self.settings[name]) if name in self.settings else ABSENT

    def words(self, names: Iterable[str]) -> str:
        """lr=1 model=gru, of those of the names that it has."""
        return " ".join(f"{n}={self.setting(n)}" for n in names if n in self.settings)

    def sane(self, perplexity: float | None) -> float | None:
        """None for what is far beyond guessing."""
        V = self.vocab_size
        is_astray = perplexity is not None and V is not None and perplexity > ASTRAY * V
        return None if is_astray else perplexity


def _asked(folder: Path) -> dict[str, Any]:
    """What a job that has no config was asked to be, as far as its overrides say so."""
    found: dict[str, Any] = {}
    for word in overrides_of(folder) or ():
        name, _, text = word.partition("=")
        try:
            found[name] = float(text)
        except ValueError:
            found[name] = text
    return found


def read(home: Path) -> tuple[list[Entry], list[str]]:
    """Every run below `home`, by its number, and what could not be read."""
    entries, skipped = [], []
    for path in home.rglob(RESULT):
        try:
            entries.append(Entry.of(path.parent, Result.read(path.parent), home))
        except ConfigError as error:
            skipped.append(str(error))
    last = sys.maxsize  # runs without a number
    entries.sort(key=lambda e: (e.folder.parent, number_of(e.folder, last), e.folder.name))
    return entries, sorted(skipped)


def changed_names(entries: Iterable[Entry]) -> list[str]:
    """Settings that differ between the runs."""
    return differing(entry.settings for entry in entries)
