"""From runs to a table: every pair of values of some settings, at every place.

What is compared is loss in nats, the logarithm of a perplexity, so that a difference of 0.1 is a
tenth more or less of it wherever it stands. A run that is worse than guessing among its V tokens,
or has diverged, counts as guessing, ln V: it is worse than all that have learnt something, and its
owner would guess.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import fmean

from rnnlab._common.errors import not_allowed, require
from rnnlab.config.schema import GROUPS
from rnnlab.runs.result import Status
from rnnlab.studies.comparison.paired import LEVEL, Paired, holm
from rnnlab.studies.comparison.pairs import Grid, Values
from rnnlab.studies.report.entries import Entry
from rnnlab.studies.report.ranking import HELD_OUT, TRAINING, Ranking

FIGURES = {  # of results.csv, in words
    "held_out_perplexity": HELD_OUT,
    "training_perplexity": TRAINING,
    "best_perplexity": "perplexity of the best epoch",
}
SYNONYMS = {"val_perplexity": "held_out_perplexity", "perplexity": "training_perplexity"}
Names = str | Sequence[str]  # of settings: "model", "model,lr", ["model", "lr"]
MOST_ROWS = 60


@dataclass(frozen=True)
class Row:
    """Two values at a place; the first has the lower loss, so that the mean is not negative."""

    place: dict[str, str]  # settings at which both are
    lower: str
    higher: str
    paired: Paired  # higher - lower, a seed each
    guesses: tuple[int, int]  # how many runs of each count as guessing
    diverged: tuple[int, int]
    p_holm: float = 1.0
    level: float = LEVEL  # over the number of rows that are judged

    @property
    def guessing(self) -> int:
        return sum(self.guesses)

    @property
    def is_judged(self) -> bool:
        """Both have a run that has learnt something: what differs from ln V alone says nothing."""
        return max(self.guesses) < len(self.paired.differences)

    @cached_property
    def seeds_needed(self) -> int | None:
        return self.paired.seeds_needed(self.level)


@dataclass(frozen=True)
class Comparison:
    """All pairs of the values of `by`, in nats of a figure."""

    by: tuple[str, ...]
    figure: str  # its name in results.csv
    places: tuple[str, ...]  # names of the settings that vary besides
    at_best: tuple[str, ...]  # and of those of which each value has its best
    brought: tuple[str, ...]  # and of those that each value brings along
    seeds: tuple[str, ...]
    rows: tuple[Row, ...]


def compare(
    entries: Sequence[Entry],
    by: Names,
    figure: str | None = None,
    at_best: Names = (),
) -> Comparison:
    """Raises ConfigError for a gap, and for what cannot be compared."""
    compared, tuned = names_of(by, "comparing by"), names_of(at_best, "comparing at the best")
    ranking = Ranking(entries)
    usual = next(name for name, words in FIGURES.items() if words == ranking.measure)
    asked = _Asked(Grid(ranking, compared), usual if figure is None else _known(figure), tuned)
    return Comparison(
        by=asked.grid.by,
        figure=asked.figure,
        places=tuple(asked.names),
        at_best=asked.at_best,
        brought=tuple(asked.grid.brought),
        seeds=tuple(asked.grid.seeds),
        rows=_judged(asked.rows),
    )


def names_of(given: Names, doing: str) -> tuple[str, ...]:
    """Each name once, of a text or of a list; raises ConfigError for anything else."""
    listed = [given] if isinstance(given, str) else given
    is_listed = isinstance(listed, Sequence) and all(isinstance(own, str) for own in listed)
    require(is_listed, f"{doing} {given!r}", "it takes a setting's name, or a list of names")
    names = (name.strip() for own in listed for name in own.split(","))
    return tuple(dict.fromkeys(filter(None, names)))


def _known(figure: str) -> str:
    found = next((name for name in (*FIGURES, *SYNONYMS) if name == figure), None)
    if found is None:
        raise not_allowed(f"the figure {figure}", f"it is one of {', '.join(FIGURES)}")
    return SYNONYMS.get(found, found)


def loss(entry: Entry, figure: str) -> float:
    """In nats, of a run that has ended; at most ln V."""
    guessing, perplexity = math.log(entry.vocab_size or math.inf), _perplexity(entry, figure)
    if entry.result.status == Status.diverged or perplexity is None:
        return guessing
    return min(math.log(perplexity), guessing)


def _perplexity(entry: Entry, figure: str) -> float | None:
    match figure:
        case "held_out_perplexity":
            return entry.held_out
        case "training_perplexity":
            return entry.training
    return entry.best


def _judged(rows: Sequence[Row]) -> tuple[Row, ...]:
    """With what depends on how many there are that can be judged."""
    ps = [row.paired.p for row in rows if row.is_judged]
    adjusted, level = iter(holm(ps)), LEVEL / max(1, len(ps))
    return tuple(
        replace(row, p_holm=next(adjusted), level=level) if row.is_judged else row for row in rows
    )


@dataclass(frozen=True)
class _Asked:
    """What is to be compared, found possible."""

    grid: Grid
    figure: str
    at_best: tuple[str, ...]

    def __post_init__(self) -> None:
        for name in self.at_best:
            rule = f"what varies besides is {', '.join(self.grid.others) or 'nothing'}"
            require(name in self.grid.others, f"comparing at the best {name}", rule)
        for entry in self.grid.runs.values():
            self._require_figure(entry)
        count = len(self._outer) * math.comb(len(self.grid.values), 2)
        rule = "that is too many to tell chance from; add --at-best NAME, or compare a part"
        require(count <= MOST_ROWS, f"comparing {count} pairs", f"{rule} (rnnlab.load, where)")

    def _require_figure(self, entry: Entry) -> None:
        V, perplexity, rule = entry.vocab_size, _perplexity(entry, self.figure), ""
        if V is None or V < 1:
            rule = "does not tell the size of its vocabulary"
        if self.figure == "held_out_perplexity" and not entry.holds_out:
            rule = "holds no text out; type --figure training_perplexity"
        if perplexity is not None and perplexity <= 0:
            rule = f"has {perplexity:g}, which is no perplexity: its result.json is damaged"
        if rule:
            raise not_allowed(f"comparing {FIGURES[self.figure]}", f"{entry.name} {rule}")

    @cached_property
    def names(self) -> list[str]:
        """Of the settings that tell a place."""
        return [name for name in self.grid.others if name not in self.at_best]

    @cached_property
    def _outer(self) -> dict[Values, list[Values]]:
        """Each place with those that differ from it in what is tuned."""
        found: dict[Values, list[Values]] = {}
        for place in self.grid.places:
            told = zip(self.grid.others, place, strict=True)
            outer = tuple(value for name, value in told if name in self.names)
            found.setdefault(outer, []).append(place)
        return found

    @property
    def rows(self) -> list[Row]:
        """Place by place, values with the least loss first."""
        found = []
        for place, tuned in self._outer.items():
            sides = [self._side(value, tuned) for value in self.grid.values]
            sides.sort(key=lambda side: fmean(side.losses))
            pairs = itertools.combinations(sides, 2)
            told = dict(zip(self.names, place, strict=True))
            found += [lower.against(higher, told) for lower, higher in pairs]
        return found

    def _side(self, value: Values, tuned: Sequence[Values]) -> _Side:
        """The value where it is best; of one place, there."""
        sides = [self._at(value, place) for place in tuned]
        return min(sides, key=lambda side: fmean(side.losses))

    def _at(self, value: Values, place: Values) -> _Side:
        told = dict(zip(self.grid.others, place, strict=True))
        own = dict(zip(self.grid.by, value, strict=True)) | {n: told[n] for n in self.at_best}
        runs = self.grid.cell(place, value)
        return _Side(_label(own), [loss(run, self.figure) for run in runs], runs)


@dataclass(frozen=True)
class _Side:
    label: str
    losses: list[float]  # in nats, a seed each
    runs: list[Entry]

    def against(self, higher: _Side, place: dict[str, str]) -> Row:
        differences = tuple(h - own for own, h in zip(self.losses, higher.losses, strict=True))
        guesses = self.guessing, higher.guessing
        diverged = self.diverged, higher.diverged
        return Row(place, self.label, higher.label, Paired(differences), guesses, diverged)

    @property
    def guessing(self) -> int:
        V = self.runs[0].vocab_size
        return sum(own == math.log(V) for own in self.losses) if V else 0

    @property
    def diverged(self) -> int:
        return sum(run.result.status == Status.diverged for run in self.runs)


def _label(settings: dict[str, str]) -> str:
    """gru; lr=1; model=gru lr=1: a choice alone says what it is."""
    if len(settings) == 1 and (choice := next(iter(settings))) in GROUPS:
        return settings[choice]
    return " ".join(f"{name}={value}" for name, value in settings.items() if value)
