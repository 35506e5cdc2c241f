"""What a study will do: every job composed, checked, and given its folder and its stack.

What a job has come to is what its folder says; there is no other list of a study's jobs.
Imports no torch: a study is planned before anything slow begins.
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from rnnlab.config import Config, ConfigError, config_id
from rnnlab.corpus import Corpus
from rnnlab.explain import explain
from rnnlab.results import Result
from rnnlab.schema import job_folder, to_config
from rnnlab.settings import differing, flat
from rnnlab.stacking import Job


@dataclass
class Invalid:
    """A job that cannot be trained, and why."""

    number: int
    overrides: tuple[str, ...]
    folder: Path
    mistake: str

    def write(self) -> Result:
        """Leave in its folder why it was not trained; there is nothing else to say of it."""
        result = Result(
            status="failed",
            error=self.mistake,
            process=os.getpid(),
            device="none",
            engine="none",
            precision="none",
            seed=0,
            dataset={},
            config={},
            config_id="",
            versions={},
            git=None,
            host={},
        )
        (self.folder / ".hydra").mkdir(parents=True, exist_ok=True)
        OmegaConf.save(
            OmegaConf.create(list(self.overrides)), self.folder / ".hydra" / "overrides.yaml"
        )
        result.write(self.folder)
        return result


@dataclass
class Plan:
    """A batch of jobs, in the order of their overrides."""

    rows: list[tuple[tuple[str, ...], Job | Invalid]]  # a duplicate has its original's Job
    composed: dict[int, DictConfig]  # by the job's number
    parts: dict[int, tuple[DictConfig, DictConfig]] = field(default_factory=dict)

    @property
    def jobs(self) -> list[Job]:
        """Without duplicates and invalid ones."""
        found = {job.number: job for _, job in self.rows if isinstance(job, Job)}
        return list(found.values())

    def with_swept(self) -> Plan:
        """Every job knows what the jobs differ in."""
        swept = tuple(differing(flat(job.config.as_dict()) for job in self.jobs))
        known = {job.number: replace(job, swept=swept) for job in self.jobs}
        rows = [(overrides, known.get(job.number, job)) for overrides, job in self.rows]
        return Plan(rows, self.composed)

    def split(self, job: Job) -> tuple[DictConfig, DictConfig]:
        """The job's own config, and Hydra's."""
        if job.number not in self.parts:
            whole = self.composed[job.number]
            self.parts[job.number] = without_hydra(whole), OmegaConf.masked_copy(whole, "hydra")
        return self.parts[job.number]

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

    New jobs are numbered from `first`, or after those that the folder has.
    """
    found = _found(sweep)
    by_identity = {
        _identity(result): folder for folder, result in found.items() if result and result.config
    }
    by_overrides = {overrides_of(folder): folder for folder in found}
    number = max(first, _next_number(sweep))
    common = set.intersection(*map(set, job_overrides))
    made, known, refused = Plan([], {}), dict[tuple[str, int], Job](), list[str]()
    for overrides in map(tuple, job_overrides):
        changed = ",".join([o for o in overrides if o not in common] or overrides)
        folder = by_overrides.get(overrides)
        try:
            whole = compose(overrides)
            config = configs.get(overrides) or to_config(without_hydra(whole))
            corpus = corpus_of(config)
        except (ConfigError, HydraException, OmegaConfBaseException) as error:
            folder = folder or sweep / job_folder(number, changed)
            mistake = explain(error, list(overrides))
            made.rows.append((overrides, Invalid(_number(folder), overrides, folder, mistake)))
            number += folder not in found
            continue
        identity = (config_id(config, corpus.sha256), config.num_epochs)
        folder = by_identity.get(identity) or folder
        if identity not in known:
            before = found[folder] if folder else None
            if before and not before.config:
                before = None  # it was not valid then
            if before and _identity(before) != identity:
                differences = "; ".join(before.differences_to(config, corpus.sha256))
                refused.append(f"{folder} was trained as another experiment ({differences})")
            folder = folder or sweep / _folder_name(whole, number, changed)
            job = Job(
                _number(folder), overrides, config, corpus, folder, identity[0], before=before
            )
            _address(whole, job)
            known[identity], made.composed[job.number] = job, whole
        made.rows.append((overrides, known[identity]))
        number += folder not in found
    if refused:
        raise ConfigError(
            "\n".join(refused) + "\nPut back what was changed, or begin another: sweep=FOLDER."
        )
    return made.with_swept()


def _found(sweep: Path) -> dict[Path, Result | None]:
    """The jobs that a study's folder has already, and what each of them has come to."""
    found: dict[Path, Result | None] = {}
    for folder in sorted(sweep.glob("[0-9]*_*/"), key=_number):
        try:
            has_begun = (folder / "result.json").exists()
            found[folder] = Result.read(folder) if has_begun else None
        except ConfigError as error:
            print(f"left alone: {error}", file=sys.stderr)
    return found


def _identity(result: Result) -> tuple[str, int]:
    return result.config_id, int(result.config.get("num_epochs", 0))


def overrides_of(folder: Path) -> tuple[str, ...]:
    """The overrides that a job's folder was made with; nothing where that cannot be read."""
    try:
        return tuple(map(str, OmegaConf.load(folder / ".hydra" / "overrides.yaml")))
    except OSError:
        return ()


def _number(folder: Path) -> int:
    number = folder.name.partition("_")[0]
    return int(number) if number.isdecimal() else -1


def _next_number(sweep: Path) -> int:
    return max((_number(path) for path in sweep.glob("*/")), default=-1) + 1


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
