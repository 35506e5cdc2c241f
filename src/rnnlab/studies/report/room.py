"""What has room in a figure: texts that are as wide as they look, a legend below the axes."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import TextPath

from rnnlab.runs.figures import LONGEST, label
from rnnlab.studies.report.ranking import Ranking
from rnnlab.studies.report.style import INCH, LETTERS

TICK = 60  # points of a tick's label, and a quarter of the figure's width
LEAST = 4  # characters that are left of a text
SLANT = 60  # degrees
MOST_COLUMNS = 6  # of a legend
HANDLE = 34  # points of a legend's line, and of the gaps beside it


def width_of(text: str, size: float = LETTERS) -> float:
    """In points."""
    return TextPath((0, 0), text, size=size).get_extents().width if text.strip() else 0.0


def fitted(text: str, points: float) -> str:
    """As much of a text as so many points have room for, in characters that can be shown."""
    lengths = range(LEAST, LONGEST + 1)
    fit = bisect_right(lengths, points, key=lambda length: width_of(label(text, length)))
    return label(text, lengths[max(0, fit - 1)])


def ticks_of(ranking: Ranking, name: str, values: dict[str, Any], width: float) -> list[str]:
    """What stands at the values' places, in a figure of so many points."""
    shown = (ranking.in_brief(name, value) if key else "none" for key, value in values.items())
    return [fitted(text, min(TICK, width / 4)) for text in shown]


def legend_below(figure: Figure, handles: Sequence[Artist], title: str = "") -> None:
    """In as many columns as have room; the figure grows by its height, if there is one."""
    points = figure.get_figwidth() * INCH
    for handle in handles:
        words = fitted(str(handle.get_label()), points - HANDLE)
        handle.set_label(f" {words}" if words.startswith("_") else words)  # _ is left out else
    for columns in range(min(len(handles), MOST_COLUMNS), 0, -1):
        legend = figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=columns,
            title=fitted(title, points) or None,
        )
        box = legend.get_window_extent()
        if columns == 1 or box.width <= figure.bbox.width:
            figure.set_figheight(figure.get_figheight() + box.height / figure.dpi)
            return
        legend.remove()


def name_places(axes: Axes, ticks: list[str], room: float) -> float:
    """Values at the places 0, 1, 2, ..., slanting where so many points have no room for them side
    by side; says how many points the figure has to be higher then."""
    axes.set_xticks(range(len(ticks)), ticks)
    longest = max(map(width_of, ticks))
    if longest + LETTERS / 2 <= room / len(ticks):
        return 0.0
    axes.tick_params(axis="x", rotation=SLANT)
    return longest * math.sin(math.radians(SLANT))
