"""results.csv: a line for each run, for spreadsheets and data frames.

folder                  where it is, seen from this file
...                     every setting that differs between the runs, by its dotted name; empty where
                        a run has no such setting, as a run without clipping has no theta
status                  running, completed, diverged, interrupted or failed
training_perplexity     of the last epoch; empty where it is far beyond guessing
held_out_perplexity     of the last time it was taken; empty where no text is held out
best_perplexity         the lowest of any epoch, of best_of
best_of                 training or held out
epochs, tokens          that it was trained
seconds                 of wall time
tokens_per_second       while training
config_id               equal for equal experiments
error                   why it is not completed
"""

from __future__ import annotations

import csv
import io
from typing import Any

from rnnlab.config.identity import as_typed
from rnnlab.studies.report.entries import Entry, changed_names
from rnnlab.studies.report.escaping import in_csv


def to_csv(entries: list[Entry]) -> str:
    names, file = changed_names(entries), io.StringIO()
    lines = [[name for name, _ in _cells(entries[0], names)]]
    lines += [[value for _, value in _cells(entry, names)] for entry in entries]
    csv.writer(file, lineterminator="\n").writerows(map(in_csv, line) for line in lines)
    return file.getvalue()


def _cells(entry: Entry, names: list[str]) -> list[tuple[str, Any]]:
    result = entry.result
    return [
        ("folder", entry.name),
        *((name, _plain(entry.settings.get(name))) for name in names),
        ("status", result.status),
        ("training_perplexity", entry.training),
        ("held_out_perplexity", entry.held_out),
        ("best_perplexity", entry.best),
        ("best_of", "held out" if entry.holds_out else "training"),
        ("epochs", result.epochs),
        ("tokens", result.tokens),
        ("seconds", result.wall_seconds),
        ("tokens_per_second", result.tokens_per_second),
        ("config_id", result.config_id),
        ("error", result.error),
    ]


def _plain(value: Any) -> Any:
    """Numbers stay numbers, as short as one types them."""
    typed = as_typed(value)
    if isinstance(value, float):
        return int(typed) if typed.lstrip("-").isdecimal() else value
    return value if value is None or type(value) is int else typed
