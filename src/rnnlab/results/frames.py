"""Columns of figures and settings: a frame of pandas' where it is installed, else a plain dict.

Numbers are numbers, and NaN where there is none; texts, lists and what is mixed are objects, and
None where there is none.

Shapes: R rows, E logged epochs of a run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rnnlab.config.identity import is_number
from rnnlab.results.run import Run
from rnnlab.runs.folder import FIGURES, METRICS
from rnnlab.runs.result import Result
from rnnlab.studies.report.entries import Entry, changed_names
from rnnlab.studies.report.spreadsheet import TEXTS, all_figures, figures_of

Columns = dict[str, NDArray[Any]]  # each (R,)
Frame = Any  # pandas.DataFrame, or Columns: which, is not known before one asks for it


def frame(columns: Columns) -> Frame:
    try:
        import pandas
    except ImportError:
        return columns
    # of a plain array pandas would choose a type
    return pandas.DataFrame({n: pandas.Series(own, dtype=own.dtype) for n, own in columns.items()})


def column(values: Sequence[Any], is_text: bool = False) -> NDArray[Any]:
    """(R,): int64, bool, float64 with NaN for None, or objects; float64 where all are None."""
    kinds = {type(value) for value in values}
    if kinds == {int} and all(-(2**63) <= value < 2**63 for value in values):
        return np.array(values, dtype=np.int64)
    if kinds == {bool}:
        return np.array(values, dtype=bool)
    if not is_text and all(value is None or is_number(value) for value in values):
        return np.array(values, dtype=np.float64)
    objects = np.empty(len(values), dtype=object)
    objects[:] = [_plain(value) for value in values]
    return objects


def of_runs(runs: Sequence[Run]) -> Columns:
    """A row a run: its name, settings that differ, figures; then settings that are the same."""
    figures = all_figures([run.entry for run in runs])
    names = figures[0] if figures else _no_figures()
    settings = {name: column([run.settings.get(name) for run in runs]) for name in _names(runs)}
    own = {name: settings.pop(name) for name in _differing(runs) if name not in names}
    found = {name: column([each[name] for each in figures], name in TEXTS) for name in names}
    return {"folder": column([run.name for run in runs], True), **own, **found} | {
        name: values for name, values in settings.items() if name not in names
    }


def of_curves(runs: Sequence[Run]) -> Columns:
    """A row a run and a logged epoch: its name, settings that differ, the epoch, its figures."""
    lengths = [len(run.curves["epoch"]) for run in runs]
    always = ["epoch", *FIGURES[METRICS]]
    figures = dict.fromkeys([*always, *(name for run in runs for name in run.curves)])
    columns = {"folder": column([run.name for run in runs], True)}
    for name in _differing(runs):
        columns.setdefault(name, column([run.settings.get(name) for run in runs]))
    repeated = {name: np.repeat(own, lengths) for name, own in columns.items()}
    return repeated | {name: _joined(runs, name, lengths) for name in figures}


def of_looks(runs: Sequence[Run]) -> Columns:
    """A row a number that an instrument has logged: its run, settings that differ, what it is."""
    lengths = [len(run.instruments["epoch"]) for run in runs]
    columns = {"folder": column([run.name for run in runs], True)}
    for name in _differing(runs):
        columns.setdefault(name, column([run.settings.get(name) for run in runs]))
    repeated = {name: np.repeat(own, lengths) for name, own in columns.items()}
    names = ("epoch", "instrument", "name", "place", "value")
    logged = [[run.instruments[name] for run in runs] for name in names]
    return repeated | {n: np.concatenate(own) for n, own in zip(names, logged, strict=True) if own}


def _joined(runs: Sequence[Run], figure: str, lengths: Sequence[int]) -> NDArray[Any]:
    parts = [
        run.curves[figure] if figure in run.curves else np.full(length, np.nan)
        for run, length in zip(runs, lengths, strict=True)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _no_figures() -> dict[str, Any]:
    """By the names that they have, for a table without rows."""
    return figures_of(Entry(Path(), Result.without_run(""), {}))


def _names(runs: Iterable[Run]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.settings))


def _differing(runs: Iterable[Run]) -> list[str]:
    return changed_names(run.entry for run in runs)


def _plain(value: Any) -> Any:
    """What a table can group by: no list, and no enum."""
    if isinstance(value, list):
        return tuple(map(_plain, value))
    return str(value) if isinstance(value, str) else value
