"""hydra/sweeper=grid: a job for every combination of the values given; again: those that are there.

As Hydra's basic sweeper, which composes every job to see whether it can be: rnnlab has composed
them already. As with stacked.py, nothing here takes time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, OmegaConf


@dataclass
class GridSweeperConf:
    _target_: str = "hydra_plugins.rnnlab_launcher.grid.GridSweeper"
    max_batch_size: int | None = None  # jobs that the launcher is given at once; null: all
    params: dict[str, str] | None = None  # a sweep in a file: lr: 1,2
    rows: list[list[str]] | None = None  # jobs=FILE, zip(...): the overrides of each row


store = ConfigStore.instance().store
store(group="hydra/sweeper", name="grid", node=GridSweeperConf, provider="rnnlab")
again = {"_target_": "hydra_plugins.rnnlab_launcher.grid.AgainSweeper"}  # beside another's values
store(group="hydra/sweeper", name="again", node=again, provider="rnnlab")


class OurSweeper(Sweeper):
    """What ours have in common."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.hydra_context, self.config = hydra_context, config
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=hydra_context, task_function=task_function, config=config
        )

    def note(self) -> None:
        """multirun.yaml in the study's folder; hydra/launcher=stacked does it once it trains."""
        from rnnlab._common.files import make_folder, write_whole

        assert self.config is not None
        # by its name: Hydra has loaded the plugin's module anew, and its classes are others
        if "StackedLauncher" not in str(self.config.hydra.launcher._target_):
            folder = Path(str(self.config.hydra.sweep.dir))
            make_folder(folder)
            write_whole(folder, "multirun.yaml", OmegaConf.to_yaml(self.config))


class GridSweeper(OurSweeper):
    """Hands all combinations to the launcher, the last name's values changing fastest."""

    def __init__(
        self,
        max_batch_size: int | None = None,
        params: dict[str, str] | None = None,
        rows: Sequence[Sequence[str]] | None = None,
    ) -> None:
        self.max_batch_size, self.params = max_batch_size, params or {}
        self.rows = [[*row] for row in rows or ()]

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:
        from rnnlab._common.errors import require
        from rnnlab.config.grid import grid, require_lists

        assert self.launcher is not None
        given = [*(f"{name}={values}" for name, values in self.params.items()), *arguments]
        require_lists(given)
        size = self.max_batch_size
        rule = "it is at least 1"
        require(size is None or size >= 1, f"hydra.sweeper.max_batch_size={size}", rule)
        jobs = grid(given, self.rows)
        self.note()
        returns, size = [], size or len(jobs)
        for first in range(0, len(jobs), size):
            returned = self.launcher.launch(jobs[first : first + size], initial_job_idx=first)
            for job in returned:
                _ = job.return_value  # raises what a job has raised
            returns.append(returned)
        return returns


class AgainSweeper(OurSweeper):
    """Hands the launcher the jobs that the study's folder has: a search is not searched again."""

    def __init__(self, **others: object) -> None:
        """`others` are the values of the sweeper that it stands for."""

    def sweep(self, arguments: list[str]) -> list[Sequence[JobReturn]]:  # noqa: ARG002
        from rnnlab.studies.search import jobs_of

        assert self.config is not None and self.launcher is not None
        jobs = jobs_of(Path(str(self.config.hydra.sweep.dir)))
        return [self.launcher.launch(jobs, initial_job_idx=0)] if jobs else []
