"""A comparison for a terminal, a pull request, a spreadsheet, a program.

...                            a column for each setting that varies besides
lower, higher                  the two values; the first has the lower loss
seeds                          that both were trained with
difference                     higher - lower, the mean over the seeds, in nats: ln perplexity;
                               empty, as the next seven, where a side does nothing but guess
low, high                      its 95 % confidence interval, Student's t
bootstrap_low, bootstrap_high  the same by percentiles of a bootstrap, too narrow for few seeds
p                              of the paired t test, two-sided
p_holm                         adjusted for all rows of the table
seeds_needed                   to find such a difference at 5 % over the number of rows, with a
                               power of 0.8; empty: there is none, or more than 1000
guessing                       how many of these runs count as guessing, perplexity V
"""

from __future__ import annotations

import csv
import io
import json
import math
from typing import Any

from rnnlab.studies.comparison.compare import FIGURES, Comparison, Row
from rnnlab.studies.comparison.paired import LEVEL
from rnnlab.studies.report.escaping import in_csv, in_markdown
from rnnlab.studies.report.tables import markdown_table

Records = list[dict[str, Any]]
FIGURED = "difference low high bootstrap_low bootstrap_high p p_holm seeds_needed".split()
GUESSES = "is no better than guessing"
GUESSING = "what diverged, or is worse than guessing, counts as guessing: ln V nats"
CHOSEN = "the best was chosen with these very seeds: for a claim, train others with it"


def records(comparison: Comparison) -> Records:
    """A row each."""
    return [_record(row, len(comparison.seeds)) for row in comparison.rows]


def _record(row: Row, seeds: int) -> dict[str, Any]:
    head = {**row.place, "lower": row.lower, "higher": row.higher, "seeds": seeds}
    return {**head, **dict(zip(FIGURED, _figures(row), strict=True)), "guessing": row.guessing}


def _figures(row: Row) -> list[Any]:
    if not row.is_judged:
        return [None] * len(FIGURED)
    own = row.paired
    return [own.mean, *own.interval, *own.bootstrap, own.p, row.p_holm, row.seeds_needed]


# --- to be read ------------------------------------------------------------------------------


def to_text(comparison: Comparison) -> str:
    head, rows = _cells(comparison)
    table = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = ["  ".join(map(str.ljust, line, widths)).rstrip() for line in table]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([title(comparison), "", *lines, "", *readings(comparison)])


def to_markdown(comparison: Comparison) -> str:
    parts = [in_markdown(title(comparison)), markdown_table(*_cells(comparison))]
    parts += ["\n".join(f"- {in_markdown(line)}" for line in readings(comparison))]
    return "\n\n".join(parts)


def title(comparison: Comparison) -> str:
    best = f", each at its best {','.join(comparison.at_best)}" if comparison.at_best else ""
    brought = f", which brings {','.join(comparison.brought)}" if comparison.brought else ""
    return (
        f"{FIGURES[comparison.figure]} by {','.join(comparison.by)}{brought}{best}: differences in "
        f"nats, paired by {len(comparison.seeds)} seeds"
    )


def readings(comparison: Comparison) -> list[str]:
    """A sentence a row, and what else a reader has to know."""
    found = [_reading(row, len(comparison.seeds)) for row in comparison.rows]
    if any(row.guessing for row in comparison.rows):
        found.append(GUESSING)
    return [*found, CHOSEN] if comparison.at_best else found


def _reading(row: Row, seeds: int) -> str:
    where = f"at {_words(row)}, " if _words(row) else ""
    if not row.is_judged:
        return where + _lost(row, seeds)
    if not any(row.paired.differences):
        return f"{where}{row.lower} and {row.higher} are equal at each of {seeds} seeds"
    mean, low, high, *_ = _in_nats(row)
    figures = f"{mean} nats ({low} to {high}), {seeds} seeds, p {_p(row.p_holm)} after Holm"
    if row.p_holm <= LEVEL:
        return f"{where}{row.lower} is better than {row.higher} by {figures}"
    needed = "more than 1000" if row.seeds_needed is None else row.seeds_needed
    return (
        f"{where}{row.lower} and {row.higher} are not told apart: {figures}; "
        f"such a difference needs {needed} seeds"
    )


def _lost(row: Row, seeds: int) -> str:
    """gru diverged in 3 of 3."""
    sides = zip((row.lower, row.higher), row.guesses, row.diverged, strict=True)
    said = [
        f"{label} {'diverged' if diverged == seeds else GUESSES} in {seeds} of {seeds}"
        for label, guesses, diverged in sides
        if guesses == seeds
    ]
    return " and ".join(said)


def _words(row: Row) -> str:
    return " ".join(f"{name}={value}" for name, value in row.place.items() if value)


def _cells(comparison: Comparison) -> tuple[list[str], list[list[str]]]:
    counted = ["guessing"] if any(row.guessing for row in comparison.rows) else []
    head = [*comparison.places, "lower", "higher", "difference", "95 % interval", "bootstrap"]
    head += ["p", "p after Holm", "seeds needed", *counted]
    return head, [_line(row, bool(counted)) for row in comparison.rows]


def _line(row: Row, counts: bool) -> list[str]:
    own = _judged_cells(row) if row.is_judged else [""] * 6
    counted = [str(row.guessing)] * counts
    return [*row.place.values(), row.lower, row.higher, *own, *counted]


def _judged_cells(row: Row) -> list[str]:
    mean, low, high, *bootstrap = _in_nats(row)
    needed = "> 1000" if row.seeds_needed is None else str(row.seeds_needed)
    if not any(row.paired.differences):
        needed = ""
    ps = [_p(p).removeprefix("= ") for p in (row.paired.p, row.p_holm)]
    return [mean, f"{low} to {high}", " to ".join(bootstrap), *ps, needed]


def _in_nats(row: Row) -> list[str]:
    """Mean, interval and bootstrap, with the digits that the interval leaves."""
    numbers = [row.paired.mean, *row.paired.interval, *row.paired.bootstrap]
    half = numbers[2] - numbers[0] or abs(numbers[0]) or 1.0
    digits = max(0, 1 - math.floor(math.log10(half)))
    return [f"{number:.{digits}f}" for number in numbers]


def _p(p: float) -> str:
    return f"= {p:.2g}" if p >= 0.0001 else "< 0.0001"


# --- to be computed with ---------------------------------------------------------------------


def to_csv(comparison: Comparison) -> str:
    file, found = io.StringIO(), records(comparison)
    lines: list[list[Any]] = [[*found[0]], *([*record.values()] for record in found)]
    csv.writer(file, lineterminator="\n").writerows(map(in_csv, line) for line in lines)
    return file.getvalue().rstrip("\n")


def to_json(comparison: Comparison) -> str:
    found = {
        "by": comparison.by,
        "figure": comparison.figure,
        "at_best": comparison.at_best,
        "seeds": [int(seed) for seed in comparison.seeds],
        "rows": records(comparison),
    }
    return json.dumps(found, indent=2, ensure_ascii=False)


FORMS = {"text": to_text, "markdown": to_markdown, "csv": to_csv, "json": to_json}
