"""A run's perplexity curve."""

from __future__ import annotations

import logging

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it tells of its fonts
INK, TRAIN, HELD_OUT = "#333333", "#1f5fa8", "#c8551b"


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
