"""Hydra's side of a study's jobs: what it names, saves and tells of each."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from rnnlab._common.files import write_whole
from rnnlab.cli.task import Task
from rnnlab.config._hydra import seen_by_resolvers
from rnnlab.config.compose import (
    as_saved,
    composed_from,
    contents,
    with_overrides,
    without_hydra,
)
from rnnlab.config.folder_names import job_folder
from rnnlab.config.words import as_override, key_of
from rnnlab.runs.result import Result, Status
from rnnlab.studies.job import Invalid, Job

OURS = "${rnnlab.job_folder:"  # conf/config.yaml's hydra.sweep.subdir begins with it


class HydraRecords:
    """Records of a study, and JobReturns for its sweeper.

    A config with Hydra's part takes ten times as long to copy as one without: it is made only where
    it is saved, or somebody looks at it.
    """

    def __init__(self, task: Task, context: HydraContext, config: DictConfig) -> None:
        self.task, self.context, self.config = task, context, config
        self.has_callbacks = bool(config.hydra.callbacks)

    def folder_name(self, overrides: tuple[str, ...], number: int, own: str) -> str:
        """hydra.sweep.subdir, where a job's overrides are those that it does not share."""
        try:
            if self.task.composer.unresolved(overrides, "hydra.sweep", "subdir").startswith(OURS):
                return job_folder(number, own.split())
            whole = self._numbered(overrides, number)
        except (HydraException, OmegaConfBaseException):  # not even a folder's name
            return job_folder(number, own.split())
        whole = seen_by_resolvers(with_overrides(whole, own.split()))
        return str(OmegaConf.select(whole, "hydra.sweep.subdir"))

    def note(self, sweep: Path, changed: Mapping[str, Any]) -> None:
        """multirun.yaml, as Hydra's own sweeper saves it."""
        whole = copy.deepcopy(self.config)
        words = [as_override(name, value) for name, value in changed.items()]
        given = [word for word in whole.hydra.overrides.task if key_of(word) not in changed]
        with read_write(whole), read_write(whole.hydra.overrides), open_dict(whole):
            for name, value in changed.items():
                OmegaConf.update(whole, name, value)
            whole.hydra.overrides.task = [*given, *words]
        write_whole(sweep, "multirun.yaml", OmegaConf.to_yaml(whole))

    def begin(self, job: Job) -> dict[str, str]:
        """config.yaml and hydra.yaml, as Hydra saves them for a job of its own launcher."""
        composer = self.task.composer
        hydras = composer.hydras(job.overrides)
        saved = contents(hydras)
        for name, value in (composed_from(hydras, job.overrides) | _place(job)).items():
            part, key = name.split(".")
            saved[part][key] = value
        if self.has_callbacks:
            whole = seen_by_resolvers(self._whole(job))
            self.context.callbacks.on_job_start(config=whole, task_function=self.task)
        return as_saved(composer.task(job.overrides), saved, job.config)

    def end(self, overrides: tuple[str, ...], job: Job | Invalid) -> JobReturn:
        """What a sweeper minimises; infinite for a job that came to nothing."""
        result = Result.find(job.folder)
        figure = result.figure if result and result.status == Status.completed else None
        returned = JobReturn(overrides=overrides, working_dir=str(Path.cwd()))
        returned.return_value = math.inf if figure is None else figure
        returned.status = JobStatus.COMPLETED
        if self.has_callbacks and isinstance(job, Job):
            whole = seen_by_resolvers(self._whole(job))
            returned.cfg = without_hydra(whole)
            returned.hydra_cfg = OmegaConf.masked_copy(whole, "hydra")
            returned.task_name = whole.hydra.job.name
            self.context.callbacks.on_job_end(config=whole, job_return=returned)
        return returned

    def _numbered(self, overrides: tuple[str, ...], number: int) -> DictConfig:
        return _with(_number(number), self.task.composer.whole(overrides))

    def _whole(self, job: Job) -> DictConfig:
        """The job's config with its number and its folder."""
        return _with(_place(job), self.task.composer.whole(job.overrides))


def _number(number: int) -> dict[str, Any]:
    """What Hydra's part says of a job's number, by the names in it."""
    return {"job.num": number, "job.id": str(number)}


def _place(job: Job) -> dict[str, Any]:
    """And of its folder."""
    return _number(job.number) | {
        "sweep.dir": str(job.folder.parent),
        "sweep.subdir": job.folder.name,
        "runtime.output_dir": str(job.folder.absolute()),
    }


def _with(values: Mapping[str, Any], whole: DictConfig) -> DictConfig:
    for name, value in values.items():
        OmegaConf.update(whole, f"hydra.{name}", value)
    return whole
