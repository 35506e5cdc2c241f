"""Pictures of a text as a model reads it, and of the complex plane."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Rectangle

from rnnlab.runs import fonts
from rnnlab.runs.colours import COLOURS, ink_on
from rnnlab.runs.inspection.frame import framed, grid, named, plain
from rnnlab.runs.inspection.seen import Seen

COLUMNS = 60  # letters of a line
ROW = 0.3  # inches
SURPRISE, SIGNED = "YlOrRd", "RdBu_r"
SIGNS = {" ": "\N{OPEN BOX}", "\n": "\N{DOWNWARDS ARROW WITH CORNER LEFTWARDS}"}


def text(seen: Seen) -> Figure:
    """The text itself, its tokens on colours."""
    (values,) = seen.values.values()
    costs = [None, *values]  # the first token has none before it
    places = [*_places(seen.tokens)]
    rows = 1 + max(row for row, _, _ in places)
    figure = framed(seen, 0.8 + ROW * rows)
    axes = figure.subplots()
    known = [cost for cost in costs if cost is not None] or [0.0]
    shade = Normalize(0, max(1.0, float(np.percentile(known, 98))), clip=True)
    colours = matplotlib.colormaps[SURPRISE]
    for (row, column, width), token, cost in zip(places, seen.tokens, costs, strict=False):
        colour = "white" if cost is None else colours(shade(cost))
        axes.add_patch(Rectangle((column, row), width, 0.92, facecolor=colour, linewidth=0))
        axes.text(column + width / 2, row + 0.48, fonts.showable(_shown(token)), ha="center",
                  va="center", size=9, color=ink_on(colour),
                  family=["DejaVu Sans Mono", *fonts.families])  # fmt: skip
    axes.set(xlim=(0, COLUMNS), ylim=(rows, 0))
    axes.set_axis_off()
    scale = ScalarMappable(shade, SURPRISE)
    figure.colorbar(scale, ax=axes, location="bottom", label=seen.instrument.y, aspect=60, pad=0.02,
                    extend="max")  # fmt: skip
    return figure


def _places(tokens: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Row, column and width of each token, in letters; words stand apart."""
    row, column = 0, 0
    for token in tokens:
        shown = _shown(token)
        width = len(shown) + (len(token) > 1)
        if column + width > COLUMNS and column:
            row, column = row + 1, 0
        yield row, column, min(width, COLUMNS)
        column += width


def _shown(token: str) -> str:
    return SIGNS.get(token, token)[:COLUMNS]


def units(seen: Seen) -> Figure:
    """A map a layer: units upwards, tokens to the right."""
    names = [*seen.values]
    maps = {name: np.array(seen.values[name], dtype=np.float64) for name in names}
    height = sum(0.1 * values.shape[1] + 0.5 for values in maps.values())
    figure = framed(seen, max(2.2, height + 0.3))
    panels = grid(figure, len(names), 1)
    largest = max(np.nan_to_num(np.abs(values)).max(initial=0.1) for values in maps.values())
    for axes, (name, values) in zip(panels, maps.items(), strict=True):
        edges = [np.arange(n + 1) - 0.5 for n in values.shape]
        axes.pcolormesh(*edges, values.T, cmap=SIGNED, vmin=-largest, vmax=largest)
        axes.set_ylabel(seen.instrument.y)
        axes.set_title(named(name, names) if len(names) > 1 else "", fontsize=9, loc="left")
        axes.spines[:].set_visible(False)
        axes.tick_params(axis="x", length=0)
    shown = [fonts.showable(_shown(token)) for token in seen.tokens[: len(values)]]
    turned = max(map(len, shown), default=1) > 1
    panels[-1].set_xticks(range(len(shown)), shown, fontsize=8, rotation=90 if turned else 0)
    panels[-1].set_xlabel(seen.instrument.x)
    scale = panels[0].collections[0]
    figure.colorbar(scale, ax=panels, label="activation", aspect=30, pad=0.01)
    return figure


def plane(seen: Seen) -> Figure:
    """Points around the unit circle, a panel a matrix."""
    names = [*seen.values]
    beside = min(4, len(names))
    figure = framed(seen, 0.3 + max(2.2, 3.6 - 0.7 * (beside - 1)) * -(-len(names) // beside))
    points = {name: np.array(seen.values[name], dtype=np.float64) for name in names}
    panels = grid(figure, len(names), 4, share=False)
    for place, (axes, (name, own)) in enumerate(zip(panels, points.items(), strict=True)):
        radius = np.hypot(own[:, 0], own[:, 1]).max(initial=0)
        reach = max(1.1, 1.05 * radius)
        _circle(axes)
        axes.plot(own[:, 0], own[:, 1], ".", color=COLOURS[2], markersize=3.5)
        axes.set(xlim=(-reach, reach), ylim=(-reach, reach), aspect="equal", adjustable="datalim")
        axes.set_title(f"{named(name, names)}\nradius {radius:.3g}", fontsize=9, loc="left")
        axes.set_xlabel(seen.instrument.x if place + beside >= len(names) else "")
        axes.set_ylabel(seen.instrument.y if place % beside == 0 else "")
        plain(axes)
    return figure


def _circle(axes: Axes) -> None:
    axes.add_patch(Circle((0, 0), 1, fill=False, color=COLOURS[6], linewidth=1.2))
