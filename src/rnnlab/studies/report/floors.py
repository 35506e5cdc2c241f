"""The floor of a text, below which no model stays, in the figures to keep: a dotted line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from rnnlab.studies.report.entries import Entry

DOTTED: dict[str, Any] = {"color": "black", "linewidth": 0.7, "linestyle": (0, (1, 1.5))}


def floors_of(entries: Iterable[Entry]) -> list[float]:
    """Of their texts, as far as it is known."""
    return sorted({entry.floor for entry in entries if entry.floor})


def draw_floors(axes: Axes, floors: list[float]) -> None:
    """From edge to edge, below all else."""
    for floor in floors:
        axes.axhline(floor, **DOTTED, zorder=0.9)


def floor_keys(floors: list[float]) -> list[Line2D]:
    """For the legend."""
    told = f"floor {floors[0]:.4g}" if len(floors) == 1 else "floors"
    return [Line2D([], [], **DOTTED, label=told)] if floors else []
