"""A run of a recorded study: its settings and figures, as results.json keeps them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from rnnlab.config.identity import is_number
from rnnlab.results.run import Run
from rnnlab.runs.folder import read_looks
from rnnlab.runs.result import Result, Status
from rnnlab.studies.report.entries import DRAWN, Curve, Entry
from rnnlab.studies.report.spreadsheet import AT_LENGTH, TEXTS, figures_of

GRADIENT = "gradient"  # of lag N, gradient_at_N: the largest of all states, as first looked at
AT = re.compile(rf"({'|'.join((*AT_LENGTH, GRADIENT))})_at_(.+)")
FIGURES = (*figures_of(Entry(Path(), Result.without_run(""), {})),)
WORDS = (*TEXTS, "sha256")  # what is no number of it
PASSING = ("began", "ended")  # what says nothing of a result


@dataclass(frozen=True)
class Row:
    folder: str
    settings: dict[str, Any]
    figures: dict[str, Any]
    curves: dict[str, Curve] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Raises ValueError for figures that no run has."""
        if self.figures.get("status") not in list(Status):
            raise ValueError(f"its run {self.folder} has no status that there is")
        for name, value in self.figures.items():
            is_right = isinstance(value, str) if name in WORDS else is_number(value)
            if value is not None and not is_right:
                kind = "text" if name in WORDS else "number"
                raise ValueError(f"{name} of its run {self.folder} is no {kind}")

    @classmethod
    def of(cls, run: Run, curves: bool) -> Row:
        figures = {n: v for n, v in run.figures.items() if v is not None and n not in PASSING}
        figures["sha256"] = run.result.dataset.get("sha256")
        figures |= first_gradients(run)
        return cls(run.name, run.settings, figures, run.entry.logged if curves else {})

    @property
    def status(self) -> Status:
        return Status(self.figures["status"])

    def value(self, name: str) -> Any:
        """Of a setting, or a figure; of lr*theta the product; None where the run has none."""
        if "*" in name:
            parts = [self.value(part) for part in name.split("*")]
            return math.prod(parts) if all(map(is_number, parts)) else None
        if found := AT.fullmatch(name):  # accuracy_at_dataset.lag
            name = f"{found[1]}_at_{self.settings.get(found[2], found[2])}"
        return self.settings[name] if name in self.settings else self.figures.get(name)

    def figure(self, name: str) -> Any:
        """The same; of a run that diverged the worst: no answer is right, all else is infinite."""
        if self.status != Status.diverged or all(n in self.settings for n in name.split("*")):
            return self.value(name)
        return 0.0 if name.startswith("accuracy_at_") else math.inf

    @cached_property
    def entry(self) -> Entry:
        """As the report sees a run, for its tables and figures."""
        return Recorded(Path(self.folder), self._result, self.settings, kept=self.curves)

    @property
    def _result(self) -> Result:
        own = self.figures
        result = Result.without_run(own.get("error", ""))
        result.status, result.config = self.status, self.settings
        result.perplexity = own.get("training_perplexity")
        result.val_perplexity = own.get("held_out_perplexity")
        result.best_perplexity = own.get("best_perplexity")
        result.epochs, result.seed = own.get("epochs", 0), own.get("seed", 0)
        result.dataset = {"name": own.get("text")} | {
            name: own.get(name) for name in ("vocab_size", "sha256")
        }
        return result


@dataclass(frozen=True)
class Recorded(Entry):
    """A run whose folder is not here, with the curves that were kept of it."""

    kept: Mapping[str, Curve] = field(default_factory=dict)

    @cached_property
    def logged(self) -> dict[str, Curve]:
        return {name: list(self.kept.get(name, ())) for name in DRAWN}


def first_gradients(run: Run) -> dict[str, float]:
    """Where gradient_lag was logged: gradient_at_N for the lags of eval.lengths."""
    first = next(read_looks(run.folder), {}).get("gradient_lag", {}).values()
    return {
        f"{GRADIENT}_at_{lag}": max(curve[int(lag)] for curve in first)
        for lag in run.result.lengths
        if first and all(int(lag) < len(curve) for curve in first)
    }
