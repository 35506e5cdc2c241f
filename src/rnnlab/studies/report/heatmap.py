"""Median perplexity over two settings, where these form a grid."""

from __future__ import annotations

import itertools
import math
from collections import Counter

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnlab.runs.figures import as_it_is, label
from rnnlab.studies.report.axes import BEYOND, is_number, median, texts_apart, ticks_of, values_of
from rnnlab.studies.report.entries import Entry
from rnnlab.studies.report.ranking import Ranking

PAPER = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1.5}  # under a number
FIRST = ("lr", "theta")  # what is looked at first
SIDE = 15  # rows and columns
FILLED = 0.75  # of the cells


@as_it_is
def heat_map(ranking: Ranking) -> Figure | None:
    """One map for each text; None where no two settings were combined with each other."""
    pair = next(iter(grids(ranking)), None)
    if pair is None:
        return None
    x, y = (values_of(ranking.entries, name) for name in (pair[1], pair[0]))
    texts = texts_apart(ranking)
    size = ((0.6 + 0.85 * len(x)) * len(texts) + 0.8, 1.4 + 0.5 * len(y))
    figure = Figure(figsize=size, layout="constrained")
    for axes, (text, name) in zip(
        figure.subplots(1, len(texts), squeeze=False)[0], texts.items(), strict=True
    ):
        _map(axes, ranking, [e for e in ranking.entries if e.text == text], pair)
        axes.set_title(label(name) if len(texts) > 1 else "", fontsize=9)
    others = [name for name in ranking.names if name not in pair]
    rest = f", median over {label(', '.join(others))}" if others else ""
    figure.suptitle(f"{ranking.measure}{rest}", fontsize=10)
    return figure


def grids(ranking: Ranking) -> list[tuple[str, str]]:
    """Two settings most of whose combinations were tried; numbers before words."""
    values = {name: values_of(ranking.entries, name) for name in ranking.settings}
    names = [name for name, own in values.items() if 1 < len(own) <= SIDE]
    words = [n for n in names if not any(map(is_number, values[n].values()))]
    names.sort(key=lambda name: (name not in FIRST, name in words))

    def is_grid(names: tuple[str, str]) -> bool:
        tried = {(e.text, *map(e.setting, names)) for e in ranking.entries if e.settings}
        least = min(sum(text == own for own, *_ in tried) for text in ranking.texts)
        lines = Counter((text, k, pair[k]) for text, *pair in tried for k in (0, 1))
        is_crossed = min(lines.values()) > 1  # one alone in its row was combined with nothing
        return is_crossed and least >= FILLED * math.prod(len(values[name]) for name in names)

    return [*filter(is_grid, itertools.combinations(names, 2))]


def _map(axes: Axes, ranking: Ranking, entries: list[Entry], pair: tuple[str, str]) -> None:
    rows, columns = (values_of(ranking.entries, name) for name in pair)
    own: dict[tuple[str, str], list[float | None]] = {}
    for entry in entries:
        own.setdefault((entry.setting(pair[0]), entry.setting(pair[1])), []).append(
            ranking.value(entry)
        )
    cells = [[median(own.get((row, column), [])) for column in columns] for row in rows]
    logs = [[math.log(cell) if 0 < cell < math.inf else math.nan for cell in row] for row in cells]
    finite = [cell for row in logs for cell in row if math.isfinite(cell)] or [0.0]
    axes.set_facecolor("#d9d9d9")
    axes.imshow(logs, cmap="viridis_r", aspect="auto", origin="lower", vmin=min(finite),
                vmax=min(max(finite), min(finite) + math.log(BEYOND)))  # fmt: skip
    for y, row in enumerate(cells):
        for x, cell in enumerate(row):
            words = "" if math.isnan(cell) else "diverged" if cell == math.inf else f"{cell:.4g}"
            axes.text(x, y, words, ha="center", va="center", fontsize=8, bbox=PAPER)
    axes.set_xticks(range(len(columns)), ticks_of(ranking, pair[1], columns))
    axes.set_yticks(range(len(rows)), ticks_of(ranking, pair[0], rows))
    axes.set(xlabel=label(pair[1]), ylabel=label(pair[0]))
