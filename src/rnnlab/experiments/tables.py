"""The tables of an experiment: a row for each value of some settings, their runs together."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from typing import Any

from rnnlab.config.identity import as_typed, by_value, is_number
from rnnlab.experiments.claims import shown
from rnnlab.experiments.experiment import Table
from rnnlab.experiments.rows import Row
from rnnlab.studies.report.tables import markdown_table


def drawn(table: Table, rows: Sequence[Row]) -> str:
    """In Markdown: of several runs the mean, and the lowest and the highest."""
    chosen = [row for row in rows if all(condition.holds(row) for condition in table.where)]
    columns = _in_order(row.value(table.across) for row in chosen) if table.across else []
    head = [f"{table.across} {_name(own)}" for own in columns] if columns else [*table.figures]
    lines = []
    for key in _keys(table, chosen):
        own = [row for row in chosen if _key(table, row) == key]
        cells = [cell([r.figure(figure) for r in own]) for figure in table.figures]
        if columns:
            cells = [_across(table, own, column) for column in columns]
        number = [] if columns else [str(len(own))]
        lines.append([*map(_name, key), *number, *cells])
    heads = [*table.by, *([] if columns else ["runs"]), *(name.replace("_", " ") for name in head)]
    return markdown_table(heads, lines)


def cell(values: Sequence[Any]) -> str:
    """1.234 (1.2 to 1.3); 2 of 3 diverged."""
    numbers = [value for value in values if is_number(value)]
    lost = sum(value == math.inf for value in numbers)
    if lost:
        return "diverged" if len(numbers) == 1 else f"{lost} of {len(numbers)} diverged"
    if len(numbers) < len(values) or not numbers:
        return ""
    low, high = shown(min(numbers)), shown(max(numbers))
    return shown(statistics.fmean(numbers)) + (f" ({low} to {high})" if low != high else "")


def _across(table: Table, rows: Sequence[Row], column: Any) -> str:
    own = [row for row in rows if by_value(row.value(table.across)) == by_value(column)]
    return cell([row.figure(table.figures[0]) for row in own])


def _key(table: Table, row: Row) -> tuple[Any, ...]:
    return tuple(row.value(name) for name in table.by)


def _keys(table: Table, rows: Iterable[Row]) -> list[tuple[Any, ...]]:
    """In the order in which they were trained."""
    return list(dict.fromkeys(_key(table, row) for row in rows))


def _in_order(values: Iterable[Any]) -> list[Any]:
    """Numbers by size, then the others as they come."""
    found = list({by_value(value): value for value in values}.values())
    return sorted(found, key=lambda value: (not is_number(value), value if is_number(value) else 0))


def _name(value: Any) -> str:
    return "none" if value is None else as_typed(value)
