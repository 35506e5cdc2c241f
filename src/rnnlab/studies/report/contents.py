"""What report.html shows, as JSON: the runs, their settings, figures and curves.

measure        the name of the figure that counts
settings       each {name, values: [[as typed, in brief, number or null], ...]} in their order;
               those that differ between the runs
runs           each {name, title, link, text, status, settings: [index into values, or -1], value,
               training, held_out, best, epochs, seconds, clipped, command, error, log, samples,
               curves: {figure: [epochs, values]}}
groups         runs that differ in their seed only: {runs: [indices], shown, mean, command}, best
               first; value and mean are null where there is none yet, "diverged" where it is so
texts          what was trained on: perplexities of different texts do not compare
grids          pairs of settings that form a grid, the most telling one first

Curves are thinned to MOST_POINTS and figures rounded: a page of a thousand runs is 3 MB.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rnnlab.runs.folder import last_messages
from rnnlab.runs.result import Status
from rnnlab.studies.report.axes import is_number, texts_apart, values_of
from rnnlab.studies.report.commands import commands
from rnnlab.studies.report.entries import Curve, Entry
from rnnlab.studies.report.heatmap import grids
from rnnlab.studies.report.ranking import Group, Ranking
from rnnlab.studies.report.tables import best, differences, overview, troubles

MOST_POINTS = {"perplexity": 200, "val_perplexity": 200, "clipped_fraction": 40, "gradient_norm": 40}
DIGITS = {"clipped_fraction": 3, "gradient_norm": 3}
LOG_LINES = 12  # of a run that failed
LONGEST_SAMPLE = 600  # characters


def contents(home: Path, ranking: Ranking, skipped: list[str], is_watched: bool) -> dict[str, Any]:
    entries = ranking.entries
    values = {name: _values(ranking, name) for name in ranking.names}
    places = {name: {typed: k for k, typed in enumerate(own)} for name, own in values.items()}
    texts = texts_apart(ranking, most=None)
    runs = [_run(ranking, entry, places, [*texts]) for entry in entries]
    for run, command in zip(runs, commands([[entry] for entry in entries]), strict=True):
        run["command"] = command
    numbers = {id(entry): k for k, entry in enumerate(entries)}
    groups = [_group(group, numbers) for group in ranking.groups]
    for group, command in zip(groups, commands([g.entries for g in ranking.groups]), strict=True):
        group["command"] = command
    return {
        "title": home.name,
        "written": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        "is_watched": is_watched,
        "overview": overview(ranking),
        "differences": differences(ranking),
        "best": [{"words": words, "command": command} for words, command in best(ranking)],
        "troubles": troubles(ranking),
        "measure": ranking.measure,
        "settings": [
            {"name": name, "values": [_value(ranking, name, *item) for item in own.items()]}
            for name, own in values.items()
        ],
        "texts": [*texts.values()],
        "runs": runs,
        "groups": groups,
        "grids": grids(ranking),
        "skipped": skipped,
    }  # fmt: skip


def _run(
    ranking: Ranking, entry: Entry, places: dict[str, dict[str, int]], texts: list[tuple[str, str]]
) -> dict[str, Any]:
    result, clipped = entry.result, entry.curve("clipped_fraction")
    samples = {prefix: text[:LONGEST_SAMPLE] for prefix, text in result.samples.items()}
    return {
        "name": entry.name,
        "title": ranking.brief(entry),
        "link": f"./{quote(entry.name, errors='surrogatepass')}/",
        "text": texts.index(entry.text) if entry.text in texts else -1,
        "status": result.status,
        "settings": [
            own[entry.setting(name)] if name in entry.settings else -1
            for name, own in places.items()
        ],
        "value": _figure(ranking.value(entry)),
        "training": _figure(entry.training),
        "held_out": _figure(entry.held_out),
        "best": _figure(entry.best),
        "epochs": max(result.epochs, entry.last_epoch),
        "wanted": entry.settings.get("num_epochs"),
        "seconds": _figure(result.wall_seconds),
        "clipped": _figure(sum(y for _, y in clipped) / len(clipped) if clipped else None, 3),
        "error": result.error,
        "log": last_messages(entry.folder, LOG_LINES) if result.status == Status.failed else [],
        "samples": samples,
        "curves": {name: _thinned(name, entry.curve(name)) for name in MOST_POINTS},
    }


def _group(group: Group, numbers: dict[int, int]) -> dict[str, Any]:
    return {
        "runs": [numbers[id(entry)] for entry in group.entries],
        "shown": str(group),
        "mean": _figure(group.mean if group.values else None),
    }


def _values(ranking: Ranking, name: str) -> dict[str, Any]:
    return values_of((entry for entry in ranking.entries if name in entry.settings), name)


def _value(ranking: Ranking, name: str, typed: str, value: Any) -> list[Any]:
    number = float(value) if is_number(value) and math.isfinite(value) else None
    return [typed, ranking.in_brief(name, value) or '""', number]


def _figure(value: float | None, digits: int = 5) -> float | str | None:
    """Null where there is none; what is infinite has diverged."""
    if value is None:
        return None
    return float(f"{value:.{digits}g}") if math.isfinite(value) else "diverged"


def _thinned(name: str, curve: Curve) -> list[Sequence[float]]:
    """Epochs and values: every k-th, and the last."""
    step = math.ceil(len(curve) / MOST_POINTS[name])
    kept = curve[:: -step or None][::-1] if step else []
    digits = DIGITS.get(name, 5)
    return [[x for x, _ in kept], [float(f"{y:.{digits}g}") for _, y in kept]]
