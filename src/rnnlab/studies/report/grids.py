"""Which settings form a grid, so that a map of two of them tells something."""

from __future__ import annotations

import itertools
import math
from collections import Counter

from rnnlab.config.identity import is_number
from rnnlab.studies.report.axes import values_of
from rnnlab.studies.report.ranking import Ranking

FIRST = ("lr", "theta")  # what is looked at first
SIDE = 15  # rows and columns
FILLED = 0.75  # of the cells


def grids(ranking: Ranking) -> list[tuple[str, str]]:
    """Two settings most of whose combinations were tried; numbers before words."""
    values = {name: values_of(ranking.entries, name) for name in ranking.settings}
    names = [name for name, own in values.items() if 1 < len(own) <= SIDE]
    words = [n for n in names if not any(map(is_number, values[n].values()))]
    names.sort(key=lambda name: (name not in FIRST, name in words))

    def is_grid(names: tuple[str, str]) -> bool:
        tried = {(e.text, *map(e.setting, names)) for e in ranking.entries if e.is_known}
        least = min(sum(text == own for own, *_ in tried) for text in ranking.texts)
        lines = Counter((text, k, pair[k]) for text, *pair in tried for k in (0, 1))
        is_crossed = min(lines.values()) > 1  # one alone in its row was combined with nothing
        return is_crossed and least >= FILLED * math.prod(len(values[name]) for name in names)

    return [*filter(is_grid, itertools.combinations(names, 2))]
