"""How a study stands: from its jobs' folders, and from the queue where it can be asked."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rnnlab._common.errors import require
from rnnlab._common.files import LOCK, InUseError, entered, locked
from rnnlab._common.program import resuming
from rnnlab.runs.folder import OVERRIDES, RESULT, last_metrics, number_of
from rnnlab.runs.ownership import may_be_alive, said_of, seconds_since
from rnnlab.runs.result import Result, Status
from rnnlab.studies.executors.slurm import cancel_waiting, state_of
from rnnlab.studies.executors.worker import STOP
from rnnlab.studies.preview import duration
from rnnlab.studies.report.entries import read
from rnnlab.studies.report.ranking import Ranking
from rnnlab.studies.tasks import submitted
from rnnlab.studies.view import best_of

WAITING, LOST = "waiting", "lost"


@dataclass(frozen=True)
class Standing:
    """A job, and what is known of it."""

    folder: Path
    result: Result | None
    task: str | None  # that it was given to last
    queue: str  # what the queue says of that

    @property
    def word(self) -> str:
        """Its status; running is only who gives a sign of life."""
        result = self.result
        if result is None or result.status in (Status.running, Status.interrupted):
            if result and result.status == Status.running and may_be_alive(result):
                return Status.running
            if self.queue:
                return self.queue if self.queue != "running" else WAITING
            return LOST if result and result.status == Status.running else WAITING
        return result.status

    @property
    def where(self) -> str:
        if self.word in (Status.running, LOST) and self.result:
            return said_of(self.result)
        return f"in the queue ({self.task})" if self.queue and self.task else ""

    @property
    def number(self) -> int:
        return number_of(self.folder, -1)


def standings(study: Path) -> list[Standing]:
    """Of all jobs that the folder has, by their numbers; raises ConfigError for no study."""
    folders = {path.parents[1] for path in study.rglob(OVERRIDES)}
    require(bool(folders), f"the status of {study}", "no job was begun there")
    tasks = {folder: task.name for task in submitted(study) for folder in task.folders}
    states = {name: state_of(name, study) for name in {*tasks.values()}}

    def standing(folder: Path) -> Standing:
        task = tasks.get(folder)
        return Standing(folder, Result.find(folder), task, states[task] if task else "")

    found = map(standing, folders)
    return sorted(found, key=lambda own: (own.number, own.folder))


def described(study: Path) -> Iterator[str]:
    """Lines."""
    found = standings(study)
    counts = Counter(own.word for own in found)
    numbers = ", ".join(f"{number} {word}" for word, number in counts.items())
    yield f"{len(found)} {'job' if len(found) == 1 else 'jobs'} in {study}: {numbers}"
    unended = [own for own in found if own.result is None or not own.result.has_ended]
    for (word, where), own in _groups(unended):
        yield f"{word} {where}".rstrip() + f": {_jobs(own)}{_progress(own)}"
    if best := best_of(Ranking(read(study)[0])) if any(study.rglob(RESULT)) else "":
        yield f"best so far: {best}" if unended else f"best: {best}"
    if any(not own.where or own.word == LOST for own in unended) and not _is_held(study):
        yield f"go on with: {resuming(study)}"


def stop(study: Path) -> str:
    """Ask all who train there to save and end, and take back what waits; says what was done."""
    found = standings(study)
    training = [own for own in found if own.word == Status.running]
    waiting = {own.task for own in found if own.task and own.queue and own not in training}
    if not training and not waiting and not _is_held(study):
        return f"nobody trains in {study}"
    (study / STOP).touch()
    for task in waiting:
        cancel_waiting(task, study)
    return f"asked {len(training)} of {len(found)} jobs to save and end"


def _groups(found: Sequence[Standing]) -> Iterator[tuple[tuple[str, str], list[Standing]]]:
    def kind(own: Standing) -> tuple[str, str]:
        return own.word, own.where

    for key, group in itertools.groupby(sorted(found, key=kind), kind):
        yield key, [*group]


def _jobs(group: Sequence[Standing]) -> str:
    numbers = [str(own.number) if own.number >= 0 else own.folder.name for own in group]
    return f"{'job' if len(group) == 1 else 'jobs'} {', '.join(numbers)}"


def _progress(group: Sequence[Standing]) -> str:
    """Of the one that has come least far."""
    begun = [own for own in group if own.result and own.word in (Status.running, LOST)]
    if not begun:
        return ""
    epochs = [(last_metrics(own.folder) or {"epoch": 0})["epoch"] for own in begun]
    wanted = max(own.result.config.get("num_epochs", 0) for own in begun if own.result)
    beats = [seconds_since(own.result.heartbeat or "") for own in begun if own.result]
    last = max(0.0, min(beats))
    seen = f", seen {duration(last)} ago" if math.isfinite(last) else ""
    return f", epoch {min(epochs)} of {wanted}{seen}"


def _is_held(study: Path) -> bool:
    if not (study / LOCK).exists():  # whoever only looks makes none
        return False
    try:
        with locked(study):
            return False
    except InUseError:
        return True


def study_at(text: Path) -> Path:
    study = entered(str(text))
    require(study.is_dir(), str(text), "it is the folder of a study")
    return study
