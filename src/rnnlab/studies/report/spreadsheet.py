"""results.csv: a line for each run, for spreadsheets and data frames.

folder                    where it is, seen from this file
...                       every other setting that differs between the runs, by its dotted name;
                          empty where a run has no such setting, as no theta without clipping
seed                      of initial weights, minibatches and dropout
text                      the name of what it was trained on
vocab_size                tokens that are told apart; of other texts, or with another vocabulary,
                          perplexities do not compare
status                    running, completed, diverged, interrupted or failed
training_perplexity       of the last epoch; empty where it is far beyond guessing
held_out_perplexity       of the last time it was taken; empty where no text is held out
best_perplexity           the lowest of any epoch, of best_of
best_of                   training or held out
floor_perplexity          what its text lets no model go below; empty where nobody knows it
excess_nats               nats a token above that, held out where text is held out
gradient_norm             the mean over the last epoch that is logged, before clipping
clipped_fraction          of that epoch's minibatches: 0 is none, 1 all
epochs, tokens            that it was trained
seconds                   of wall time
tokens_per_second         while training
stack_tokens_per_second   of all runs that trained with it, itself included
used_device               what it ran on, as cpu or cuda:0
used_engine               what computed the gradients
used_precision            of products and parameters
began, ended              ISO 8601, with the offset of the time zone
config_id                 equal for equal experiments
error                     why it is not completed
stopped                   why it ended before num_epochs: stop.*

These columns are always there, in this order; empty is what a run has not. After them are those of
each length of eval.lengths: perplexity_at_40, excess_nats_at_40 and accuracy_at_40, the share of
answers that are right. A setting that is called like one of them has no column of its own. The
command that trains a run again is in report.html.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from rnnlab.config.identity import as_typed
from rnnlab.runs.folder import last_metrics
from rnnlab.studies.report.entries import Entry, changed_names
from rnnlab.studies.report.escaping import in_csv

AT_LENGTH = ("perplexity", "excess_nats", "accuracy")
TEXTS = (  # of those columns
    *("text", "status", "best_of", "used_device", "used_engine", "used_precision"),
    *("began", "ended", "config_id", "error", "stopped"),
)


def to_csv(entries: list[Entry]) -> str:
    fixed = all_figures(entries)
    names = [name for name in changed_names(entries) if name not in ("folder", *fixed[0])]
    file = io.StringIO()
    lines: list[list[Any]] = [["folder", *names, *fixed[0]]]
    for entry, figures in zip(entries, fixed, strict=True):
        settings = [_plain(entry.settings.get(name)) for name in names]
        lines.append([entry.name, *settings, *figures.values()])
    csv.writer(file, lineterminator="\n").writerows(map(in_csv, line) for line in lines)
    return file.getvalue()


def all_figures(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """A row each, all with the same columns."""
    lengths = sorted({int(length) for entry in entries for length in entry.result.lengths})
    return [
        figures_of(entry)
        | {
            f"{name}_at_{length}": entry.result.lengths.get(str(length), {}).get(name)
            for length in lengths
            for name in AT_LENGTH
        }
        for entry in entries
    ]


def figures_of(entry: Entry) -> dict[str, Any]:
    """The columns that are always there, but for the folder."""
    result, last = entry.result, last_metrics(entry.folder) or {}
    return {
        "seed": result.seed if entry.is_known else None,
        "text": result.dataset.get("name"),
        "vocab_size": entry.vocab_size,
        "status": result.status,
        "training_perplexity": entry.training,
        "held_out_perplexity": entry.held_out,
        "best_perplexity": entry.best,
        "best_of": "held out" if entry.holds_out else "training",
        "floor_perplexity": entry.floor,
        "excess_nats": entry.excess,
        "gradient_norm": last.get("gradient_norm"),
        "clipped_fraction": last.get("clipped_fraction"),
        "epochs": result.epochs,
        "tokens": result.tokens,
        "seconds": result.wall_seconds,
        "tokens_per_second": result.tokens_per_second,
        "stack_tokens_per_second": result.stack_tokens_per_second,
        "used_device": result.device,
        "used_engine": result.engine,
        "used_precision": result.precision,
        "began": result.began,
        "ended": result.ended,
        "config_id": result.config_id,
        "error": result.error,
        "stopped": result.stopped,
    }


def _plain(value: Any) -> Any:
    """Numbers stay numbers, as short as one types them."""
    typed = as_typed(value)
    if isinstance(value, float):
        return int(typed) if typed.lstrip("-").isdecimal() else value
    return value if value is None or type(value) is int else typed
