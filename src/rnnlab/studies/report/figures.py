"""What a report draws of a study's runs."""

from __future__ import annotations

import math

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rnnlab.runs.figures import HELD_OUT, TRAIN, as_it_is, label, perplexity_axes
from rnnlab.studies.report.tables import Entry, median_where

PAPER = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1.5}  # under a number
IN_LEGEND = 12
BEYOND = 30  # times the lowest perplexity is shown


@as_it_is()
def curves_figure(entries: list[Entry], swept: list[str]) -> Figure:
    """Every run's curve; those that differ in their seed only have one colour."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.add_subplot()
    drawn = [entry for entry in entries if entry.curve]
    labels = list(dict.fromkeys(entry.key(swept) for entry in drawn))
    colours = matplotlib.colormaps["turbo"].resampled(max(2, len(labels)))
    perplexity_axes(axes)
    _cut_off(axes, [perplexity for entry in drawn for _, perplexity in entry.curve])
    for entry in drawn:
        number = labels.index(entry.key(swept))
        axes.plot(*zip(*entry.curve, strict=True), linewidth=1, color=colours(number))
    if 1 < len(labels) <= IN_LEGEND:
        lines = [Line2D([], [], color=colours(number)) for number in range(len(labels))]
        figure.legend(
            lines, [*map(label, labels)], loc="outside right upper", fontsize=8, frameon=False
        )
    return figure


@as_it_is()
def effects_figure(entries: list[Entry], swept: list[str]) -> Figure | None:
    """Every completed run's figure over each swept setting, and their medians."""
    done = [(e, e.figure) for e in entries if e.figure is not None]
    if not done or not swept:
        return None
    figure = Figure(figsize=(2.6 * len(swept), 2.8), layout="constrained")
    all_axes = figure.subplots(1, len(swept), sharey=True, squeeze=False)[0]
    for axes, name in zip(all_axes, swept, strict=True):
        values = sorted({entry.setting(name) for entry in entries}, key=_numeric)
        perplexity_axes(axes, name)
        _cut_off(axes, [figure for _, figure in done])
        for place, value in enumerate(values):
            own = [figure for entry, figure in done if entry.setting(name) == value]
            axes.plot([place] * len(own), own, "o", color=TRAIN, alpha=0.5, markersize=4)
        medians = [median_where(entries, {name: value}) for value in values]
        axes.plot(range(len(values)), medians, "-", color=HELD_OUT, linewidth=1, label="median")
        axes.set_xticks(range(len(values)), [*map(label, values)])
        axes.label_outer()
    figure.axes[0].legend(fontsize=7, frameon=False)
    return figure


@as_it_is()
def heat_map(entries: list[Entry], swept: list[str]) -> Figure | None:
    """Median perplexity over lr and theta, where both were swept."""
    if not {"lr", "theta"} <= set(swept):
        return None
    given = [entry for entry in entries if entry.settings]
    rates, radii = (sorted({e.setting(n) for e in given}, key=_numeric) for n in ("lr", "theta"))
    figure = Figure(figsize=(1.6 + 0.9 * len(radii), 1.2 + 0.6 * len(rates)), layout="constrained")
    axes = figure.add_subplot()
    cells = [[median_where(given, {"lr": r, "theta": t}) for t in radii] for r in rates]
    logs = [[math.log(c) if math.isfinite(c) else math.nan for c in row] for row in cells]
    least = min((c for row in logs for c in row if math.isfinite(c)), default=0.0)
    axes.imshow(logs, cmap="viridis_r", aspect="auto", origin="lower", vmin=least,
                vmax=least + math.log(BEYOND))  # fmt: skip
    for y, row in enumerate(cells):
        for x, cell in enumerate(row):
            shown = f"{cell:.3g}" if math.isfinite(cell) else "not completed"
            axes.text(x, y, shown, ha="center", va="center", fontsize=8, bbox=PAPER)
    axes.set_xticks(range(len(radii)), [*map(label, radii)])
    axes.set_yticks(range(len(rates)), [*map(label, rates)])
    axes.set(xlabel="theta", ylabel="lr", title="perplexity, median over the rest")
    return figure


def _cut_off(axes: Axes, values: list[float]) -> None:
    """What explodes leaves the picture: else nothing else is seen in it."""
    if values and max(values) > BEYOND * min(values):
        axes.set_ylim(min(values) * 0.9, BEYOND * min(values))


def _numeric(shown: str) -> tuple[float, str]:
    try:
        return float(shown), ""
    except ValueError:
        return math.inf, shown
