"""Hydra's side of a study's jobs: what it names, saves and tells of each."""

from __future__ import annotations

import math
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus
from hydra.errors import HydraException
from hydra.types import HydraContext
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rnnlab.cli.task import Task
from rnnlab.config._hydra import seen_by_resolvers
from rnnlab.config.compose import job_folder, without_hydra
from rnnlab.runs.result import Result, Status
from rnnlab.studies.job import Invalid, Job


class HydraRecords:
    """Records of a study, and JobReturns for its sweeper."""

    def __init__(self, task: Task, context: HydraContext) -> None:
        self.task, self.context = task, context

    def folder_name(self, overrides: tuple[str, ...], number: int, own: str) -> str:
        """hydra.sweep.subdir, where a job's overrides are those that it does not share."""
        try:
            whole = self._numbered(overrides, number)
        except (HydraException, OmegaConfBaseException):  # not even a folder's name
            return job_folder(number, own.split())
        OmegaConf.update(whole, "hydra.overrides.task", own.split(), merge=False)
        return str(OmegaConf.select(seen_by_resolvers(whole), "hydra.sweep.subdir"))

    def begin(self, job: Job) -> dict[str, str]:
        """config.yaml and hydra.yaml, as Hydra saves them for a job of its own launcher."""
        whole = self._whole(job)
        self.context.callbacks.on_job_start(config=whole, task_function=self.task)
        hydras = OmegaConf.masked_copy(whole, "hydra")
        return {
            "hydra.yaml": OmegaConf.to_yaml(hydras),
            "config.yaml": OmegaConf.to_yaml(without_hydra(whole)),
        }

    def end(self, overrides: tuple[str, ...], job: Job | Invalid) -> JobReturn:
        """What a sweeper minimises; infinite for a job that came to nothing."""
        result = Result.find(job.folder)
        figure = result.figure if result and result.status == Status.completed else None
        returned = JobReturn(overrides=overrides, working_dir=str(Path.cwd()))
        returned.return_value = math.inf if figure is None else figure
        returned.status = JobStatus.COMPLETED
        if isinstance(job, Job):
            whole = self._whole(job)
            returned.cfg = without_hydra(whole)
            returned.hydra_cfg = OmegaConf.masked_copy(whole, "hydra")
            returned.task_name = whole.hydra.job.name
            self.context.callbacks.on_job_end(config=whole, job_return=returned)
        return returned

    def _numbered(self, overrides: tuple[str, ...], number: int) -> DictConfig:
        whole = self.task.composer.whole(overrides)
        OmegaConf.update(whole, "hydra.job.num", number)
        OmegaConf.update(whole, "hydra.job.id", str(number))
        return whole

    def _whole(self, job: Job) -> DictConfig:
        """The job's config with its number and its folder."""
        whole = self._numbered(job.overrides, job.number)
        OmegaConf.update(whole, "hydra.sweep.dir", str(job.folder.parent))
        OmegaConf.update(whole, "hydra.sweep.subdir", job.folder.name)
        OmegaConf.update(whole, "hydra.runtime.output_dir", str(job.folder.absolute()))
        return seen_by_resolvers(whole)
