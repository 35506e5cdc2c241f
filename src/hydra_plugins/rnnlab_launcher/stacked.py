"""The border between Hydra's sweepers and rnnlab's studies.

Hydra executes this at every start, so it imports nothing that takes time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn, configure_log, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf

from rnnlab.config.backends import BACKENDS, RaySettings, SlurmSettings

if TYPE_CHECKING:
    from rnnlab.cli.task import Task


@dataclass
class StackedLauncherConf:
    _target_: str = "hydra_plugins.rnnlab_launcher.stacked.StackedLauncher"
    workers: int | None = None  # processes; null: one for each core, or for each GPU
    lanes: int | None = None  # at most this many in a stack; null: what was measured to be fast
    backend: str = "local"  # slurm or ray, whose tasks wait in a queue
    slurm: SlurmSettings = field(default_factory=SlurmSettings)
    ray: RaySettings = field(default_factory=RaySettings)


ConfigStore.instance().store(
    group="hydra/launcher", name="stacked", node=StackedLauncherConf, provider="rnnlab"
)


class StackedLauncher(Launcher):
    """Trains rnnlab's jobs together; any other task function runs as with Hydra's own launcher."""

    def __init__(
        self,
        workers: int | None = None,
        lanes: int | None = None,
        backend: str = "local",
        **_: object,
    ) -> None:
        """The backends' own settings are read from the config."""
        self.workers, self.lanes, self.backend = workers, lanes, backend

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        from rnnlab.cli.task import Task

        if isinstance(self.task_function, Task):
            return self._launch(self.task_function, job_overrides, initial_job_idx)
        from rnnlab.config._hydra import BasicLauncher

        basic = BasicLauncher()
        basic.setup(
            hydra_context=self.hydra_context, task_function=self.task_function, config=self.config
        )
        return basic.launch(job_overrides, initial_job_idx)

    def _launch(
        self, task: "Task", job_overrides: Sequence[Sequence[str]], first: int
    ) -> list[JobReturn]:
        """A batch becomes a study, and JobReturns again, in the order of the overrides."""
        from rnnlab._common.errors import require
        from rnnlab.cli.records import HydraRecords
        from rnnlab.studies.launch import Batch, launch

        for name, value in (("workers", self.workers), ("lanes", self.lanes)):
            rule = "it is at least 1"
            require(value is None or value >= 1, f"hydra.launcher.{name}={value}", rule)
        setup_globals()
        configure_log(self.config.hydra.hydra_logging, self.config.hydra.verbose)
        sweep = Path(str(self.config.hydra.sweep.dir))
        records = HydraRecords(task, self.hydra_context, self.config)
        asked, limits = task.asked(job_overrides, first), (self.workers, self.lanes)
        rule = f"it is one of {', '.join(BACKENDS)}"
        require(self.backend in BACKENDS, f"hydra.launcher.backend={self.backend}", rule)
        settings = self.config.hydra.launcher.get(self.backend)
        batch = Batch(
            *(sweep, first, asked, task.command, task.listed, *limits),
            backend=self.backend,
            settings=OmegaConf.to_object(settings) if settings else None,
            is_search=task.search is not None,
        )
        planned = launch(batch, records)
        task.statuses += [*planned.statuses(), *("invalid" for _ in planned.invalid)]
        returned = {job.folder: records.end(overrides, job) for overrides, job in planned.rows}
        return [returned[job.folder] for _, job in planned.rows]
