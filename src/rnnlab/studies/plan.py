"""What a study will do: every job that was asked for, with its number and its folder.

What a job has come to is what its folder says; there is no other list of a study's jobs.
Imports no torch: a study is planned before anything slow begins.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rnnlab._common.console import complain
from rnnlab._common.errors import ConfigError, require
from rnnlab.config.identity import changed, config_id, differing, flat
from rnnlab.runs.folder import OVERRIDES, RESULT, number_of, overrides_of
from rnnlab.runs.result import Result, Status
from rnnlab.studies.job import Asked, Invalid, Job, Mistaken

Name = Callable[[tuple[str, ...], int, str], str]  # overrides, number, what is its own -> a folder


@dataclass
class Plan:
    """A batch of jobs, in the order of their overrides."""

    rows: list[tuple[tuple[str, ...], Job | Invalid]]  # a duplicate has its original's Job

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
        """What has become of them, as their folders say."""
        results = [Result.find(job.folder) for job in self.jobs]
        said = [result.status if result else "not ended" for result in results]
        return said + [Status.failed for _ in self.invalid]

    def with_swept(self) -> Plan:
        """Every job knows what the jobs differ in."""
        found = differing(flat(job.config.as_dict()) for job in self.jobs)
        swept = tuple(name for name in found if name != "init_sha256")  # comes with init_from
        known = {job.folder: replace(job, swept=swept) for job in self.jobs}
        return Plan([(overrides, known.get(job.folder, job)) for overrides, job in self.rows])


def plan(sweep: Path, first: int, asked: Sequence[Asked | Mistaken], name: Name) -> Plan:
    """Every job with its folder; raises ConfigError where the folder's jobs were defined otherwise.

    New jobs are numbered from `first`, or after those that the folder has; so are duplicates,
    which have no folder of their own.
    """
    there, rows = Folders(sweep), list[tuple[tuple[str, ...], Job | Invalid]]()
    number, known = max(first, there.next_number), dict[tuple[str | int, ...], Job | Invalid]()
    own = changed([job.overrides for job in asked])
    for job, what in zip(asked, own, strict=True):
        if job.identity not in known:
            folder = there.of(job) or sweep / name(job.overrides, number, what)
            known[job.identity] = _placed(job, number, folder, there)
        rows.append((job.overrides, known[job.identity]))
        number += known[job.identity].folder not in there.results
    _refuse_other_experiments(known.values())
    return Plan(rows).with_swept()


def _placed(job: Asked | Mistaken, number: int, folder: Path, there: Folders) -> Job | Invalid:
    _require_no_link(folder, there.sweep)
    before, number = there.results.get(folder), number_of(folder, number)
    if isinstance(job, Mistaken):
        return Invalid(number, job.overrides, folder, job.mistake, before)
    return Job(number, job.overrides, job.config, job.corpus, folder, before=before)


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


class Folders:
    """The jobs that a study's folder has already."""

    def __init__(self, sweep: Path) -> None:
        self.sweep = sweep
        self.results: dict[Path, Result | None] = {}  # None: nothing came of it yet
        self.by_identity: dict[tuple[str, int], Path] = {}
        self.by_overrides: dict[tuple[str, ...], Path] = {}
        folders = {path.parents[1] for path in sweep.rglob(OVERRIDES)}
        for folder in sorted(folders, key=lambda folder: (number_of(folder, -1), folder)):
            try:
                self._add(folder)
            except ConfigError as error:
                complain(f"left alone: {error}")
        self.next_number = max((number_of(folder, -1) for folder in folders), default=-1) + 1

    def _add(self, folder: Path) -> None:
        """Raises ConfigError where its result cannot be read."""
        result = Result.read(folder) if (folder / RESULT).exists() else None
        was_valid = result is not None and bool(result.config)
        self.results[folder] = result if was_valid else None
        overrides = overrides_of(folder)
        if overrides is not None:
            self.by_overrides[overrides] = folder
        if result and was_valid:
            identity = result.config_id, int(result.config.get("num_epochs", 0))
            self.by_identity[identity] = folder

    def of(self, job: Asked | Mistaken) -> Path | None:
        """The folder of this job, whatever it is called; None of a new one."""
        same = self.by_identity.get(job.identity) if isinstance(job, Asked) else None
        return same or self.by_overrides.get(job.overrides)
