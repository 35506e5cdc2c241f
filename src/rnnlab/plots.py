"""Figures: a run's perplexity curve, and what a study's report shows of its runs."""

from __future__ import annotations

import logging
import math
import statistics

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from rnnlab.summary import Entry, mean_where

logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it tells of its fonts
INK, TRAIN, HELD_OUT = "#333333", "#1f5fa8", "#c8551b"
PAPER = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1.5}  # under a number
IN_LEGEND = 12
BEYOND = 10  # times the lowest perplexity after the first epoch


def perplexity_figure(
    curve: list[tuple[int, float]], val_curve: list[tuple[int, float]], title: str = ""
) -> Figure:
    """Perplexity over epochs, on a logarithmic axis; the last value is written at its end."""
    figure = Figure(figsize=(7, 4.2))
    axes = figure.add_axes((0.09, 0.12, 0.84, 0.75))  # a computed layout takes twice as long
    for points, label, colour in ((curve, "train", TRAIN), (val_curve, "held out", HELD_OUT)):
        if not points:
            continue
        epochs, values = zip(*points, strict=True)
        axes.plot(epochs, values, color=colour, linewidth=1.6, label=label)
        axes.annotate(
            f"{values[-1]:.3g}",
            (epochs[-1], values[-1]),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=colour,
        )
    perplexity_axes(axes)
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    if val_curve:
        axes.legend(frameon=False)
    return figure


def perplexity_axes(axes: Axes, xlabel: str = "epoch") -> None:
    """Perplexity over epochs: a logarithmic axis whose ticks are plain numbers."""
    axes.set(xlabel=xlabel, ylabel="perplexity", yscale="log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


# --- of a study ------------------------------------------------------------------------------


def curves_figure(entries: list[Entry], swept: list[str]) -> Figure:
    """Every run's curve; those that differ in their seed only have one colour."""
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.add_subplot()
    drawn = [entry for entry in entries if entry.curve]
    labels = list(dict.fromkeys(entry.key(swept) for entry in drawn))
    colours = matplotlib.colormaps["turbo"].resampled(max(2, len(labels)))
    for entry in drawn:
        number = labels.index(entry.key(swept))
        axes.plot(*zip(*entry.curve, strict=True), linewidth=1, color=colours(number))
    perplexity_axes(axes)
    starts = [entry.curve[0][1] for entry in drawn]
    if drawn and max(max(e.curve, key=lambda p: p[1])[1] for e in drawn) > BEYOND * min(starts):
        axes.set_ylim(top=BEYOND * min(starts))  # what explodes leaves the picture
    if 1 < len(labels) <= IN_LEGEND:
        for number, label in enumerate(labels):
            axes.plot([], color=colours(number), label=label)
        figure.legend(loc="outside right upper", fontsize=8, frameon=False)
    return figure


def effects_figure(entries: list[Entry], swept: list[str]) -> Figure | None:
    """Every completed run's figure over each swept setting."""
    done = [(e, e.figure) for e in entries if e.figure is not None]
    if not done or not swept:
        return None
    figure = Figure(figsize=(2.6 * len(swept), 2.8), layout="constrained")
    all_axes = figure.subplots(1, len(swept), sharey=True, squeeze=False)[0]
    for axes, name in zip(all_axes, swept, strict=True):
        values = sorted({entry.setting(name) for entry in entries}, key=_numeric)
        means = []
        for place, value in enumerate(values):
            own = [figure for entry, figure in done if entry.setting(name) == value]
            axes.plot([place] * len(own), own, "o", color=TRAIN, alpha=0.5, markersize=4)
            means.append(statistics.fmean(own) if own else math.nan)
        axes.plot(range(len(values)), means, "-", color=HELD_OUT, linewidth=1, label="mean")
        perplexity_axes(axes, name)
        axes.set_xticks(range(len(values)), values)
        axes.label_outer()
    figure.axes[0].legend(fontsize=7, frameon=False)
    return figure


def heat_map(entries: list[Entry], swept: list[str]) -> Figure | None:
    """Mean perplexity over lr and theta, where both were swept."""
    if not {"lr", "theta"} <= set(swept):
        return None
    given = [entry.settings for entry in entries if entry.settings]
    rates, radii = (sorted({settings[name] for settings in given}) for name in ("lr", "theta"))
    figure = Figure(figsize=(1.6 + 0.9 * len(radii), 1.2 + 0.6 * len(rates)), layout="constrained")
    axes = figure.add_subplot()
    cells = [[mean_where(entries, {"lr": r, "theta": t}) for t in radii] for r in rates]
    logs = [[math.nan if cell is None else math.log(cell) for cell in row] for row in cells]
    axes.imshow(logs, cmap="viridis_r", aspect="auto", origin="lower")
    for y, row in enumerate(cells):
        for x, cell in enumerate(row):
            shown = "no figure" if cell is None else f"{cell:.3g}"
            axes.text(x, y, shown, ha="center", va="center", fontsize=8, bbox=PAPER)
    axes.set_xticks(range(len(radii)), [f"{radius:g}" for radius in radii])
    axes.set_yticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    axes.set(xlabel="theta", ylabel="lr", title="perplexity, mean over the rest")
    return figure


def _numeric(shown: str) -> tuple[float, str]:
    try:
        return float(shown), ""
    except ValueError:
        return math.inf, shown
