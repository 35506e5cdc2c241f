"""The frame of every picture of an instrument: a title, of which model, and how to read it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnlab.runs.figures import INK, label
from rnnlab.runs.fonts import showable
from rnnlab.runs.inspection.seen import Seen

WIDTH = 8.0  # inches, as all sizes here
HEAD, LINE = 0.62, 0.17
GREY = "#666666"
LETTERS = 108  # of a caption's line


def framed(seen: Seen, height: float) -> Figure:
    """Of this height inside; what is drawn there is laid out between head and caption."""
    caption = textwrap.wrap(seen.instrument.caption, LETTERS)
    foot = LINE * len(caption) + 0.16
    whole = HEAD + height + foot
    figure = Figure(figsize=(WIDTH, whole), layout="constrained")
    inside = (0.01, foot / whole, 0.98, height / whole)
    figure.get_layout_engine().set(rect=inside, wspace=0.04, hspace=0.06)  # type: ignore[union-attr]
    figure.text(0.02, 1 - 0.2 / whole, seen.instrument.title, va="center", size=12, color=INK)
    subject = showable(label(seen.subject, 110))
    figure.text(0.02, 1 - 0.44 / whole, subject, va="center", size=9, color=GREY)
    figure.text(0.02, foot / whole, "\n".join(caption), va="top", size=9, color=INK)
    return figure


def grid(figure: Figure, number: int, beside: int, share: bool = True) -> list[Axes]:
    """So many panels, `beside` in a row; places that are left over stay empty."""
    beside = min(number, beside)
    down = -(-number // beside)
    made = figure.subplots(down, beside, squeeze=False, sharex=share, sharey=share)
    panels = [*made.flat]
    for axes in panels[number:]:
        axes.set_axis_off()
    return panels[:number]


def plain(axes: Axes) -> None:
    """A light grid, and no lines around."""
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)


def named(name: str, names: Sequence[str]) -> str:
    """0.H of several layers is layer 0, H; of one layer H."""
    layer, dot, rest = name.partition(".")
    if not (dot and layer.isdecimal()):
        return name
    layers = {own.partition(".")[0] for own in names if own.partition(".")[0].isdecimal()}
    return f"layer {layer}, {rest}" if len(layers) > 1 else rest
