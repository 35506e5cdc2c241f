"""Perplexity over epochs, of all runs."""

from __future__ import annotations

import itertools
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rnnlab.runs.figures import as_it_is, label, marker_of, perplexity_axes
from rnnlab.studies.report.axes import TAB10, cut_off
from rnnlab.studies.report.ranking import Group, Ranking

GREY = "#bbbbbb"
COLOURED = 10  # groups; the others are grey
DOTS = 150  # an inch, where many curves are a picture in the picture


@as_it_is
def curves_figure(ranking: Ranking) -> Figure:
    """Held-out text is dashed; runs that differ in their seed only have one colour."""
    figure = Figure(figsize=(9, 4.4), layout="constrained", dpi=DOTS)
    axes = figure.add_subplot()
    perplexity_axes(axes)
    curves = [curve for entry in ranking.entries for curve in entry.curves]
    cut_off(axes, [perplexity for curve in curves for _, perplexity in curve])
    drawn = [group for group in ranking.groups if any(any(e.curves) for e in group.entries)]
    named = drawn if len(drawn) <= COLOURED else _best(ranking, drawn)
    others = [group for group in drawn if group not in named]
    for group in others:
        _draw(axes, group, GREY, rasterized=True, linewidth=0.6, zorder=1)
    lines = []
    for group, colour in zip(named, TAB10, strict=False):
        _draw(axes, group, colour, linewidth=1.2)
        words = ranking.brief(group.entries[0]) or "all runs"
        lines.append(Line2D([], [], color=colour, label=label(words, 45)))
    if others:
        lines.append(Line2D([], [], color=GREY, label=f"{len(others)} others"))
    lines.append(Line2D([], [], color="black", label="training"))
    if any(entry.curves[1] for entry in ranking.entries):
        lines.append(Line2D([], [], color="black", linestyle="--", label="held out"))
    title = f"the best by {ranking.measure}" if others else None
    figure.legend(handles=lines, loc="outside right upper", fontsize=8, frameon=False,
                  title=title, title_fontsize=8, alignment="left")  # fmt: skip
    return figure


def _best(ranking: Ranking, groups: list[Group]) -> list[Group]:
    """As many of each text, best first, as there are colours for."""
    own = [[group for group in groups if group.entries[0].text == text] for text in ranking.texts]
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*own))
    kept = [id(group) for group in itertools.islice(filter(None, in_turn), COLOURED)]
    return [group for group in groups if id(group) in kept]


def _draw(axes: Axes, group: Group, colour: Any, **style: Any) -> None:
    for entry in group.entries:
        for curve, line in zip(entry.curves, ("-", "--"), strict=True):
            if curve:
                form = line if len(curve) > 1 else marker_of(curve)
                axes.plot(*zip(*curve, strict=True), form, color=colour, markersize=4, **style)
