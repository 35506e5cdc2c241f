"""The border between Hydra's sweepers and rnnlab's studies.

Hydra executes this at every start, so it imports nothing that takes time.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.utils import JobReturn
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig


@dataclass
class StackedLauncherConf:
    _target_: str = "hydra_plugins.rnnlab_launcher.stacked.StackedLauncher"
    workers: int | None = None  # processes; null: one for each core, or one on a GPU
    lanes: int | None = None  # at most this many in a stack; null: what was measured to be fast


ConfigStore.instance().store(
    group="hydra/launcher", name="stacked", node=StackedLauncherConf, provider="rnnlab"
)


class StackedLauncher(Launcher):
    """Trains rnnlab's jobs together; any other task function runs as with Hydra's own launcher."""

    def __init__(self, workers: int | None = None, lanes: int | None = None) -> None:
        self.workers, self.lanes = workers, lanes

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.hydra_context, self.task_function, self.config = hydra_context, task_function, config
        if self._jobs:
            from rnnlab.config.composing import StudyLoader

            self.loader = StudyLoader(hydra_context.config_loader)
            hydra_context.config_loader = cast(ConfigLoader, self.loader)  # the sweeper's too

    @property
    def _jobs(self) -> Any:
        """rnnlab's jobs, if the task is to train them."""
        owner = getattr(self.task_function, "__self__", None)
        entry = sys.modules.get("rnnlab.cli.train")
        return owner if entry and isinstance(owner, entry.Jobs) else None

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        if self._jobs:
            from rnnlab.studies.launch import launch

            return launch(self, self._jobs, job_overrides, initial_job_idx)
        from hydra._internal.core_plugins.basic_launcher import BasicLauncher

        basic = BasicLauncher()
        basic.setup(
            hydra_context=self.hydra_context, task_function=self.task_function, config=self.config
        )
        return basic.launch(job_overrides, initial_job_idx)
