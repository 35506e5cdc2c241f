"""What a study will do: every job composed, checked, and given its folder and its stack.

What a job has come to is what its folder says; there is no other list of a study's jobs.
Imports no torch: a study is planned before anything slow begins.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from rnnlab._common.errors import ConfigError
from rnnlab.config.compose import job_folder, to_config
from rnnlab.config.identity import changed, config_id, differing, flat
from rnnlab.config.mistakes import explain
from rnnlab.config.schema import Config
from rnnlab.data.corpus import Corpus
from rnnlab.runs.folder import HYDRA, OVERRIDES, RESULT, number_of, overrides_of
from rnnlab.runs.result import Result
from rnnlab.studies.stacks import Job


@dataclass
class Invalid:
    """A job that cannot be trained, and why."""

    number: int
    overrides: tuple[str, ...]
    folder: Path
    mistake: str
    before: Result | None  # of a time when it could be

    def write(self) -> Result:
        """Leave in its folder why it was not trained, if it has never been."""
        result = Result.without_run(self.mistake)
        if self.before is None:
            (self.folder / HYDRA).mkdir(parents=True, exist_ok=True)
            overrides = OmegaConf.create(list(self.overrides))
            OmegaConf.save(overrides, self.folder / OVERRIDES)
            result.write(self.folder)
        return result


@dataclass
class Plan:
    """A batch of jobs, in the order of their overrides."""

    rows: list[tuple[tuple[str, ...], Job | Invalid]]  # a duplicate has its original's Job
    composed: dict[Path, DictConfig]  # by the job's folder
    parts: dict[Path, tuple[DictConfig, DictConfig]] = field(default_factory=dict)

    @property
    def jobs(self) -> list[Job]:
        """Without duplicates and invalid ones."""
        found = {job.folder: job for _, job in self.rows if isinstance(job, Job)}
        return list(found.values())

    def with_swept(self) -> Plan:
        """Every job knows what the jobs differ in."""
        swept = tuple(differing(flat(job.config.as_dict()) for job in self.jobs))
        known = {job.folder: replace(job, swept=swept) for job in self.jobs}
        rows = [(overrides, known.get(job.folder, job)) for overrides, job in self.rows]
        return Plan(rows, self.composed)

    def split(self, job: Job) -> tuple[DictConfig, DictConfig]:
        """The job's own config, and Hydra's."""
        if job.folder not in self.parts:
            whole = self.composed[job.folder]
            self.parts[job.folder] = without_hydra(whole), OmegaConf.masked_copy(whole, "hydra")
        return self.parts[job.folder]

    @property
    def invalid(self) -> list[Invalid]:
        return [job for _, job in self.rows if isinstance(job, Invalid)]


def plan(
    sweep: Path,
    first: int,
    job_overrides: Sequence[Sequence[str]],
    compose: Callable[[Sequence[str]], DictConfig],
    corpus_of: Callable[[Config], Corpus],
    configs: Mapping[tuple[str, ...], Config],
) -> Plan:
    """Every job with its folder; raises ConfigError where the folder's jobs were defined otherwise.

    `configs` are those that are known already. corpus_of raises ConfigError for an invalid job.
    New jobs are numbered from `first`, or after those that the folder has; so are duplicates,
    which have no folder of their own.
    """
    there = Folders(sweep)
    number = max(first, there.next_number)
    made, known, refused = Plan([], {}), dict[tuple[str, int], Job](), list[str]()
    for overrides, own in zip(map(tuple, job_overrides), changed(job_overrides), strict=True):
        dirname = own.replace(" ", ",")
        folder = there.by_overrides.get(overrides)
        try:
            whole = compose(overrides)
            config = configs.get(overrides) or to_config(without_hydra(whole))
            corpus = corpus_of(config)
        except (ConfigError, HydraException, OmegaConfBaseException) as error:
            before = there.results.get(folder) if folder else None
            folder = folder or sweep / job_folder(number, dirname)
            mistake = explain(error, list(overrides))
            own_number = number_of(folder, number)
            made.rows.append((overrides, Invalid(own_number, overrides, folder, mistake, before)))
            number += folder not in there.results
            continue
        identity = (config_id(config, corpus.sha256), config.num_epochs)
        folder = there.by_identity.get(identity) or folder
        if identity not in known:
            before = there.results[folder] if folder else None
            if before and before.config_id != identity[0]:
                differences = "; ".join(before.differences_to(config, corpus.sha256))
                refused.append(f"{folder} was trained as another experiment ({differences})")
            folder = folder or sweep / _folder_name(whole, number, dirname)
            own_number = number_of(folder, number)
            job = Job(own_number, overrides, config, corpus, folder, before=before)
            _address(whole, job)
            known[identity], made.composed[folder] = job, whole
        made.rows.append((overrides, known[identity]))
        number += folder not in there.results
    if refused:
        raise ConfigError(
            "\n".join(refused) + "\nPut back what was changed, or begin another: sweep=FOLDER."
        )
    return made.with_swept()


class Folders:
    """The jobs that a study's folder has already."""

    def __init__(self, sweep: Path) -> None:
        self.results: dict[Path, Result | None] = {}  # None: nothing came of it yet
        self.by_identity: dict[tuple[str, int], Path] = {}
        self.by_overrides: dict[tuple[str, ...], Path] = {}
        folders = {path.parents[1] for path in sweep.rglob(OVERRIDES)}
        for folder in sorted(folders, key=lambda folder: (number_of(folder, -1), folder)):
            try:
                has_begun = (folder / RESULT).exists()
                result = Result.read(folder) if has_begun else None
            except ConfigError as error:
                print(f"left alone: {error}", file=sys.stderr)
                continue
            was_valid = result is not None and bool(result.config)
            self.results[folder] = result if was_valid else None
            overrides = overrides_of(folder)
            if overrides is not None:
                self.by_overrides[overrides] = folder
            if result and was_valid:
                self.by_identity[_identity(result)] = folder
        self.next_number = max((number_of(folder, -1) for folder in folders), default=-1) + 1


def _identity(result: Result) -> tuple[str, int]:
    return result.config_id, int(result.config.get("num_epochs", 0))


def without_hydra(whole: DictConfig) -> DictConfig:
    """A copy for the task."""
    task = copy.deepcopy(whole)
    with read_write(task), open_dict(task):
        del task["hydra"]
    return task


def _folder_name(whole: DictConfig, number: int, changed: str) -> str:
    """What hydra.sweep.subdir says for this job; it refers to hydra's own config by a resolver."""
    with read_write(whole.hydra), open_dict(whole.hydra):
        whole.hydra.job.num = whole.hydra.job.id = number
        whole.hydra.job.override_dirname = changed
    before = HydraConfig.instance().cfg
    HydraConfig.instance().cfg = cast(Any, whole)
    try:
        return str(OmegaConf.select(whole, "hydra.sweep.subdir"))
    finally:
        HydraConfig.instance().cfg = before


def _address(whole: DictConfig, job: Job) -> None:
    """The job's number and folder, in the config that is saved there."""
    with read_write(whole.hydra), open_dict(whole.hydra):
        whole.hydra.job.num = whole.hydra.job.id = job.number
        whole.hydra.sweep.subdir = job.folder.name
        whole.hydra.runtime.output_dir = str(job.folder.absolute())
