"""A run's perplexity curve; and how every picture is drawn.

matplotlib is imported by what draws: where it cannot be, for MPLBACKEND=Qt4Agg say, a picture is
missed and nothing else.
"""

from __future__ import annotations

import functools
import io
import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator

from rnnlab._common.console import one_line, plain
from rnnlab.runs import fonts

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it tells of fonts and their weights
INK, TRAIN, HELD_OUT = "#333333", "#1f5fa8", "#c8551b"
LONGEST = 60  # characters of a label
P = ParamSpec("P")
T = TypeVar("T")


def as_it_is(make: Callable[P, T]) -> Callable[P, T]:
    """The decorator of what makes pictures: texts are no formulas, no glyph is warned of.

    A text that needs another font is known when the picture is made: then it is made again.
    """

    @functools.wraps(make)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> T:
        while True:
            families = [*fonts.families]
            with _style(families):
                made = make(*args, **kwargs)
            if fonts.families == families:
                return made

    return drawn


@contextmanager
def _style(families: list[str]) -> Iterator[None]:
    style = {"text.parse_math": False, "text.usetex": False, "font.family": families}
    with matplotlib.rc_context(style), warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield


@as_it_is
def saved(figure: Figure, kind: str) -> bytes:
    """As a file: svg or png."""
    file = io.BytesIO()
    figure.savefig(file, format=kind)
    return file.getvalue()


def label(text: str, longest: int = LONGEST) -> str:
    """What a picture has room for, in characters that it can show."""
    shown = one_line(text)
    return fonts.showable(shown if len(shown) <= longest else f"{shown[: longest - 1]}…")


@as_it_is
def perplexity_figure(
    curve: list[tuple[int, float]],
    val_curve: list[tuple[int, float]],
    title: str = "",
    floor: float | None = None,
) -> Figure:
    """Perplexity over epochs, on a logarithmic axis; the last value is written at its end.

    `floor` is the perplexity that no model stays below.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2))
    axes = figure.add_axes((0.09, 0.12, 0.84, 0.75))  # a computed layout takes twice as long
    for points, label, colour in ((curve, "training", TRAIN), (val_curve, "held out", HELD_OUT)):
        if not points:
            continue
        epochs, values = zip(*points, strict=True)
        axes.plot(epochs, values, marker_of(points), color=colour, linewidth=1.6, label=label)
        axes.annotate(
            f"{values[-1]:.3g}",
            (epochs[-1], values[-1]),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=colour,
        )
    if floor:
        draw_floor(axes, floor)
    perplexity_axes(axes)
    axes.set_title(fonts.showable(plain(title)), loc="left", fontsize=10, color=INK)
    if curve or val_curve:
        axes.legend(frameon=False)
    return figure


def draw_floor(axes: Axes, floor: float) -> None:
    """What no model stays below: a line from edge to edge, which says so."""
    line = axes.axhline(floor, color=INK, linewidth=0.9, linestyle=(0, (1, 1.5)), zorder=1)
    line.set_label(f"floor {floor:.3g}")


def marker_of(points: list[tuple[int, float]]) -> str:
    """A line; of a single point nothing would be seen."""
    return "-" if len(points) > 1 else "o"


class Ticks(LogLocator):
    """1, 1.5, 2, 3, 5, 7, 10 on a logarithmic axis; closer ones where these are far apart."""

    def __init__(self, *within_a_decade: float) -> None:
        super().__init__(subs=within_a_decade or (1, 1.5, 2, 3, 5, 7))

    def tick_values(self, vmin: float, vmax: float) -> Any:
        ticks = super().tick_values(vmin, vmax)
        seen = sum(vmin <= tick <= vmax for tick in ticks)
        return ticks if seen > 2 else MaxNLocator(5).tick_values(vmin, vmax)


def perplexity_axes(axes: Axes, xlabel: str = "epoch", ylabel: str = "perplexity") -> None:
    """Perplexity over epochs: a logarithmic axis whose ticks are plain numbers."""
    axes.set(xlabel=label(xlabel), ylabel=ylabel, yscale="log")
    if xlabel == "epoch":
        axes.xaxis.set_major_locator(MaxNLocator(steps=[1, 2, 5, 10], integer=True))
    axes.yaxis.set_major_locator(Ticks())
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
