"""A study whose sweeper searches, and asks for jobs as it goes: to go on is no new search.

What was asked for is in the jobs' folders, and is trained to its end. Then the search itself goes
on, where its sweeper asks for the same jobs again, whose figures are known, and for the others
after them, as hydra/sweeper=optuna does.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rnnlab._common.errors import require
from rnnlab._common.program import training
from rnnlab.config.stored_words import overrides_not_taken
from rnnlab.config.words import is_override, key_of
from rnnlab.runs.folder import OVERRIDES, job_number, overrides_of
from rnnlab.studies.command import Command

ENDED = "optimization_results.yaml"  # that sweepers write when they have searched
TRIALS = "hydra.sweeper.n_trials"


@dataclass(frozen=True)
class Search:
    """A command's, as it was composed."""

    n_trials: int | None  # that it asks for in all
    repeats_itself: bool


def jobs_of(sweep: Path) -> list[tuple[str, ...]]:
    """The overrides of each job that the folder has.

    Raises ConfigError for what only a person may say.
    """
    folders = [path.parents[1] for path in sweep.rglob(OVERRIDES)]
    found = [(job_number(folder), folder, overrides_of(folder)) for folder in folders]
    known = [(number is None, number or 0, folder, own) for number, folder, own in found if own]
    jobs = {own: folder for *_, folder, own in sorted(known)}
    for own, folder in jobs.items():
        refused = overrides_not_taken(own)
        rule = "a folder's word is not enough for it"
        require(not refused, f"{shlex.join(refused)}, which {folder / OVERRIDES} asks for,", rule)
    return [*jobs]


def as_asked(command: Command) -> Command:
    """The command for the jobs that were asked for, in place of the one that asks."""
    flags = [word for word in command.hydras if not is_override(word)]
    hydras = [word for word in command.hydras if is_override(word) and _is_hydras(word)]
    kept = [
        word for word in hydras if not key_of(word).startswith(("hydra/sweeper", "hydra.sweeper"))
    ]
    return replace(command, hydras=[*flags, *kept, "hydra/sweeper=again"])


def that_goes_on(command: Command, search: Search, sweep: Path) -> tuple[Command | None, str]:
    """The command that asks for what remains; None where there is none, and what to say of it."""
    asked = len(jobs_of(sweep))
    if (sweep / ENDED).exists() or search.n_trials is None or asked >= search.n_trials:
        return None, ""
    if search.repeats_itself:
        return command, ""
    again = [*_with(command.again, f"{TRIALS}={search.n_trials - asked}"), f"sweep={sweep}"]
    return None, (
        f"{asked} of {search.n_trials} trials were asked for, and have come to their end; this "
        f"sweeper begins anew each time. To ask for the others, type: {training(*again)}"
    )


def _with(words: Sequence[str], word: str) -> list[str]:
    return [*(other for other in words if key_of(other) != key_of(word)), word]


def _is_hydras(word: str) -> bool:
    return key_of(word).startswith("hydra")
