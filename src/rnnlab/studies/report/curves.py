"""Perplexity over epochs: of each setting the mean of its seeds, and a band from the lowest seed to
the highest. Training is solid, held-out text dashed; the best have colours, the others are grey.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Collection, Iterable, Sequence
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from rnnlab._common.errors import require
from rnnlab.runs.colours import COLOURS
from rnnlab.runs.figures import perplexity_axes
from rnnlab.studies.report.axes import BEYOND, texts_apart
from rnnlab.studies.report.entries import Curve
from rnnlab.studies.report.floors import draw_floors, floor_keys, floors_of
from rnnlab.studies.report.ranking import Group, Ranking
from rnnlab.studies.report.room import legend_below
from rnnlab.studies.report.style import GREY, INCH, MM, Kept, look, printed

FORMS: dict[str, Any] = {"training": "-", "held-out": (0, (3.5, 1.5))}
OTHERS: dict[str, Any] = {"color": GREY, "linewidth": 0.5}
LOWEST, HIGHEST = 40 * MM, 75 * MM  # of the axes
BETWEEN = 0.2  # marks of a line, in diagonals of the axes


class Band(NamedTuple):
    """A figure of some seeds, over the epochs that any of them has logged."""

    epochs: list[int]
    mean: list[float]
    low: list[float]
    high: list[float]


@printed
def curves_figure(ranking: Ranking, width: float) -> Kept:
    """So many points wide."""
    groups = [group for group in ranking.groups if any(any(e.curves) for e in group.entries)]
    require(bool(groups), "a figure of curves", "no run has logged an epoch yet")
    named = groups if len(groups) <= len(COLOURS) else _best(ranking, groups)
    others = [group for group in groups if group not in named]
    bands = {id(group): _bands(group) for group in groups}
    figure = Kept(figsize=(width / INCH, min(max(0.6 * width, LOWEST), HIGHEST) / INCH))
    axes = figure.add_subplot()
    floors = floors_of(ranking.entries)
    forms = [form for form in FORMS if any(form in own for own in bands.values())]
    perplexity_axes(axes, ylabel="perplexity" if len(forms) > 1 else f"{forms[0]} perplexity")
    axes.set_ylim(*_range(bands.values(), floors))
    draw_floors(axes, floors)
    for group in others:
        for form, band in bands[id(group)].items():
            axes.plot(band.epochs, band.mean, **OTHERS, linestyle=FORMS[form], zorder=1)
    for rank, group in enumerate(named):
        start = BETWEEN * rank / len(named)
        _draw(axes, bands[id(group)], look(rank, has_mark=len(named) > 1), start, 3 - rank / 100)
    keys = _keys(_words(ranking, named), len(others))
    if len(forms) > 1:
        keys += [Line2D([], [], color="black", linestyle=FORMS[form], label=form) for form in forms]
    keys += floor_keys(floors)
    legend_below(figure, keys, f"the best by {ranking.measure}, and the others" if others else "")
    return figure


def _words(ranking: Ranking, groups: list[Group]) -> list[str]:
    """Their settings; and the text, where those of two texts are the same."""
    words = [ranking.brief(group.entries[0]) for group in groups]
    if len({*words}) == len(words):
        return words
    texts = texts_apart(ranking, most=None)
    own = [texts.get(group.entries[0].text, "") for group in groups]
    return [": ".join(filter(None, both)) for both in zip(own, words, strict=True)]


def _keys(named: list[str], others: int) -> list[Line2D]:
    """One alone needs a name only where it differs from something."""
    own = [*enumerate(named)] if any(named) else []
    keys = [Line2D([], [], **look(k, has_mark=len(named) > 1), label=words) for k, words in own]
    more = f"{others} other{'s' if others > 1 else ''}"
    return keys + ([Line2D([], [], **OTHERS, label=more)] if others else [])


def _best(ranking: Ranking, groups: list[Group]) -> list[Group]:
    """As many of each text, best first, as there are colours for."""
    own = [[group for group in groups if group.entries[0].text == text] for text in ranking.texts]
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*own))
    kept = [id(group) for group in itertools.islice(filter(None, in_turn), len(COLOURS))]
    return [group for group in groups if id(group) in kept]


def _bands(group: Group) -> dict[str, Band]:
    """Of training and of held-out text, as far as they are logged."""
    both = zip(FORMS, zip(*(entry.curves for entry in group.entries), strict=True), strict=True)
    return {form: over_seeds(curves) for form, curves in both if any(curves)}


def over_seeds(curves: Iterable[Curve]) -> Band:
    """Mean, lowest and highest of whatever seeds have an epoch."""
    found: dict[int, list[float]] = {}
    for epoch, value in itertools.chain.from_iterable(curves):
        found.setdefault(epoch, []).append(value)
    epochs = sorted(found)
    values = [found[epoch] for epoch in epochs]
    return Band(epochs, *(list(map(of, values)) for of in (statistics.fmean, min, max)))


def _range(bands: Collection[dict[str, Band]], floors: Sequence[float] = ()) -> tuple[float, float]:
    """What is shown: not what explodes, else nothing else would be seen."""
    own = [band for both in bands for band in both.values()]
    begun = max(next(iter(both.values())).mean[0] for both in bands)
    least, most = min(min(band.low) for band in own), max(max(band.high) for band in own)
    return 0.97 * min([least, *floors]), 1.02 * min(
        most, BEYOND * least, max(1.5 * begun, 1.1 * least)
    )


def _draw(
    axes: Axes, bands: dict[str, Band], style: dict[str, Any], start: float, order: float
) -> None:
    """Marks of lines begin at other places; what has the higher order lies on top."""
    for form, band in bands.items():
        if band.low != band.high:
            axes.fill_between(
                band.epochs, band.low, band.high, color=style["color"], alpha=0.2, linewidth=0
            )
        mark: dict[str, Any] = {"marker": "o"} if len(band.epochs) == 1 else {}
        axes.plot(band.epochs, band.mean, linestyle=FORMS[form], zorder=order,
                  markevery=(start, BETWEEN), **(mark | style))  # fmt: skip
