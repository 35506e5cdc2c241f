"""A figure of an experiment's runs over a setting, or over another figure, as its file asks for it.

    lags: {shows: ..., figure: accuracy_at_dataset.lag, against: dataset.lag, for_each: model}
    size: {shows: ..., figure: excess_nats, against: num_hiddens, log: [x, y], where: {clip: norm}}

A dot is a run, and a run that diverged is a cross at the top. Over a setting a line goes through
the means, and has a gap where a run diverged. Over eval.lengths, with accuracy_at_eval.lengths, a
run has a dot for each of its lengths. Dots of several lines stand a little beside each other.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator
from matplotlib.transforms import ScaledTranslation

from rnnlab._common.errors import require
from rnnlab.config.identity import as_typed, is_number
from rnnlab.experiments.conditions import Condition, conditions
from rnnlab.experiments.names import known_name, number_name
from rnnlab.experiments.reading import Node
from rnnlab.experiments.rows import FIGURES, Row
from rnnlab.runs.colours import COLOURS
from rnnlab.runs.figures import label
from rnnlab.studies.report.axes import draw_ends
from rnnlab.studies.report.floors import DOTTED
from rnnlab.studies.report.room import legend_below
from rnnlab.studies.report.style import INCH, MM, Kept, look, printed

WIDTH, HEIGHT = 110 * MM, 60 * MM
APART = 2.5  # points between the dots of two lines at one place
LENGTHS = "eval.lengths"  # the one list that is drawn over
TICKS = 10  # places of an axis that are all named
Point = tuple[float, float]


@dataclass(frozen=True)
class Plot:
    shows: str
    figure: str
    against: str
    for_each: tuple[str, ...] = ()  # settings, each of whose values has a line
    where: tuple[Condition, ...] = ()
    log: tuple[str, ...] = ()  # of x, y
    least: float = -math.inf  # along x: what is less stands there
    beside: tuple[
        tuple[str, float], ...
    ] = ()  # what else is known, by name: dotted, from side to side

    @classmethod
    def of(cls, node: Node) -> Plot:
        """Raises ConfigError with the line of a mistake."""
        fields = node.fields("shows figure against", "for_each where log least beside")
        beside, places = fields["beside"].items() if "beside" in fields else {}, fields["against"]
        return cls(
            fields["shows"].text(),
            number_name(fields["figure"]),
            (known_name if places.text() == LENGTHS else number_name)(places),
            tuple(map(known_name, fields["for_each"].each())) if "for_each" in fields else (),
            conditions(fields["where"]) if "where" in fields else (),
            tuple(own.one_of(["x", "y"]) for own in fields["log"].each())
            if "log" in fields
            else (),
            fields["least"].number_value() if "least" in fields else -math.inf,
            tuple((name, own.number_value()) for name, own in beside.items()),
        )

    def drawn(self, rows: Sequence[Row]) -> Kept:
        """Raises ConfigError where the study has nothing to draw, or too much."""
        lines = self.lines(rows)
        require(
            0 < len(lines) <= len(COLOURS),
            f"a plot of {self.figure} against {self.against} with {len(lines)} lines",
            f"it has 1 to {len(COLOURS)}; choose others by where: and for_each:",
        )
        return self._drawn(lines, self.against in rows[0].settings)

    def lines(self, rows: Sequence[Row]) -> dict[str, list[Point]]:
        """The dots of each, by what one types for it, in the order in which they were trained."""
        found: dict[str, list[Point]] = {}
        for row in rows:
            if all(condition.holds(row) for condition in self.where):
                found.setdefault(_typed(row, self.for_each), []).extend(self._points(row))
        return {typed: points for typed, points in found.items() if points}

    def _points(self, row: Row) -> Iterator[Point]:
        places = row.value(self.against)
        for x in places if isinstance(places, list) else [places]:
            y = row.figure(self.figure.replace(f"_at_{self.against}", f"_at_{x}"))
            if is_number(x) and is_number(y):
                yield max(float(x), self.least), float(y)

    @printed
    def _drawn(self, lines: dict[str, list[Point]], is_line: bool) -> Kept:
        figure = Kept(figsize=(WIDTH / INCH, HEIGHT / INCH))
        axes = figure.add_subplot()
        axes.set(**{f"{axis}scale": "log" for axis in self.log})
        axes.set(xlabel=_said(self.against), ylabel=_said(self.figure.partition("_at_")[0]))
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        keys = []
        for rank, (typed, points) in enumerate(lines.items()):
            aside = APART * (rank - (len(lines) - 1) / 2) / INCH
            place = axes.transData + ScaledTranslation(aside, 0, figure.dpi_scale_trans)
            style = look(rank)
            draw_ends(axes, points, style | {"transform": place})
            axes.update_datalim([point for point in points if point[1] < math.inf])
            if is_line:
                axes.plot(*_means(points), color=style["color"], transform=place)
            keys.append(Line2D([], [], label=typed, linestyle="-" if is_line else "", **style))
        for name, y in self.beside:
            axes.axhline(y, **DOTTED, zorder=0.9)
            keys.append(Line2D([], [], label=f"{name} {y:g}", **DOTTED))
        _name_ticks(axes, _places(lines) if is_line else [])
        legend_below(figure, keys if any(lines) or self.beside else [])
        return figure


def _typed(row: Row, names: Sequence[str]) -> str:
    own = [(name, row.value(name)) for name in names]
    return " ".join(f"{name}={as_typed(value)}" for name, value in own if value is not None)


def _said(name: str) -> str:
    """A setting as it is typed; gradient at lag, of gradient_at_dataset.lag; excess nats."""
    figure, at, place = name.partition("_at_")
    if at:
        return label(f"{figure} at {place.rpartition('.')[2]}")
    return label(name.replace("_", " ") if name in FIGURES else name)


def _means(points: Sequence[Point]) -> tuple[list[float], list[float]]:
    """Places, and the mean at each; NaN, so that nothing is drawn, where a run diverged."""
    ends: dict[float, list[float]] = {}
    for x, y in sorted(points):
        ends.setdefault(x, []).append(y if y < math.inf else math.nan)
    return [*ends], [statistics.fmean(own) for own in ends.values()]


def _places(lines: dict[str, list[Point]]) -> list[float]:
    return sorted({x for points in lines.values() for x, _ in points})


def _name_ticks(axes: Axes, places: list[float]) -> None:
    """Of a setting its values, if they are few; of a logarithmic axis plain numbers."""
    for axis in (axes.xaxis, axes.yaxis):
        if axis.get_scale() == "log":
            _plain(axis)
    if 0 < len(places) <= TICKS:
        axes.set_xticks(places, [f"{x:g}" for x in places])


def _plain(axis: Axis) -> None:
    low, high = sorted(axis.get_view_interval())
    axis.set_major_locator(LogLocator(subs=(1.0,) if high > 1e4 * low else (1.0, 2.0, 5.0)))
    axis.set_major_formatter("{x:g}")
    axis.set_minor_locator(LogLocator(subs=()))
