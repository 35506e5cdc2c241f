"""What there is to say of a folder of runs: entries, what was swept, statistics, tables.

Reads files only, so it works on a study that is still running and on any folder of runs.
"""

from __future__ import annotations

import math
import shlex
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnlab._common.choices import registered
from rnnlab._common.console import one_line
from rnnlab._common.errors import ConfigError
from rnnlab._common.program import training
from rnnlab.config.identity import differing, flat
from rnnlab.config.stored_words import overrides_not_taken
from rnnlab.runs.folder import RESULT, number_of, overrides_of, read_metrics
from rnnlab.runs.result import Result, Status
from rnnlab.studies.report.escaping import in_markdown

Table = tuple[str, list[str], list[list[str]]]  # title, head, rows
# 97.5 % points of Student's t for 1, 2, ... degrees of freedom
STUDENT = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
NORMAL = 1.959964  # of the normal distribution


@dataclass(frozen=True)
class Entry:
    """One run's folder: its result, its settings by dotted names, its curve (epoch, perplexity)."""

    folder: Path
    result: Result
    settings: dict[str, Any]
    curve: list[tuple[int, float]]

    @property
    def figure(self) -> float | None:
        """Of a run that has completed."""
        return self.result.figure if self.result.status == Status.completed else None

    def key(self, names: Iterable[str]) -> str:
        """Equal for runs with the same values of these settings, whatever their seeds."""
        return ", ".join(f"{name}={self.setting(name)}" for name in names if name != "seed")

    def setting(self, name: str) -> str:
        """As one would type it."""
        value = self.settings.get(name)
        return f"{value:g}" if isinstance(value, float) else str(value)


def read(home: Path) -> tuple[list[Entry], list[str]]:
    """Every run below `home`, by its number, and what could not be read."""
    entries, skipped = [], []
    for path in home.rglob(RESULT):
        folder = path.parent
        try:
            result = Result.read(folder)
        except ConfigError as error:
            skipped.append(str(error))
            continue
        curve = [
            (line["epoch"], line["perplexity"])
            for line in read_metrics(folder)
            if line.get("perplexity") is not None
        ]
        settings = flat(result.config)
        clip = registered("clip").get(str(settings.get("clip")))
        if clip and not clip.uses_theta:
            settings["theta"] = "none"  # it has no meaning, whatever it is
        entries.append(Entry(folder, result, settings, curve))
    last = sys.maxsize  # runs without a number
    return sorted(entries, key=lambda e: (number_of(e.folder, last), e.folder.name)), skipped


def changed_names(entries: list[Entry]) -> list[str]:
    """Settings that differ between the runs; one that was never valid has none."""
    return differing(entry.settings for entry in entries if entry.settings)


def best_first(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda e: math.inf if e.figure is None else e.figure)


# --- statistics ------------------------------------------------------------------------------


def interval(figures: list[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % confidence interval (Student's t)."""
    mean = statistics.fmean(figures)
    if len(figures) < 2:
        return mean, math.nan
    return mean, student(len(figures) - 1) * statistics.stdev(figures) / math.sqrt(len(figures))


def student(freedom: int) -> float:
    """The 97.5 % point; beyond the table the expansion around the normal distribution's.

    Abramowitz and Stegun 26.7.5, three terms.
    """
    if freedom <= len(STUDENT):
        return STUDENT[freedom - 1]
    z, v = NORMAL, freedom
    first = (z**3 + z) / (4 * v)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    return z + first + second + third


def over_seeds(entries: list[Entry], swept: list[str]) -> list[tuple[list[str], list[float]]]:
    """Completed runs that differ in nothing but their seed: settings and figures, best first."""
    names = [name for name in swept if name != "seed"]
    groups: dict[tuple[str, ...], list[float]] = {}
    for entry in entries:
        if entry.figure is not None:
            groups.setdefault(tuple(map(entry.setting, names)), []).append(entry.figure)
    ranked = sorted(groups.items(), key=lambda group: statistics.fmean(group[1]))
    return [([*settings], figures) for settings, figures in ranked]


def median_where(entries: list[Entry], settings: dict[str, str]) -> float:
    """Of the runs with these settings, one that did not complete being worse than all others."""
    own = [e for e in entries if all(e.setting(name) == v for name, v in settings.items())]
    figures = [math.inf if entry.figure is None else entry.figure for entry in own]
    return statistics.median_high(figures) if figures else math.nan


# --- tables ----------------------------------------------------------------------------------


def tables(entries: list[Entry], swept: list[str]) -> Iterable[Table]:
    ranked = best_first(entries)
    yield (
        "Runs, best first",
        ["run", *swept, "status", "perplexity", "held out", "epochs"],
        [
            [e.folder.name, *(e.setting(name) for name in swept), e.result.status]
            + [shown(e.result.perplexity), shown(e.result.val_perplexity), str(e.result.epochs)]
            for e in ranked
        ],
    )
    if "seed" in swept:
        names = [name for name in swept if name != "seed"]
        yield (
            "Over seeds: mean and 95 % confidence interval",
            [*names, "seeds", "perplexity"],
            [
                [*settings, str(len(figures)), spread(figures)]
                for settings, figures in over_seeds(entries, swept)
            ],
        )
    troubled = [e for e in entries if e.result.status != Status.completed]
    if troubled:
        rows = [[e.folder.name, e.result.status, e.result.error or ""] for e in troubled]
        yield "Not completed", ["run", "status", "reason"], rows
    texts = [
        [e.folder.name, prefix, text]
        for e in ranked[:10]
        for prefix, text in e.result.samples.items()
    ]
    if texts:
        yield "What the ten best write", ["run", "prefix", "text"], texts


def overview(entries: list[Entry]) -> str:
    statuses = [entry.result.status for entry in entries]
    counted = ", ".join(f"{statuses.count(s)} {s}" for s in dict.fromkeys(statuses))
    return f"{len(entries)} runs: {counted}."


def best_command(entries: list[Entry]) -> str:
    """How to train the best run again, alone, in words that are safe to paste."""
    best = best_first(entries)[0]
    if best.figure is None:
        return "(no run has completed)"
    overrides = overrides_of(best.folder)
    if overrides and "".join(overrides).isprintable() and not overrides_not_taken(overrides):
        return training(*overrides)
    folder = str(best.folder.absolute())
    if not folder.isprintable():
        return f"(the name of the best run's folder cannot be typed: {one_line(best.folder.name)})"
    return shlex.join(["rnnlab", "reproduce", folder])


def shown(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.4g}"


def spread(figures: list[float]) -> str:
    mean, half = interval(figures)
    return f"{mean:.4g}" if math.isnan(half) else f"{mean:.4g} ± {half:.2g}"


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    """Cells are escaped: they come from texts and configs."""
    return "\n".join([_line(head), "|" + "---|" * len(head), *map(_line, rows)])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(map(in_markdown, cells))} |"
