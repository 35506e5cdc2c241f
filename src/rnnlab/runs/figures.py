"""A run's perplexity curve; and how every picture is drawn.

matplotlib is imported by what draws: where it cannot be, for MPLBACKEND=Qt4Agg say, a picture is
missed and nothing else.
"""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rnnlab._common.console import one_line, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it tells of its fonts
INK, TRAIN, HELD_OUT = "#333333", "#1f5fa8", "#c8551b"
LONGEST = 60  # characters of a label


@contextmanager
def as_it_is() -> Iterator[None]:
    """Around making and saving a picture: its texts are no formulas, and no glyph is warned of."""
    import matplotlib

    with (
        matplotlib.rc_context({"text.parse_math": False, "text.usetex": False}),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore", UserWarning)
        yield


@as_it_is()
def saved(figure: Figure, kind: str) -> bytes:
    """As a file: svg or png."""
    file = io.BytesIO()
    figure.savefig(file, format=kind)
    return file.getvalue()


def label(text: str) -> str:
    """What a picture has room for."""
    shown = one_line(text)
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]}…"


@as_it_is()
def perplexity_figure(
    curve: list[tuple[int, float]], val_curve: list[tuple[int, float]], title: str = ""
) -> Figure:
    """Perplexity over epochs, on a logarithmic axis; the last value is written at its end."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.2))
    axes = figure.add_axes((0.09, 0.12, 0.84, 0.75))  # a computed layout takes twice as long
    for points, label, colour in ((curve, "train", TRAIN), (val_curve, "held out", HELD_OUT)):
        if not points:
            continue
        epochs, values = zip(*points, strict=True)
        marker = "o" if len(points) == 1 else None  # a line of one point is none
        axes.plot(epochs, values, color=colour, linewidth=1.6, label=label, marker=marker)
        axes.annotate(
            f"{values[-1]:.3g}",
            (epochs[-1], values[-1]),
            xytext=(5, 0),
            textcoords="offset points",
            va="center",
            color=colour,
        )
    perplexity_axes(axes)
    axes.set_title(plain(title), loc="left", fontsize=10, color=INK)
    if val_curve:
        axes.legend(frameon=False)
    return figure


def perplexity_axes(axes: Axes, xlabel: str = "epoch") -> None:
    """Perplexity over epochs: a logarithmic axis whose ticks are plain numbers."""
    from matplotlib.ticker import LogLocator

    axes.set(xlabel=label(xlabel), ylabel="perplexity", yscale="log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter("{x:g}")
    axes.minorticks_off()
    axes.grid(alpha=0.25)
    axes.spines[["top", "right"]].set_visible(False)
