"""What report.html shows, as JSON: the runs, their settings, figures and curves.

measure        the name of the figure that counts
settings       each {name, values: [[as typed, in brief, number or null], ...]} in their order;
               those that differ between the runs
runs           each {name, title, link, text, status, settings: [index into values, or -1], value,
               training, held_out, best, floor, excess, lengths, epochs, seconds, clipped,
               command, error, log, samples,
               curves: {figure: [index into epochs, values]}}
epochs         of the curves' points
groups         runs that differ in their seed only: {runs: [indices], shown, mean, command}, best
               first; value and mean are null where there is none yet, "diverged" where it is so
texts          what was trained on: perplexities of different texts do not compare
grids          pairs of settings that form a grid, the most telling one first

Curves are thinned and figures rounded: a page of a thousand runs is 3 MB.
"""

from __future__ import annotations

import math
import statistics
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from rnnlab._common.console import plain
from rnnlab.config.identity import is_number
from rnnlab.runs.folder import last_messages
from rnnlab.runs.result import Status
from rnnlab.studies.report.axes import texts_apart, values_of
from rnnlab.studies.report.commands import commands
from rnnlab.studies.report.entries import Curve, Entry
from rnnlab.studies.report.grids import grids
from rnnlab.studies.report.ranking import Group, Ranking
from rnnlab.studies.report.tables import Best, differences, overview, shared, troubles

DRAWN = {  # curves: points at most, and digits of each; shares and norms are means between points
    "perplexity": (200, 4),
    "val_perplexity": (100, 4),
    "clipped_fraction": (40, 2),
    "gradient_norm": (40, 3),
}
AT_LENGTH = {"perplexity": "perplexity", "excess_nats": "excess nats", "accuracy": "share right"}
AVERAGED = ("clipped_fraction", "gradient_norm")
LOG_LINES = 12  # of a run that failed
LONGEST_SAMPLE = 600  # characters


def contents(
    home: Path, ranking: Ranking, found: Best, skipped: list[str], is_watched: bool
) -> dict[str, Any]:
    entries = ranking.entries
    values = {name: _values(ranking, name) for name in ranking.names}
    places = {name: {typed: k for k, typed in enumerate(own)} for name, own in values.items()}
    texts, epochs = texts_apart(ranking, most=None), dict[tuple[int, ...], int]()
    runs = [_run(ranking, entry, places, [*texts], epochs) for entry in entries]
    numbers = {id(entry): k for k, entry in enumerate(entries)}
    groups = [_group(group, numbers) for group in ranking.groups]
    together = [group.entries for group in ranking.groups if len(group.entries) > 1]
    own = commands([*([entry] for entry in entries), *together])
    for run, command in zip(runs, own, strict=False):
        run["command"] = command
    of_many = iter(own[len(runs) :])
    for group in groups:
        first, *others = group["runs"]
        group["command"] = next(of_many) if others else runs[first]["command"]
    whole = {
        "title": home.name,
        "written": f"{datetime.now():%Y-%m-%d %H:%M:%S}",
        "is_watched": is_watched,
        "overview": overview(ranking),
        "shared": shared(ranking),
        "differences": differences(ranking),
        "best": [{"words": words, "command": command} for words, command in found],
        "troubles": troubles(ranking),
        "measure": ranking.measure,
        "settings": [
            {"name": name, "values": [_value(ranking, name, *item) for item in own.items()]}
            for name, own in values.items()
        ],
        "texts": [*texts.values()],
        "epochs": [*epochs],
        "runs": runs,
        "groups": groups,
        "grids": grids(ranking),
        "skipped": skipped,
    }  # fmt: skip
    return _shown(whole)


def _shown(value: Any) -> Any:
    """Texts without characters that are obeyed and not seen, as those that reverse a line."""
    match value:
        case str():
            return plain(value)
        case dict():
            return {plain(key): _shown(item) for key, item in value.items()}
        case list() | tuple():
            return [_shown(item) for item in value]
    return value


def _run(
    ranking: Ranking,
    entry: Entry,
    places: dict[str, dict[str, int]],
    texts: list[tuple[str, str]],
    epochs: dict[tuple[int, ...], int],
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
        "floor": _figure(entry.floor),
        "excess": _figure(entry.excess, 3),
        "lengths": _lengths(entry),
        "epochs": max(result.epochs, entry.last_epoch),
        "wanted": entry.settings.get("num_epochs"),
        "seconds": _figure(result.wall_seconds),
        "clipped": _figure(sum(y for _, y in clipped) / len(clipped) if clipped else None, 3),
        "error": result.error,
        "log": last_messages(entry.folder, LOG_LINES) if result.status == Status.failed else [],
        "samples": samples,
        "curves": {name: _thinned(name, entry.curve(name), epochs) for name in DRAWN},
    }


def _lengths(entry: Entry) -> dict[str, Any]:
    """Of eval.lengths, by the name of its column: {"perplexity at 40": 1.3, ...}."""
    return {
        f"{AT_LENGTH[name]} at {length}": _figure(value, 3)
        for length, found in entry.result.lengths.items()
        for name, value in found.items()
        if name in AT_LENGTH
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


def _figure(value: float | None, digits: int = 5) -> float | int | str | None:
    """Null where there is none; what is infinite has diverged."""
    if value is None:
        return None
    if not math.isfinite(value):
        return "diverged"
    short = float(f"{value:.{digits}g}")
    return int(short) if short.is_integer() and abs(short) < 1e9 else short


def _thinned(name: str, curve: Curve, epochs: dict[tuple[int, ...], int]) -> list[Any]:
    """Every k-th point, and the last; its epochs once for all curves that have the same."""
    most, digits = DRAWN[name]
    step = math.ceil(len(curve) / most) or 1
    ends = range(len(curve) - 1, -1, -step)[::-1]
    own = tuple(curve[end][0] for end in ends)
    values = [curve[end][1] for end in ends]
    if name in AVERAGED:
        between = ([y for _, y in curve[max(0, end + 1 - step) : end + 1]] for end in ends)
        values = [*map(statistics.fmean, between)]
    return [epochs.setdefault(own, len(epochs)), [_figure(y, digits) for y in values]]
