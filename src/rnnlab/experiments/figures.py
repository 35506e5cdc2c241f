"""The figures of an experiment: curves, effects and heatmap of its report, and plots of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from rnnlab.config.synonyms import did_you_mean
from rnnlab.experiments.plot import Plot
from rnnlab.experiments.reading import Node
from rnnlab.experiments.rows import Row
from rnnlab.studies.report.figures import KINDS
from rnnlab.studies.report.ranking import Ranking
from rnnlab.studies.report.style import MM, Kept

WIDTH = 160 * MM
NAME = re.compile("[a-z0-9_-]{1,60}")


@dataclass(frozen=True)
class Reported:
    """As rnnlab figure STUDY draws it."""

    shows: str
    kind: str

    def drawn(self, rows: Sequence[Row]) -> Kept:
        return KINDS[self.kind](Ranking([row.entry for row in rows]), WIDTH)


def shown(node: Node) -> Reported | Plot:
    """Raises ConfigError with the line of a mistake."""
    if not NAME.fullmatch(node.name):
        node.refuse(f"{node.name} names a figure's file; use a to z, 0 to 9, - and _")
    if node.is_mapping:
        return Plot.of(node)
    if node.name not in KINDS:
        hint = did_you_mean(node.name, [*KINDS]) or f"there are {', '.join(KINDS)}"
        node.refuse(f"{node.name} is no figure of a report; {hint}")
    return Reported(node.text(), node.name)
