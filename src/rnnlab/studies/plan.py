"""What a study will do: every job that was asked for, with its number and its folder.

What a job has come to is what its folder says; there is no other list of a study's jobs.
Imports no torch: a study is planned before anything slow begins.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence, Set
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

from rnnlab._common.console import complain
from rnnlab._common.errors import ConfigError, require
from rnnlab.config.identity import (
    LENGTH,
    changed,
    config_id,
    differing,
    flat,
    is_free,
    settings_of,
)
from rnnlab.config.schema import Config
from rnnlab.config.stored import PATHS, merged, with_paths
from rnnlab.config.stored import changed as with_changes
from rnnlab.config.words import key_of
from rnnlab.runs.folder import OVERRIDES, RESULT, job_number, number_of, overrides_of
from rnnlab.runs.result import Result
from rnnlab.studies.command import Change
from rnnlab.studies.job import Asked, Identity, Invalid, Job, Mistaken, identity

Name = Callable[[tuple[str, ...], int, str], str]  # overrides, number, what is its own -> a folder
SUBDIR = "leave out hydra.sweep.subdir, or put ${hydra.job.num} into it"


Row = tuple[tuple[str, ...], Job | Invalid]  # overrides; a duplicate has its original's Job


@dataclass
class Plan:
    """A batch of jobs, in the order of their overrides."""

    rows: list[Row]
    swept: list[str] = field(default_factory=list)  # what all jobs of the study differ in
    told: dict[Path, list[str]] = field(default_factory=dict)  # and what those there say of it

    @property
    def all(self) -> list[Job | Invalid]:
        """Without duplicates."""
        return list({job.folder: job for _, job in self.rows}.values())

    @property
    def jobs(self) -> list[Job]:
        return [job for job in self.all if isinstance(job, Job)]

    @property
    def invalid(self) -> list[Invalid]:
        return [job for job in self.all if isinstance(job, Invalid)]

    @property
    def wanted(self) -> list[Job]:
        """Those that are not done yet."""
        return [job for job in self.jobs if not job.is_done]

    def statuses(self) -> list[str]:
        """What has become of the jobs, as their folders say."""
        results = [Result.find(job.folder) for job in self.jobs]
        return [result.status if result else "not ended" for result in results]


@dataclass(frozen=True)
class Going:
    """How a study goes on with the jobs that its folder has."""

    listed: Sequence[str] = ()  # names that the command gives several values: compared, if free
    changes: Sequence[Change] = ()  # of its jobs since the command was noted
    typed: Change | None = None  # and now
    is_stored: bool = False  # the command is the folder's own


def plan(
    sweep: Path, first: int, asked: Sequence[Asked | Mistaken], name: Name, going: Going
) -> Plan:
    """Every job with its folder; raises ConfigError where the folder's jobs were defined otherwise.

    New jobs are numbered from `first`, or after those that the folder has; so are duplicates,
    which have no folder of their own.
    """
    there, rows = Folders(sweep), list[Row]()
    if going.typed:
        there.require_changeable(going.typed)
    there.compare(_compared(asked, going.listed))
    number, known = max(first, there.next_number), dict[Identity, Job | Invalid]()
    own = changed([*(job.overrides for job in asked), *there.by_overrides])
    for job, what in zip(asked, own, strict=False):
        key = job.identity(there.compared)
        if key not in known:
            known[key] = _placed(job, number, what, there, name, going)
        rows.append((job.overrides, known[key]))
        number += known[key].folder not in there.results
    _refuse_other_experiments(known.values())
    _refuse_shared_folders(known.values())
    return _compared_with(there, rows)


def _compared_with(there: Folders, rows: list[Row]) -> Plan:
    """Every job knows what the study's jobs differ in, these and those of other commands."""
    results = {folder: result for folder, result in there.results.items() if result}
    settings = {folder: settings_of(result.config) for folder, result in results.items()}
    jobs = {job.folder: job for _, job in rows if isinstance(job, Job)}
    settings |= {folder: settings_of(job.config.as_dict()) for folder, job in jobs.items()}
    swept = differing(settings.values())
    known = {folder: replace(job, swept=tuple(swept)) for folder, job in jobs.items()}
    told = {folder: result.swept for folder, result in results.items()}
    return Plan([(overrides, known.get(job.folder, job)) for overrides, job in rows], swept, told)


def _compared(asked: Sequence[Asked | Mistaken], listed: Sequence[str]) -> list[str]:
    """What makes two jobs of one experiment two: how long, and what was asked to be compared."""
    differ = differing(job.settings for job in asked if isinstance(job, Asked))
    return list(dict.fromkeys([*LENGTH, *filter(is_free, [*listed, *differ])]))


def _placed(
    job: Asked | Mistaken, number: int, what: str, there: Folders, name: Name, going: Going
) -> Job | Invalid:
    config = _as_changed(job.config, going.changes) if isinstance(job, Asked) else None
    folder = there.of(job, config)
    if folder is None:
        folder = there.sweep / name(job.overrides, number, what)
        _require_new(folder, f"job {number} ({what})", there)
    _require_no_link(folder, there.sweep)
    before, number = there.results.get(folder), there.numbers.get(folder, number)
    if isinstance(job, Mistaken):
        return Invalid(number, job.overrides, folder, job.mistake, before)
    assert config
    if before:
        config = before.kept_in(config, going.is_stored)
    config = _as_changed(config, [going.typed] if going.typed else [])
    return Job(number, _as_trained(job, config), config, job.corpus, folder, before=before)


def _as_changed(config: Config, changes: Sequence[Change]) -> Config:
    for change in changes:
        config = with_changes(config, change.values, change.home)
    return config


def _as_trained(job: Asked, config: Config) -> tuple[str, ...]:
    """Its overrides, with what was changed of it, and paths that are seen from everywhere."""
    new = flat(config.as_dict())
    names = [name for name, value in new.items() if value != job.settings[name]]
    return tuple(with_paths(merged(job.overrides, config, names), config))


def _essential(overrides: Sequence[str]) -> tuple[str, ...]:
    """Without those that may have been changed since."""
    names = {word: key_of(word) for word in overrides}
    return tuple(word for word, name in names.items() if name in PATHS or not is_free(name))


def _require_new(folder: Path, job: str, there: Folders) -> None:
    """Nothing of another job is below the folder that a new job is to have."""
    place, home = Path(os.path.normpath(folder)), Path(os.path.normpath(there.sweep))
    rule = "hydra.sweep.subdir has to name a folder in the study's"
    require(home in place.parents, f"training {job} in {folder}", rule)
    require(
        folder not in there.results,
        f"training {job} in {folder}",
        f"it is another job's; {SUBDIR}",
    )


def _require_no_link(folder: Path, sweep: Path) -> None:
    """Whatever is to be made below the study's folder is made there."""
    for place in (folder, *folder.parents):
        if place == sweep:
            return
        require(not place.is_symlink(), f"training in {place}", "it is a link; remove it")


def _refuse_other_experiments(jobs: Iterable[Job | Invalid]) -> None:
    """A folder goes on with the experiment that it began with."""
    refused = [
        f"{job.folder} was trained as another experiment "
        f"({'; '.join(job.before.differences_to(job.config, job.corpus.sha256))})"
        for job in jobs
        if isinstance(job, Job) and job.before
        if job.before.config_id != config_id(job.config, job.corpus.sha256)
    ]
    if refused:
        raise ConfigError(
            "\n".join(refused) + "\nPut back what was changed, or begin another: sweep=FOLDER."
        )


def _refuse_shared_folders(jobs: Iterable[Job | Invalid]) -> None:
    """Raise ConfigError where two jobs would have one folder."""
    given, first = list(jobs), dict[Path, tuple[Job | Invalid, str]]()
    own = changed([job.overrides for job in given])
    for job, what in zip(given, own, strict=True):
        other, others = first.setdefault(job.folder, (job, what))
        require(
            job is other,
            f"training job {other.number} ({others}) and job {job.number} ({what}) in {job.folder}",
            f"each needs a folder of its own; {SUBDIR}",
        )


class Folders:
    """The jobs that a study's folder has already."""

    def __init__(self, sweep: Path) -> None:
        self.sweep = sweep
        self.results: dict[Path, Result | None] = {}  # None: nothing came of it yet
        self.numbers: dict[Path, int] = {}
        self.by_overrides: dict[tuple[str, ...], Path] = {}
        self.compared: list[str] = []
        self.by_identity: dict[Identity, Path] = {}
        folders = {path.parents[1] for path in sweep.rglob(OVERRIDES)}
        for folder in sorted(folders, key=lambda folder: (number_of(folder, -1), folder)):
            try:
                self._add(folder)
            except ConfigError as error:
                complain(f"left alone: {error}")
        self._number(folders)
        self.next_number = max(self.numbers.values(), default=-1) + 1

    def _add(self, folder: Path) -> None:
        """Raises ConfigError where its result cannot be read."""
        result = Result.read(folder) if (folder / RESULT).exists() else None
        self.results[folder] = result if result and result.config else None
        overrides = overrides_of(folder)
        if overrides is not None:
            self.by_overrides[overrides] = folder

    def _number(self, folders: Set[Path]) -> None:
        """As their names or Hydra's file say; of the others nothing came yet: what is left."""
        told = {folder: job_number(folder) for folder in sorted(folders)}
        for folder, number in told.items():
            if number is not None and number not in self.numbers.values():
                self.numbers[folder] = number
        free = (number for number in count() if number not in self.numbers.values())
        self.numbers |= {folder: next(free) for folder in told if folder not in self.numbers}

    def compare(self, names: list[str]) -> None:
        """Jobs are the same if these values are; what a job is now comes before what it was."""
        self.compared = names
        found = [(folder, result) for folder, result in self.results.items() if result]
        for folder, result in found:
            for settings in result.settings_before():
                self.by_identity[identity(result.config_id, settings, names)] = folder
        for folder, result in found:
            self.by_identity[identity(result.config_id, result.settings, names)] = folder

    def of(self, job: Asked | Mistaken, config: Config | None) -> Path | None:
        """The folder of this job, whatever it is called; None of a new one.

        `config` is the job's with what was changed since it was asked for.
        """
        if isinstance(job, Mistaken):
            like = {_essential(words): folder for words, folder in self.by_overrides.items()}
            return self.by_overrides.get(job.stored) or like.get(_essential(job.stored))
        assert config
        same = self.by_identity.get(job.identity(self.compared))
        changed = self.by_overrides.get(_as_trained(job, config))
        return same or self.by_overrides.get(job.overrides) or changed

    def require_changeable(self, change: Change) -> None:
        """Raise ConfigError where a job could not go on so."""
        num_epochs = change.values.get("num_epochs")
        for folder, result in self.results.items():
            if result and type(num_epochs) is int:
                rule = f"{folder} has completed {result.epochs} epochs"
                require(result.epochs <= num_epochs, f"num_epochs={num_epochs}", rule)
