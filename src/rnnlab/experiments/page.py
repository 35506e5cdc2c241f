"""README.md of an experiment: what its file says, with what its results say of it."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from rnnlab.experiments.claims import Verdict, shown
from rnnlab.experiments.experiment import PLACE, Experiment, Paper
from rnnlab.experiments.quantities import Unanswered
from rnnlab.experiments.record import Record
from rnnlab.experiments.rows import Row
from rnnlab.experiments.tables import drawn
from rnnlab.studies.report.tables import markdown_table

WIDTH = 100  # of its paragraphs


def page(experiment: Experiment, record: Record, others: Record | None = None) -> str:
    """`others` are results with other seeds."""
    verdicts = [claim.judged(record.rows) for claim in experiment.claims]
    parts = [f"# {experiment.title}", _filled(experiment.question)]
    parts += [_filled(finding(experiment, verdicts))]
    parts += [f"![{own.shows}]({name}.svg)" for name, own in experiment.figures.items()]
    parts += ["## Claims", _claims(experiment, verdicts, others)]
    for table in experiment.tables:
        parts += [f"## {table.title}", drawn(table, record.rows)]
    if experiment.paper:
        parts += _beside(experiment.paper, record.rows)
    parts += ["## Again", *_again(experiment, record)]
    return "\n\n".join(parts) + "\n"


def finding(experiment: Experiment, verdicts: Sequence[Verdict]) -> str:
    """What is written is true where all claims hold; where one does not, that is the finding."""
    wrong = [verdict for verdict in verdicts if not verdict.holds]
    if wrong:
        names = ", ".join(verdict.claim.name for verdict in wrong)
        return f"**Finding.** Not what is claimed: see {names}."
    own = {verdict.claim.name: verdict for verdict in verdicts}

    def figure(found: re.Match[str]) -> str:
        return shown(getattr(own[found[1]], found[2] or "value"))

    return f"**Finding.** {PLACE.sub(figure, experiment.finding)}"


def _claims(experiment: Experiment, verdicts: Sequence[Verdict], others: Record | None) -> str:
    head = ["claim", "", "bound", "measured", ""]
    again: list[Verdict] = []
    if others:
        again = [claim.judged(others.rows) for claim in experiment.claims]
        head += [f"with seeds {_seeds(others)}", ""]
    rows = []
    for k, verdict in enumerate(verdicts):
        rows.append([verdict.claim.name, verdict.claim.says, *_outcome(verdict)])
        if others:
            rows[-1] += _outcome(again[k])[1:]
            rows[-1][-2] += _moved(verdict, again[k])
    return markdown_table(head, rows)


def _outcome(verdict: Verdict) -> list[str]:
    return [verdict.bounds, verdict.found, "holds" if verdict.holds else "does not hold"]


def _moved(verdict: Verdict, again: Verdict) -> str:
    """A bound that the study gives is another one with other seeds."""
    return "" if verdict.bounds == again.bounds else f" ({again.bounds})"


def _seeds(record: Record) -> str:
    """1, 2, 5; 20 to 39."""
    seeds = sorted({seed for row in record.rows if type(seed := row.value("seed")) is int})
    if len(seeds) > 3 and seeds == [*range(seeds[0], seeds[-1] + 1)]:
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def _beside(paper: Paper, rows: Sequence[Row]) -> list[str]:
    parts = ["## Beside the paper", _filled(f"{paper.source}. {paper.differs}")]
    if paper.rows:
        lines = []
        for name, (printed, here) in paper.rows.items():
            try:
                lines.append([name, printed, shown(here.of(rows))])
            except Unanswered as why:
                lines.append([name, printed, str(why)])
        parts.append(markdown_table(["", "printed", "here"], lines))
    return parts


def _again(experiment: Experiment, record: Record) -> list[str]:
    place = Path(experiment.folder.parent.name) / experiment.name
    commands = [shlex.join(["python", "run.py", "-m", *words]) for words in record.commands]
    return [
        f"    rnnlab reproduce {place.as_posix()}",
        _filled(
            "trains what follows, or goes on with it, checks the claims, and writes this page, "
            "results.json and the figures; --seeds 10,11,12 does it with other seeds. "
            f"{experiment.jobs} jobs, about {experiment.minutes:g} minutes on two cores."
        ),
        "\n".join(_indented(command) for command in commands),
        _filled(_measured(record)),
    ]


def _indented(command: str) -> str:
    lines = textwrap.wrap(command, WIDTH - 4, break_long_words=False, break_on_hyphens=False)
    return " \\\n        ".join([f"    {lines[0]}", *lines[1:]])


def _measured(record: Record) -> str:
    own = record.surroundings
    versions = own.versions if isinstance(own.versions, dict) else {}
    said = [f"{len(record.rows)} runs with rnnlab {versions.get('rnnlab')}"]
    said += [f"torch {versions.get('torch')}", f"engine {_listed(own.engine)}"]
    said += [f"{_listed(own.precision)} on {_listed(own.device)} ({own.cores} cores)"]
    return f"{', '.join(said)}{_when(record)}."


def _when(record: Record) -> str:
    own = record.surroundings
    if own.ended is None or own.minutes is None:
        return ""
    day, minutes = datetime.fromisoformat(own.ended), f"{own.minutes:.1f} minutes"
    took = f"{own.stacks} stacks that took {minutes} together"
    return f"; {day:%Y-%m-%d}, {took}, other work on the machine included"


def _listed(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _filled(text: str) -> str:
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)
