"""Where every run ended, over each setting that differs: a panel for each, with medians."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator

from rnnlab._common.errors import require
from rnnlab.config.identity import is_number
from rnnlab.runs.figures import Ticks, perplexity_axes
from rnnlab.studies.report.axes import BEYOND, DIVERGED, draw_ends, median, texts_apart, values_of
from rnnlab.studies.report.floors import draw_floors, floor_keys, floors_of
from rnnlab.studies.report.ranking import Ranking
from rnnlab.studies.report.room import fitted, legend_below, name_places, ticks_of
from rnnlab.studies.report.style import INCH, MM, Kept, look, printed

LISTED = 12  # values side by side; more numbers are points along an axis, more texts have no room
ROWS = 4  # of panels
WIDE, HIGH = 42 * MM, 38 * MM  # of a panel
AXIS = 11 * MM  # what of its width is not the picture
MARGIN = 1.06  # above and below all runs
BLUE = "#0072B2"
DECADES, LONG = 20, 200  # the largest number over the smallest of a logarithmic axis
MEDIAN: dict[str, Any] = {"marker": "_", "markersize": 9, "markeredgewidth": 1.2, "linewidth": 0.7}


@printed
def effects_figure(ranking: Ranking, width: float) -> Kept:
    """So many points wide."""
    ended = [entry for entry in ranking.entries if ranking.value(entry) is not None]
    ends = [v for e in ended if (v := ranking.value(e)) is not None and v < math.inf]
    require(bool(ends), "a figure of effects", "no run has come to a finite perplexity")
    names = ranking.settings or ranking.names  # of seeds nothing is learnt but how they scatter
    listed = {name: values_of(ended, name) for name in names}
    shown = {name: values for name, values in listed.items() if _has_room(values)}
    require(bool(shown), "a figure of effects", "what has completed differs in no setting")
    across = min(len(shown), max(1, round(width / WIDE)))
    down = min(ROWS, math.ceil(len(shown) / across))
    figure = Kept(figsize=(width / INCH, down * HIGH / INCH))
    panels = [*figure.subplots(down, across, sharey=True, squeeze=False).flat]
    room, more = width / across - AXIS, 0.0
    for number, (axes, name) in enumerate(zip(panels, shown, strict=False)):
        perplexity_axes(axes, fitted(name, room), "" if number % across else ranking.measure)
        more = max(more, _panel(axes, ranking, name, shown[name], room))
    figure.set_figheight(down * (HIGH + more) / INCH)
    floors = floors_of(entry for entry in ended if entry.text in texts_apart(ranking))
    for axes in panels[: len(shown)]:
        draw_floors(axes, floors)
    panels[0].set_ylim(min([*ends, *floors]) / MARGIN, min(max(ends) * MARGIN, BEYOND * min(ends)))
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    has_medians = any(len(values) <= LISTED for values in shown.values())
    legend_below(
        figure, [*_keys(ranking, has_medians, len(shown) - len(panels)), *floor_keys(floors)]
    )
    return figure


def _has_room(values: dict[str, Any]) -> bool:
    return len(values) > 1 and (len(values) <= LISTED or any(map(is_number, values.values())))


def _panel(axes: Axes, ranking: Ranking, name: str, values: dict[str, Any], room: float) -> float:
    """How much higher it has to be for what is written below it."""
    numbers = {shown: value for shown, value in values.items() if is_number(value)}
    along = len(values) > LISTED
    places = numbers if along else {shown: float(k) for k, shown in enumerate(values)}
    for text, style in _looks(ranking):
        ends = [
            (places[entry.setting(name)], value)
            for entry in ranking.entries
            if entry.text == text and entry.setting(name) in places
            if (value := ranking.value(entry)) is not None
        ]
        draw_ends(axes, ends, style)
        if not along:
            medians = [median(y for x, y in ends if x == place) for place in places.values()]
            line = "-" if numbers == values else ""
            axes.plot([*places.values()], medians, color=style["color"], linestyle=line, **MEDIAN)
    axes.grid(visible=False, axis="x")
    if along:
        _scale(axes, [*numbers.values()])
        return 0.0
    more = name_places(axes, ticks_of(ranking, name, values, 2 * WIDE), room)
    axes.set_xlim(-0.5, len(values) - 0.5)
    return more


def _scale(axes: Axes, numbers: list[float]) -> None:
    if min(numbers) > 0 and max(numbers) > DECADES * min(numbers):
        axes.set(xscale="log")
        is_long = max(numbers) > LONG * min(numbers)  # every 1 and 3 would not have room
        axes.xaxis.set_major_locator(LogLocator() if is_long else Ticks(1, 3))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.minorticks_off()


def _looks(ranking: Ranking) -> list[tuple[tuple[str, str], dict[str, Any]]]:
    """Colour and mark of each text; of a single one blue dots."""
    texts = [*texts_apart(ranking)]
    if len(texts) == 1:
        return [(texts[0], look(0) | {"color": BLUE})]
    return [(text, look(rank)) for rank, text in enumerate(texts)]


def _keys(ranking: Ranking, has_medians: bool, more: int) -> list[Line2D]:
    """What the marks mean."""
    names, looks = texts_apart(ranking), _looks(ranking)
    keys = [
        Line2D([], [], linestyle="", label=names[text] if len(looks) > 1 else "a run", **style)
        for text, style in looks
    ]
    if has_medians:
        colour = looks[0][1]["color"]
        keys.append(Line2D([], [], color=colour, linestyle="", label="median", **MEDIAN))
    if any(ranking.value(entry) == math.inf for entry in ranking.entries):
        keys.append(Line2D([], [], label="diverged", **DIVERGED))
    if more > 0:
        keys.append(Line2D([], [], linestyle="", label=f"{more} settings more"))
    return keys
