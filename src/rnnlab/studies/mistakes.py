"""What is wrong with a study's jobs, all at once."""

from __future__ import annotations

from collections.abc import Sequence

from rnnlab._common.errors import ConfigError
from rnnlab.config.identity import changed
from rnnlab.studies.job import Asked, Mistaken

NAMED = 5  # jobs with the same mistake


def refuse_mistakes(asked: Sequence[Asked | Mistaken], first: int = 0, rows: int = 0) -> None:
    """Raise ConfigError if there are any: each mistake once, with the jobs that have it.

    Of a file with so many rows each job is told with its row.
    """
    mistakes: dict[str, list[str]] = {}
    own = changed([job.overrides for job in asked])
    for number, (job, what) in enumerate(zip(asked, own, strict=True), first):
        if isinstance(job, Mistaken):
            row = f"row {1 + number * rows // len(asked)}: " if rows else ""
            mistakes.setdefault(job.mistake, []).append(f"{number} ({row}{what})")
    if not mistakes:
        return
    lines = [_line(mistake, jobs, len(asked)) for mistake, jobs in mistakes.items()]
    if sum(map(len, mistakes.values())) < len(asked):
        lines.append("on_invalid=skip trains the other jobs.")
    raise ConfigError("\n".join(lines))


def _line(mistake: str, jobs: list[str], asked: int) -> str:
    if len(jobs) == asked:
        return mistake
    more = [f"and {len(jobs) - NAMED} more"] if len(jobs) > NAMED else []
    return f"job {', '.join(jobs[:NAMED] + more)}: {mistake}"
