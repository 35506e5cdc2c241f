"""Runs side by side: a table of them, their curves, which are best."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, overload

from rnnlab._common.console import one_line
from rnnlab._common.errors import ConfigError, require
from rnnlab.config.identity import by_value
from rnnlab.config.synonyms import did_you_mean
from rnnlab.results import frames
from rnnlab.results.compared import Compared
from rnnlab.results.frames import Frame
from rnnlab.results.run import Run
from rnnlab.runs.result import Status
from rnnlab.studies.comparison.compare import Names, compare
from rnnlab.studies.report import ranking
from rnnlab.studies.report.ranking import Ranking
from rnnlab.studies.report.tables import overview

WIDTH = 100  # of what is shown of a study


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but their seed."""

    settings: dict[str, Any]  # of those that differ within the study
    runs: Study
    values: tuple[float, ...]  # of the figure that counts, infinite for a run that diverged
    mean: float  # of these; infinite where one diverged, and before there is anything
    said: str

    def __repr__(self) -> str:
        return f"<Group {one_line(self.said)}>"


@dataclass(frozen=True, eq=False, repr=False)
class Study(Sequence[Run]):
    """The runs of a folder, or of several, in the order of their numbers.

    It is as it was when it was loaded; of what trains still, load it again. `study[0]` is the first
    run, `study["3_lr=1"]` the one of that name, `study[:10]` a study of ten.
    """

    runs: tuple[Run, ...]
    skipped: tuple[str, ...] = ()  # what could not be read, a sentence for each
    place: str = ""  # that was loaded

    def __len__(self) -> int:
        return len(self.runs)

    @overload
    def __getitem__(self, key: int | str) -> Run: ...
    @overload
    def __getitem__(self, key: slice) -> Study: ...
    def __getitem__(self, key: int | str | slice) -> Run | Study:
        """Raises IndexError, and ConfigError for a name that no run has, or several have."""
        if isinstance(key, slice):
            return self._of(self.runs[key])
        return self._named(key) if isinstance(key, str) else self.runs[key]

    def __repr__(self) -> str:
        if not self.runs:
            return f"<Study of {self.place}: no runs{self._skips}>"
        lines = [f"<Study of {self.place}: {overview(self.ranking)}{self._skips}"]
        lines += [f"best: {self.ranking.described(group)}" for group in self.ranking.best]
        return "\n  ".join(textwrap.fill(one_line(line), WIDTH) for line in lines) + ">"

    @property
    def _skips(self) -> str:
        return f" {len(self.skipped)} could not be read: see skipped." if self.skipped else ""

    def where(self, test: Callable[[Run], bool] | None = None, /, **wanted: Any) -> Study:
        """The runs with these settings, or figures: where(lr=1, model="gru", status="completed").

        Dotted names are given as **{"model.dropout": 0.1}; None is what has no such setting. `test`
        is asked as well: where(lambda run: run.result.epochs > 100). Raises ConfigError for a name
        that no run has.
        """
        for name in wanted:
            self._require_known(name)
        values = {name: by_value(_plain(value)) for name, value in wanted.items()}
        return self._of(
            [
                run
                for run in self.runs
                if all(by_value(_of(run, name)) == value for name, value in values.items())
                if test is None or test(run)
            ]
        )

    def _require_known(self, name: str) -> None:
        """Of no runs nothing is known."""
        if any(name in run.settings for run in self.runs):
            return
        known = dict.fromkeys(n for run in self.runs for n in (*run.settings, *run.figures))
        hint = did_you_mean(name, [*known]) or "study.frame has all names"
        is_known = name in known or not self.runs
        require(is_known, f"where({name}=...)", f"no run has such a setting; {hint}")

    @property
    def failed(self) -> Study:
        """Those that could not be trained; run.error says why."""
        return self.where(lambda run: run.status == Status.failed)

    # --- tables ------------------------------------------------------------------------------

    @cached_property
    def frame(self) -> Frame:
        """A row a run: pandas' DataFrame where pandas is installed, else a dict of numpy arrays.

        Columns are those of results.csv (studies/report/spreadsheet.py), in their types, then the
        settings that are the same in all runs, so that a program finds any setting in any study.
        """
        return frames.frame(frames.of_runs(self.runs))

    @cached_property
    def curves(self) -> Frame:
        """A row a run and a logged epoch: the run, the settings that differ, all of metrics.jsonl.

        NaN is a figure that was not taken in that epoch.
        """
        return frames.frame(frames.of_curves(self.runs))

    @cached_property
    def instruments(self) -> Frame:
        """A row a number of instruments.jsonl: the run, the settings that differ, what it is."""
        return frames.frame(frames.of_looks(self.runs))

    # --- who is best -------------------------------------------------------------------------

    def compare(
        self,
        by: Names,
        figure: str | None = None,
        at_best: Names = (),
    ) -> Compared:
        """Every pair of values of a setting, or of several together, over the seeds they share.

        `figure` is held_out_perplexity, training_perplexity or best_perplexity; of settings
        `at_best` each value has its best one. What is printed has a sentence on each pair. Raises
        ConfigError where a run is missing or has not ended, and says what to type.
        """
        return Compared(compare([run.entry for run in self.runs], by, figure, at_best))

    @cached_property
    def ranking(self) -> Ranking:
        """The report's; its `measure` is the figure that counts, its `rule` a sentence on it."""
        return Ranking([run.entry for run in self.runs])

    @cached_property
    def groups(self) -> list[Group]:
        """Best first, seeds together; of several texts one after the other."""
        return [self._group(group) for group in self.ranking.groups]

    def best(self) -> Run:
        """Of the settings that the report has as best, the seed that ended best.

        Raises ConfigError where no run has completed, and of runs on texts that do not compare.
        """
        found = self.ranking.best
        given = f"the best of {len(self)} runs"
        require(bool(found), given, "none of them has completed")
        several = f"they are of {len(found)} texts, whose perplexities do not compare: see groups"
        require(len(found) == 1, given, several)
        (group,) = found
        first = min(group.entries, key=self._value)
        return self.runs[self.ranking.entries.index(first)]

    def _value(self, entry: ranking.Entry) -> float:
        value = self.ranking.value(entry)
        return math.inf if value is None else value

    def _group(self, group: ranking.Group) -> Group:
        own = {id(entry) for entry in group.entries}
        first = group.entries[0].settings
        settings = {name: first[name] for name in self.ranking.settings if name in first}
        runs = self._of([run for run in self.runs if id(run.entry) in own])
        return Group(settings, runs, tuple(group.values), group.mean, self.ranking.described(group))

    def _of(self, runs: Sequence[Run]) -> Study:
        """A part of it; what was skipped is no part of any."""
        return Study(tuple(runs), place=self.place)

    def _named(self, name: str) -> Run:
        found = [run for run in self.runs if run.name == name]
        found = found or [run for run in self.runs if run.folder.name == name]
        if len(found) != 1:
            hint = did_you_mean(name, [run.name for run in self.runs])
            raise ConfigError(f"{len(found) or 'no'} runs are called {name}. {hint}".strip())
        return found[0]


def _of(run: Run, name: str) -> Any:
    return run.settings[name] if name in run.settings else run.figures.get(name)


def _plain(value: Any) -> Any:
    """numpy's numbers, as frames have them, are numbers."""
    return value.item() if hasattr(value, "item") else value
