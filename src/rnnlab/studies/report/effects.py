"""Where every run ended, over each setting that differs."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from rnnlab.runs.figures import INK, TRAIN, Ticks, as_it_is, label, perplexity_axes
from rnnlab.studies.report.axes import (
    TAB10,
    cut_off,
    is_number,
    median,
    texts_apart,
    ticks_of,
    values_of,
)
from rnnlab.studies.report.ranking import Ranking

LOST = "#a01010"
LISTED = 12  # values side by side; more numbers are points along an axis, more texts have no room
PANELS, IN_A_ROW = 12, 4
DECADES = 20  # the largest number over the smallest, from where an axis is logarithmic


@as_it_is
def effects_figure(ranking: Ranking) -> Figure | None:
    """A panel for each setting, with the median of each of its values; texts have colours."""
    listed = {name: values_of(ranking.entries, name) for name in ranking.names}
    shown = {name: values for name, values in listed.items() if _has_room(values)}
    ends = [v for e in ranking.entries if (v := ranking.value(e)) is not None and v < math.inf]
    if not ends or not shown:
        return None
    wide, high = min(len(shown), IN_A_ROW), math.ceil(min(len(shown), PANELS) / IN_A_ROW)
    figure = Figure(figsize=(0.8 + 2.6 * wide, 0.3 + 2.9 * high), layout="constrained")
    panels = figure.subplots(high, wide, sharey=True, squeeze=False).flat
    for number, (axes, name) in enumerate(zip(panels, shown, strict=False)):
        perplexity_axes(axes, name, "" if number % wide else ranking.measure)
        cut_off(axes, ends)
        _panel(axes, ranking, name, shown[name])
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    keys = _keys(ranking, any(len(values) <= LISTED for values in shown.values()))
    if len(shown) > PANELS:
        keys.append(Line2D([], [], linestyle="", label=f"{len(shown) - PANELS} settings more"))
    figure.legend(handles=keys, loc="outside upper right", fontsize=8,
                  frameon=False, ncols=6)  # fmt: skip
    return figure


def _has_room(values: dict[str, Any]) -> bool:
    return len(values) <= LISTED or any(map(is_number, values.values()))


def _panel(axes: Axes, ranking: Ranking, name: str, values: dict[str, Any]) -> None:
    numbers = {shown: value for shown, value in values.items() if is_number(value)}
    along = len(values) > LISTED
    places = numbers if along else {shown: k for k, shown in enumerate(values)}
    for text, colour in _colours(ranking).items():
        ends = [
            (places[entry.setting(name)], value)
            for entry in ranking.entries
            if entry.text == text and entry.setting(name) in places
            if (value := ranking.value(entry)) is not None
        ]
        finite = [end for end in ends if end[1] < math.inf]
        lost = [place for place, value in ends if value == math.inf]
        axes.plot([x for x, _ in finite], [y for _, y in finite], "o", color=colour, alpha=0.5,
                  markersize=4)  # fmt: skip
        if lost:
            axes.plot(lost, [1] * len(lost), "x", color=LOST, markersize=5, clip_on=False,
                      transform=axes.get_xaxis_transform())  # fmt: skip
        if not along:
            medians = [median(y for x, y in ends if x == place) for place in places.values()]
            line = "-" if numbers == values else ""
            axes.plot([*places.values()], medians, "_", color=colour, markersize=14,
                      linestyle=line, linewidth=1)  # fmt: skip
    if along:
        if min(numbers.values()) > 0 and max(numbers.values()) > DECADES * min(numbers.values()):
            axes.set(xscale="log")
            axes.xaxis.set_major_locator(Ticks(1, 3))
            axes.xaxis.set_major_formatter("{x:g}")
            axes.minorticks_off()
        return
    ticks = ticks_of(ranking, name, values)
    axes.set_xticks([*places.values()], ticks)
    axes.set_xlim(-0.5, len(values) - 0.5)
    if max(map(len, ticks)) * len(ticks) > 24:  # characters that a panel has room for
        axes.tick_params(axis="x", rotation=60, labelsize=7)


def _colours(ranking: Ranking) -> dict[tuple[str, str], Any]:
    texts = texts_apart(ranking)
    colours = [TRAIN] if len(texts) == 1 else TAB10
    return dict(zip(texts, colours, strict=False))


def _keys(ranking: Ranking, has_medians: bool) -> list[Line2D]:
    """What the marks mean."""
    median = Line2D([], [], color=INK, marker="_", linestyle="", markersize=14, label="median")
    keys = [median] if has_medians else []
    if any(ranking.value(entry) == math.inf for entry in ranking.entries):
        keys.append(Line2D([], [], color=LOST, marker="x", linestyle="", label="diverged"))
    if len(ranking.texts) > 1:
        names = texts_apart(ranking)
        keys += [
            Line2D([], [], color=colour, marker="o", linestyle="", label=label(names[text]))
            for text, colour in _colours(ranking).items()
        ]
    return keys
