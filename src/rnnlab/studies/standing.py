"""Where a whole study stands: every job that its folder has, whichever command asked for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rnnlab.config.identity import flat
from rnnlab.runs.result import Result
from rnnlab.studies.report.tables import (
    Entry,
    best_first,
    changed_names,
    over_seeds,
    read,
    spread,
)


@dataclass(frozen=True)
class Standing:
    """Runs side by side."""

    entries: list[Entry]

    @classmethod
    def of(cls, sweep: Path) -> Standing:
        return cls(read(sweep)[0])

    @classmethod
    def among(cls, results: Iterable[Result]) -> Standing:
        return cls([Entry(Path(), result, flat(result.config), []) for result in results])

    @cached_property
    def names(self) -> list[str]:
        """The settings that differ."""
        return changed_names(self.entries)

    @property
    def runs(self) -> list[Entry]:
        """Best first."""
        return best_first(self.entries)

    def words(self, entry: Entry) -> str:
        """lr=1 theta=5: what of it is not the same in all."""
        return " ".join(f"{n}={entry.setting(n)}" for n in self.names if n in entry.settings)

    @property
    def best(self) -> str:
        """Of runs that differ in their seed only, the mean; empty where none has completed."""
        groups = over_seeds(self.entries, self.names)
        if not groups:
            return ""
        settings, figures = groups[0]
        names = [name for name in self.names if name != "seed"]
        words = " ".join(f"{n}={value}" for n, value in zip(names, settings, strict=True))
        many = f", mean of {len(figures)} seeds" if len(figures) > 1 else ""
        return f"{words}{': ' if words else ''}perplexity {spread(figures)}{many}"
