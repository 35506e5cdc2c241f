"""Which runs are best: one rule, for the page, its figures and the terminal.

What counts is held-out perplexity where every run that has completed holds text out, else training
perplexity; of runs that differ in nothing but their seed, the mean. Runs of another text are ranked
apart: their perplexities are of other things.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rnnlab.config.identity import as_typed, by_value
from rnnlab.runs.result import Status
from rnnlab.studies.report.entries import Entry, changed_names
from rnnlab.studies.report.statistics import spread

HELD_OUT, TRAINING = "held-out perplexity", "training perplexity"
IRRELEVANT = (
    "log.",
    "eval.",
    "checkpoint.",
    "note",
    "tags",
    "instruments",
)  # for what a run comes to
MOST_COLUMNS = 7  # of settings; the others are named where they are unusual
MOST_WORDS = 3  # of a name; where more settings differ, what most runs have is not named
USUAL = 0.6  # the share of runs that have it


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seed."""

    entries: list[Entry]
    values: list[float]  # of those that came to their end, infinite for one that diverged

    @property
    def finite(self) -> list[float]:
        return [value for value in self.values if value < math.inf]

    @property
    def mean(self) -> float:
        """Infinite where one diverged, and before there is anything."""
        return statistics.fmean(self.values) if self.values else math.inf

    @property
    def order(self) -> tuple[bool, float, float]:
        """Of two with seeds that diverged, the one whose other seeds are better comes first."""
        finite = statistics.fmean(self.finite) if self.finite else math.inf
        return not self.values, self.mean, finite

    def __str__(self) -> str:
        """1.234 ± 0.05; what diverged has no mean."""
        lost = len(self.values) - len(self.finite)
        if lost:
            return "diverged" if len(self.values) == 1 else f"{lost} of {len(self.values)} diverged"
        return spread(self.values) if self.values else ""


@dataclass(frozen=True)
class Ranking:
    """Runs side by side."""

    entries: Sequence[Entry]

    @cached_property
    def measure(self) -> str:
        """The figure that counts, by its name."""
        done = [entry for entry in self.entries if entry.result.status == Status.completed]
        return HELD_OUT if done and all(entry.holds_out for entry in done) else TRAINING

    def value(self, entry: Entry) -> float | None:
        """Infinite of a run that diverged; None of one that came to no end of its own."""
        if entry.result.status == Status.diverged:
            return math.inf
        if entry.result.status != Status.completed:
            return None
        figure = entry.held_out if self.measure == HELD_OUT else entry.training
        return math.inf if figure is None else figure

    # --- what differs ------------------------------------------------------------------------

    @cached_property
    def names(self) -> list[str]:
        """The settings that differ and can matter, without what a choice always brings."""
        names = [n for n in changed_names(self.entries) if not n.startswith(IRRELEVANT)]
        return [name for name in names if not self._comes_with(name, name.partition(".")[0])]

    def _comes_with(self, name: str, choice: str) -> bool:
        own = [e.settings for e in self.entries if {name, choice} <= e.settings.keys()]
        pairs = {(by_value(each[choice]), by_value(each[name])) for each in own}
        return name != choice and len(pairs) == len({choice for choice, _ in pairs}) > 1

    @property
    def settings(self) -> list[str]:
        """The same without the seed."""
        return [name for name in self.names if name != "seed"]

    @cached_property
    def commonest(self) -> dict[str, str]:
        """What most runs have, by the settings' names."""
        return {
            name: Counter(entry.setting(name) for entry in self.entries).most_common(1)[0][0]
            for name in self.settings
        }

    @cached_property
    def columns(self) -> list[str]:
        """The settings that have room side by side: those that vary most."""
        usual = {
            name: sum(entry.setting(name) == value for entry in self.entries)
            for name, value in self.commonest.items()
        }
        varied = sorted(self.settings, key=usual.__getitem__)[:MOST_COLUMNS]
        return [name for name in self.settings if name in varied]

    @property
    def others(self) -> list[str]:
        return [name for name in self.settings if name not in self.columns]

    def words(self, entry: Entry) -> str:
        """lr=1 model=gru: what it has, and where that would be long, what is unusual of it."""
        return entry.words(self._names(entry)) or self._nothing(entry)

    def brief(self, entry: Entry) -> str:
        """The same for a picture, of numbers the digits that tell them apart."""
        return self.brief_words(entry, self._names(entry)) or self._nothing(entry)

    def brief_words(self, entry: Entry, names: Iterable[str]) -> str:
        own = [(name, entry.settings[name]) for name in names if name in entry.settings]
        return " ".join(f"{name}={self.in_brief(name, value)}" for name, value in own)

    def in_brief(self, name: str, value: Any) -> str:
        digits = self._digits.get(name)
        return f"{value:.{digits}g}" if digits and isinstance(value, float) else as_typed(value)

    @cached_property
    def _digits(self) -> dict[str, int]:
        found = {}
        for name in self.names:
            values = {entry.setting(name): entry.settings.get(name) for entry in self.entries}
            floats = {value for value in values.values() if isinstance(value, float)}
            enough = (n for n in range(3, 17) if len({f"{f:.{n}g}" for f in floats}) == len(floats))
            found[name] = next(enough, 17)
        return found

    def _names(self, entry: Entry) -> list[str]:
        if len(self.settings) <= MOST_WORDS:
            return self.settings
        return [n for n in self.settings if entry.setting(n) != self._usual.get(n)]

    @cached_property
    def _usual(self) -> dict[str, str]:
        """What nearly all runs have, of settings of which there is such a value."""
        least = USUAL * len(self.entries)
        own = self.commonest.items()
        return {n: v for n, v in own if sum(e.setting(n) == v for e in self.entries) > least}

    def _nothing(self, entry: Entry) -> str:
        if not entry.settings:
            return entry.name
        return "the usual settings" if self.settings else ""

    # --- who is best -------------------------------------------------------------------------

    @cached_property
    def texts(self) -> list[tuple[str, str]]:
        """What perplexities are of, in the order of the runs."""
        return list(dict.fromkeys(entry.text for entry in self.entries if entry.is_known))

    @cached_property
    def groups(self) -> list[Group]:
        """Best first, one text after the other."""
        found: dict[tuple[Hashable, ...], list[Entry]] = {}
        for entry in self.entries:
            own = entry.settings
            values = [by_value(own[name]) if name in own else None for name in self.settings]
            alone = "" if entry.is_known else entry.name  # of which nothing is known
            found.setdefault((entry.text, *values, alone), []).append(entry)
        groups = [
            Group(own, [value for e in own if (value := self.value(e)) is not None])
            for own in found.values()
        ]
        return sorted(groups, key=lambda group: (self._text(group.entries[0]), group.order))

    @property
    def best(self) -> list[Group]:
        """The first of each text, where a run of it has completed."""
        firsts = {group.entries[0].text: group for group in reversed(self.groups)}
        found = [firsts[text] for text in self.texts]
        return [group for group in found if group.mean < math.inf]

    @cached_property
    def runs(self) -> list[Entry]:
        """Each for itself, best first, one text after the other."""
        return sorted(self.entries, key=self._order)

    def _text(self, entry: Entry) -> int:
        return self.texts.index(entry.text) if entry.text in self.texts else len(self.texts)

    def _order(self, entry: Entry) -> tuple[int, bool, float]:
        value = self.value(entry)
        return self._text(entry), value is None, value or 0.0

    # --- in words ----------------------------------------------------------------------------

    @property
    def rule(self) -> str:
        has_seeds = any(len(group.values) > 1 for group in self.groups)
        seeds = ", the mean over their seeds ± a 95 % confidence interval" if has_seeds else ""
        why = "which every completed run has"
        if self.measure == TRAINING:
            why = "of the last epoch, as not every run holds text out"
        is_lost = any(entry.result.status == Status.diverged for entry in self.entries)
        lost = "; what diverged comes last" if is_lost else ""
        texts = "; each text apart, as perplexities of different texts do not compare"
        return (
            f"Ranked by {self.measure} ({why}){seeds}{lost}{texts if len(self.texts) > 1 else ''}."
        )

    def described(self, group: Group) -> str:
        """lr=1 theta=5: training perplexity 1.23 ± 0.01, mean of 3 seeds."""
        words = self.brief(group.entries[0])
        many = f", mean of {len(group.values)} seeds" if len(group.values) > 1 else ""
        return f"{words}{': ' if words else ''}{self.measure} {group}{many}"
