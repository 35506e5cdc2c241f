"""Pictures of numbers: over training, over an axis, and both."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from rnnlab.instruments.instrument import BINS
from rnnlab.runs.colours import COLOURS
from rnnlab.runs.figures import Ticks, marker_of
from rnnlab.runs.inspection.frame import framed, grid, named, plain
from rnnlab.runs.inspection.seen import Seen

DASHES = ("-", "--", ":")  # of the first lines, and of more than there are colours
DECADES = 12  # of a logarithmic scale at most: below, gradients are gone
SHADES = "viridis"


def numbers(seen: Seen) -> Figure:
    """Lines over training; of a single look a bar each."""
    names = [*seen.values]
    if not seen.is_over_training:
        figure = framed(seen, 0.9 + 0.22 * len(names))
        axes = figure.subplots()
        values = [_number(seen.values[name]) for name in names]
        axes.barh([named(name, names) for name in names], values, color=COLOURS[2], height=0.6)
        axes.set_xlabel(seen.instrument.y)
        axes.invert_yaxis()
        axes.bar_label(axes.containers[0], fmt="%.3g", padding=3, fontsize=8)  # type: ignore[arg-type]
        axes.margins(x=0.12)
        plain(axes)
        return figure
    figure = framed(seen, 3.6)
    axes = figure.subplots()
    for name, (colour, dashes) in zip(names, _looks(), strict=False):
        epochs, values = zip(*seen.over_training(name), strict=True)
        axes.plot(epochs, [*map(_number, values)], dashes, color=colour, marker=".",
                  linewidth=1.3, label=named(name, names))  # fmt: skip
    if seen.instrument.is_logarithmic:
        _logarithmic(axes)
    axes.set(xlabel="epoch", ylabel=seen.instrument.y)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plain(axes)
    _legend(axes, len(names))
    return figure


def curves(seen: Seen) -> Figure:
    """A line a name; over training beside it a map for each, with the line's axis upwards."""
    names = [*seen.values]
    maps = names if seen.is_over_training else []
    figure = framed(seen, max(3.4, 1.9 * len(maps)))
    if not maps:
        _lines(figure.subplots(), seen, names)
        return figure
    left, right = figure.subfigures(1, 2, squeeze=False, width_ratios=(1.25, 1)).flat
    _lines(right.subplots(), seen, names)
    panels = left.subplots(len(maps), 1, squeeze=False, sharex=True)
    shade = _shade(seen, maps)
    for axes, name in zip(panels.flat, maps, strict=True):
        _map(axes, seen, name, shade)
        axes.set_ylabel(seen.instrument.x)
        axes.set_title(named(name, names) if len(names) > 1 else "", fontsize=9, loc="left")
    panels[-1, 0].set_xlabel("epoch")
    bar = left.colorbar(panels[0, 0].collections[0], ax=[*panels.flat], pad=0.02, aspect=30)
    bar.set_label(seen.instrument.y)
    if seen.instrument.is_logarithmic:
        bar.ax.yaxis.set_major_formatter("{x:g}")
        bar.ax.minorticks_off()
    return figure


def histograms(seen: Seen) -> Figure:
    """A panel a gate, bars from -1 to 1."""
    names = [*seen.values]
    figure = framed(seen, 0.5 + 1.6 * -(-len(names) // 4))
    edges = np.linspace(-1, 1, BINS + 1)
    panels = grid(figure, len(names), 4)
    for place, (axes, name) in enumerate(zip(panels, names, strict=True)):
        axes.stairs(_array(seen.values[name]), edges, fill=True, color=COLOURS[2])
        axes.set_title(named(name, names), fontsize=9, loc="left")
        axes.set_xticks([-1, 0, 1])
        axes.set_xlabel(seen.instrument.x if place + 4 >= len(names) else "")
        axes.set_ylabel("share" if place % 4 == 0 else "")
        plain(axes)
    return figure


def _lines(axes: Axes, seen: Seen, names: Sequence[str]) -> None:
    low = np.inf
    for name, (colour, dashes) in zip(names, _looks(), strict=False):
        values = _array(seen.values[name])
        low = min(low, np.nanmin(values, initial=np.inf, where=values > 0))
        points = [*enumerate(values)]
        axes.plot(values, dashes + marker_of(points).strip("-"), color=colour, linewidth=1.4,
                  label=named(name, names))  # fmt: skip
    axes.set(xlabel=seen.instrument.x, ylabel=seen.instrument.y)
    if seen.instrument.is_logarithmic:
        _logarithmic(axes)
        lowest = axes.get_ylim()[1] * 10.0**-DECADES
        axes.set_ylim(bottom=max(low, lowest) / 2 if low < np.inf else None)
    if seen.is_over_training:
        axes.set_title(f"after epoch {max(seen.looks)}", fontsize=9, loc="left")
    plain(axes)
    if len(names) > 1:
        _legend(axes, len(names))


def _map(axes: Axes, seen: Seen, name: str, shade: Normalize) -> None:
    """Epochs to the right, places upwards; a look counts from halfway after the one before it."""
    epochs, rows = zip(*seen.over_training(name), strict=True)
    values = np.array([_array(row) for row in rows]).T
    values = np.where(values > 0, values, np.nan) if isinstance(shade, LogNorm) else values
    axes.set_facecolor("#d9d9d9")  # of what is nothing, or beyond all numbers
    edges = np.interp(np.arange(len(epochs) + 1) - 0.5, np.arange(len(epochs)), epochs)
    edges[0], edges[-1] = 2 * epochs[0] - edges[1], 2 * epochs[-1] - edges[-2]
    axes.pcolormesh(edges, np.arange(len(values) + 1) - 0.5, values, cmap=SHADES, norm=shade)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))


def _shade(seen: Seen, names: Sequence[str]) -> Normalize:
    """One scale for all maps of a picture."""
    every = [_array(value) for name in names for _, value in seen.over_training(name)]
    finite = np.concatenate(every)
    finite = finite[np.isfinite(finite)]
    if not seen.instrument.is_logarithmic:
        return Normalize(*np.percentile(finite, (0, 98))) if len(finite) else Normalize(0, 1)
    positive = finite[finite > 0]
    high = positive.max(initial=0) or 1.0
    return LogNorm(max(positive.min(initial=high), high * 10.0**-DECADES), high * 1.0001, clip=True)


def _logarithmic(axes: Axes) -> None:
    axes.set_yscale("log", nonpositive="mask")
    axes.yaxis.set_major_locator(Ticks(1) if _decades(axes) > 2 else Ticks())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()


def _decades(axes: Axes) -> float:
    low, high = axes.get_ylim()
    return float(np.log10(high / low)) if low > 0 else DECADES


def _looks() -> Any:
    return ((colour, dashes) for dashes in cycle(DASHES) for colour in COLOURS)


def _legend(axes: Axes, number: int) -> None:
    beside = number > 6
    place = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.02)} if beside else {"loc": "best"}
    axes.legend(frameon=False, fontsize=8, ncols=1 + number // 22, **place)  # type: ignore[arg-type]


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _array(values: Sequence[float | None]) -> NDArray[np.float64]:
    return np.array([*map(_number, values)], dtype=np.float64)
