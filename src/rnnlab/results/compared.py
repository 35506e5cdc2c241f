"""study.compare: which of some settings is better, as rnnlab compare has it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from rnnlab.results import frames
from rnnlab.results.frames import Frame
from rnnlab.studies.comparison.compare import Comparison, Row
from rnnlab.studies.comparison.table import records, to_markdown, to_text


@dataclass(frozen=True, eq=False, repr=False)
class Compared:
    """A table: `rows` with all differences, `frame` with the figures that are printed of them."""

    comparison: Comparison

    def __repr__(self) -> str:
        return to_text(self.comparison)

    def _repr_markdown_(self) -> str:
        """In a notebook."""
        return to_markdown(self.comparison)

    @property
    def rows(self) -> tuple[Row, ...]:
        return self.comparison.rows

    @cached_property
    def frame(self) -> Frame:
        """A row a pair of values; the columns are explained in studies/comparison/table.py."""
        found = records(self.comparison)
        columns = {name: frames.column([each[name] for each in found]) for name in found[0]}
        return frames.frame(columns)
