"""Median perplexity over two settings, where these form a grid: a map for each text.

The paler, the better, in colours whose order grey print keeps (viridis). What diverged is hatched,
what nobody has trained to its end is empty.
"""

from __future__ import annotations

import math
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.patches import Patch, Rectangle

from rnnlab._common.errors import require
from rnnlab.runs.colours import ink_on
from rnnlab.runs.figures import Ticks
from rnnlab.studies.report.axes import BEYOND, median, texts_apart, values_of
from rnnlab.studies.report.entries import Entry
from rnnlab.studies.report.grids import grids
from rnnlab.studies.report.ranking import Ranking
from rnnlab.studies.report.room import fitted, legend_below, name_places, ticks_of, width_of
from rnnlab.studies.report.style import INCH, LETTERS, MM, Kept, printed

LOW, HIGH = 6.5 * MM, 11 * MM  # of a cell
SHAPE = 0.45  # its height over its width, between these
WIDE = 9 * MM  # what it has at least where maps are side by side
AXIS, HEADS = 20 * MM, 14 * MM  # what of a map's width, and of its height, is not cells
NUMBERS = [(4, LETTERS), (3, LETTERS), (3, 6), (3, 5)]  # digits and points, the best first
HATCHED: dict[str, Any] = {"facecolor": "white", "edgecolor": "#707070", "hatch": "//////"}
MAP = "viridis_r"
Cells = list[list[float]]  # by rows: NaN where nothing is known, infinite what diverged


@printed
def heat_map(ranking: Ranking, width: float) -> Kept:
    """So many points wide."""
    pairs, texts = grids(ranking), texts_apart(ranking)
    require(bool(pairs), "a heat map", "no two settings were combined with each other")
    rows, columns = (values_of(ranking.entries, name) for name in pairs[0])
    maps = [_medians(ranking, text, pairs[0]) for text in texts]
    every = [cell for cells in maps for row in cells for cell in row]
    require(any(map(math.isfinite, every)), "a heat map", "no run has come to a finite perplexity")
    beside = max(1, min(len(maps), int(width / (AXIS + WIDE * len(columns)))))
    down, room = math.ceil(len(maps) / beside), width / beside - AXIS
    high = min(HIGH, max(LOW, SHAPE * room / len(columns)))
    figure = Kept(figsize=(width / INCH, down * (HEADS + high * len(rows)) / INCH))
    figure.set_layout_engine("constrained", hspace=0.08)  # between a map and the next one's title
    figure.suptitle(fitted(_title(ranking, pairs[0]), width))
    panels = [*figure.subplots(down, beside, squeeze=False).flat]
    for axes, name, cells in zip(panels, texts.values(), maps, strict=False):
        _map(axes, cells)
        axes.set_title(fitted(name, room) if len(maps) > 1 else "")
        axes.set_xlabel(fitted(pairs[0][1], room))
        axes.set_ylabel(fitted(pairs[0][0], high * len(rows)))
        axes.set_yticks(range(len(rows)), ticks_of(ranking, pairs[0][0], rows, width))
        more = name_places(axes, ticks_of(ranking, pairs[0][1], columns, width), room)
        figure.set_figheight(down * (HEADS + high * len(rows) + more) / INCH)
    for axes in panels[len(maps) :]:
        axes.set_axis_off()
    if math.inf in every:
        legend_below(figure, [Patch(**HATCHED, label="diverged")])
    _number(figure, dict(zip(panels, maps, strict=False)))
    return figure


def _title(ranking: Ranking, pair: tuple[str, str]) -> str:
    """What a cell is the median of: the settings that differ within some cell."""
    cells: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in ranking.entries:
        cells.setdefault((entry.text, *map(entry.setting, pair)), []).append(entry)
    others = [
        name
        for name in ranking.names
        if any(len({entry.setting(name) for entry in own}) > 1 for own in cells.values())
    ]
    return f"{ranking.measure}{', median over ' if others else ''}{', '.join(others)}"


def _medians(ranking: Ranking, text: tuple[str, str], pair: tuple[str, str]) -> Cells:
    own: dict[tuple[str, ...], list[float | None]] = {}
    for entry in ranking.entries:
        if entry.text == text:
            place = tuple(map(entry.setting, pair))
            own.setdefault(place, []).append(ranking.value(entry))
    rows, columns = (values_of(ranking.entries, name) for name in pair)
    return [[median(own.get((row, column), [])) for column in columns] for row in rows]


def _map(axes: Axes, cells: Cells) -> None:
    shade, shown = _shade(cells), [[_finite(cell) for cell in row] for row in cells]
    xs, ys = ([k - 0.5 for k in range(n + 1)] for n in (len(cells[0]), len(cells)))
    axes.pcolormesh(xs, ys, shown, cmap=MAP, norm=shade)
    for y, row in enumerate(cells):
        for x, cell in enumerate(row):
            if cell == math.inf:
                axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, linewidth=0, **HATCHED))
    axes.vlines(xs, ys[0], ys[-1], color="white", linewidth=1.2, zorder=2)
    axes.hlines(ys, xs[0], xs[-1], color="white", linewidth=1.2, zorder=2)
    axes.set(xlim=(xs[0], xs[-1]), ylim=(ys[0], ys[-1]))
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def _finite(cell: float) -> float:
    return cell if math.isfinite(cell) else math.nan


def _shade(cells: Cells) -> LogNorm:
    """Of a map's lowest perplexity 0, of its highest 1; what explodes takes no colours away."""
    finite = [cell for row in cells for cell in row if math.isfinite(cell)] or [1.0]
    return LogNorm(min(finite), min(max(finite), BEYOND * min(finite)), clip=True)


def _number(figure: Kept, maps: dict[Axes, Cells]) -> None:
    """In every cell its figure; where that has no room, a scale of the colours beside the map."""
    figure.draw_without_rendering()
    columns = max(len(cells[0]) for cells in maps.values())
    room = min(axes.bbox.width for axes in maps) / figure.dpi * INCH / columns - 3
    finite = [c for cells in maps.values() for row in cells for c in row if math.isfinite(c)]
    for digits, size in NUMBERS:
        if max(width_of(f"{cell:.{digits}g}", size) for cell in finite) <= room:
            for axes, cells in maps.items():
                _write(axes, cells, digits, size)
            return
    for axes in maps:
        bar = figure.colorbar(axes.collections[0], ax=axes)
        bar.ax.yaxis.set_major_locator(Ticks())
        bar.ax.yaxis.set_major_formatter("{x:g}")
        bar.ax.minorticks_off()


def _write(axes: Axes, cells: Cells, digits: int, size: float) -> None:
    shade, colours = _shade(cells), matplotlib.colormaps[MAP]
    for y, row in enumerate(cells):
        for x, cell in enumerate(row):
            if math.isfinite(cell):
                axes.text(x, y, f"{cell:.{digits}g}", color=ink_on(colours(shade(cell))),
                          fontsize=size, ha="center", va="center_baseline")  # fmt: skip
