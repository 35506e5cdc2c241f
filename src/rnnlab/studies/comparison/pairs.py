"""Which runs pair: they differ in the compared settings and in nothing else, the seed included.

    place   the other settings that vary: lr=1
    value   of the compared settings: model=gru
    cell    a value at a place: a run for each seed

A gap is refused, with its name and what to type: a mean over the seeds that happen to be there
would compare other seeds with others.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from rnnlab._common.errors import ConfigError, not_allowed, require
from rnnlab.studies.comparison.gaps import resumes, to_type, trains
from rnnlab.studies.report.entries import Entry
from rnnlab.studies.report.ranking import Ranking
from rnnlab.studies.student import FEWEST

Values = tuple[str, ...]  # of some names, as one types them; "" of a setting that a run has not
Seat = tuple[Values, Values, str]  # place, value, seed
NAMED = 6  # gaps
USUAL = 5  # seeds


@dataclass(frozen=True)
class Grid:
    """Runs by their places, values and seeds."""

    ranking: Ranking
    by: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raises ConfigError where these settings cannot be compared, and for a gap."""
        self._require_names()
        self._require_known()
        self._require_shared()
        self._require_seeds()
        self._require_whole()
        self._require_one_text()

    # --- names -------------------------------------------------------------------------------

    @cached_property
    def others(self) -> list[str]:
        """Settings that vary besides, but for those that the compared ones bring along."""
        rest = [name for name in self.ranking.settings if name not in self.by]
        return [name for name in rest if not self._is_brought(name)]

    @cached_property
    def brought(self) -> list[str]:
        """Each compared value has its own: adam's lr is 0.001."""
        rest = [name for name in self.ranking.settings if name not in self.by]
        return [name for name in rest if name not in self.others]

    def _is_brought(self, name: str) -> bool:
        pairs = {(self._values(e, self.by), e.setting(name)) for e in self.ranking.entries}
        return len(pairs) == len({value for value, _ in pairs})

    def _require_names(self) -> None:
        varied = self.ranking.settings
        require(bool(self.by), "comparing by nothing", "type --by NAME")
        require(bool(varied), self._given, "its runs differ in nothing but their seeds")
        for name in self.by:
            rule = f"what differs between its runs is {', '.join(varied)}"
            require(name in varied, f"comparing by {name}", rule)

    @property
    def _given(self) -> str:
        return f"comparing by {','.join(self.by)}"

    # --- cells -------------------------------------------------------------------------------

    @cached_property
    def runs(self) -> dict[Seat, Entry]:
        """Raises ConfigError for two of one seat."""
        found: dict[Seat, Entry] = {}
        for entry in self.ranking.entries:
            if (other := found.setdefault(self._seat(entry), entry)) is not entry:
                same = f"{other.name} and {entry.name} have the same settings and seed"
                raise not_allowed(self._given, f"{same}; leave one out")
        return found

    @cached_property
    def seeds(self) -> list[str]:
        return sorted({seed for _, _, seed in self.runs}, key=int)

    @cached_property
    def places(self) -> list[Values]:
        return list(dict.fromkeys(place for place, _, _ in self.runs))

    @cached_property
    def values(self) -> list[Values]:
        return list(dict.fromkeys(value for _, value, _ in self.runs))

    def cell(self, place: Values, value: Values) -> list[Entry]:
        """A run for each seed, in their order."""
        return [self.runs[place, value, seed] for seed in self.seeds]

    def _seat(self, entry: Entry) -> Seat:
        place, value = (self._values(entry, names) for names in (self.others, self.by))
        return place, value, entry.setting("seed")

    @staticmethod
    def _values(entry: Entry, names: Sequence[str]) -> Values:
        return tuple(entry.setting(name) for name in names)

    # --- what is refused ---------------------------------------------------------------------

    def _require_known(self) -> None:
        """Jobs that could not be composed have no settings that say where they belong."""
        lost = [entry for entry in self.ranking.entries if not entry.is_known]
        if lost:
            names = _listed([f"{entry.name} is {entry.result.status}" for entry in lost])
            raise self._lacking(names, resumes(lost))

    def _require_shared(self) -> None:
        """A setting that one value has and another has not has to be a part of the values."""
        for name in self.others:
            has: dict[Values, bool] = {}
            for entry in self.ranking.entries:
                value = self._values(entry, self.by)
                has[value] = has.get(value, False) or name in entry.settings
            rule = f"not all of them have {name}, which varies too; type {','.join(self.by)},{name}"
            require(len({*has.values()}) == 1, self._given, rule)

    def _require_seeds(self) -> None:
        if len(self.seeds) >= FEWEST:
            return
        more = [seed for seed in map(str, range(USUAL)) if seed not in self.seeds]
        seats = itertools.product(self.places, self.values, more[: USUAL - len(self.seeds)])
        rule = f"it takes {FEWEST} seeds at least, and there is seed={','.join(self.seeds)}"
        raise self._lacking(rule, self._trains(seats))

    def _require_whole(self) -> None:
        unfinished = [e for e in self.runs.values() if not e.result.status.is_final]
        seats = itertools.product(self.places, self.values, self.seeds)
        missing = [seat for seat in seats if seat not in self.runs]
        if not unfinished and not missing:
            return
        said = [f"{e.name} is {e.result.status}" for e in unfinished]
        said += [f"there is no run of {self._words(seat)}" for seat in missing]
        todo = [*resumes(unfinished), *self._trains(missing)]
        raise self._lacking(_listed(said), todo)

    def _require_one_text(self) -> None:
        for place, seed in itertools.product(self.places, self.seeds):
            first, *others = (self.runs[place, value, seed] for value in self.values)
            for other in others:
                if other.text != first.text:
                    apart = f"{first.name} and {other.name} are of different texts"
                    raise not_allowed(self._given, f"{apart}, whose perplexities do not compare")

    def _lacking(self, what: str, todo: Sequence[str]) -> ConfigError:
        """To be raised; it ends with what to type, and no full stop."""
        return ConfigError(f"{self._given} is not allowed: {what}; {to_type(todo)}")

    def _trains(self, seats: Iterable[Seat]) -> list[str]:
        return trains([*map(self._settings, seats)], self.by, self.ranking.entries)

    def _words(self, seat: Seat) -> str:
        return " ".join(f"{name}={value}" for name, value in self._settings(seat).items() if value)

    def _settings(self, seat: Seat) -> dict[str, str]:
        place, value, seed = seat
        names = (*self.by, *self.others, "seed")
        return dict(zip(names, (*value, *place, seed), strict=True))


def _listed(said: Sequence[str]) -> str:
    more = f" (and {len(said) - NAMED} more)" if len(said) > NAMED else ""
    return ", ".join(said[:NAMED]) + more
