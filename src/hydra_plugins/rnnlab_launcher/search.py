"""hydra/sweeper=optuna: Optuna draws trials, and is told what came of them.

With the settings of Hydra's own plugin, which needs Optuna 2 where Hydra is 1.3. Samplers have a
seed, so a study that goes on draws the trials that it has, finds them done, and draws the next.
As with stacked.py, nothing here takes time before there is a sweep.
"""

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep
from omegaconf import MISSING, DictConfig, OmegaConf

from hydra_plugins.rnnlab_launcher.grid import OurSweeper

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.distributions import BaseDistribution

Direction = Literal["minimize", "maximize"]


@dataclass
class OptunaSweeperConf:
    defaults: list[Any] = field(default_factory=lambda: [{"sampler": "tpe"}])
    _target_: str = "hydra_plugins.rnnlab_launcher.search.OptunaSweeper"
    sampler: Any = MISSING
    direction: str = "minimize"
    n_trials: int = 20
    n_jobs: int = 2  # trials that are drawn, and trained, together
    params: dict[str, str] | None = None  # a search in a file: lr: interval(0.1,10)


@dataclass
class RandomSamplerConf:
    kind: str = "RandomSampler"  # of optuna.samplers
    seed: int = 0


@dataclass
class TPESamplerConf(RandomSamplerConf):
    """A tree-structured Parzen estimator, Bergstra et al. 2011."""

    kind: str = "TPESampler"
    n_startup_trials: int = 10  # drawn at random before it begins
    multivariate: bool = False  # settings are seen together


@dataclass
class CmaEsSamplerConf(RandomSamplerConf):
    """Hansen and Ostermeier 2001; of numbers."""

    kind: str = "CmaEsSampler"
    sigma0: float | None = None  # of the first steps; null: a sixth of the smallest range


SAMPLERS = {"random": RandomSamplerConf, "tpe": TPESamplerConf, "cmaes": CmaEsSamplerConf}
_store = ConfigStore.instance().store
_store(group="hydra/sweeper", name="optuna", node=OptunaSweeperConf, provider="rnnlab")
for name, node in SAMPLERS.items():
    _store(group="hydra/sweeper/sampler", name=name, node=node, provider="rnnlab")


class OptunaSweeper(OurSweeper):
    def __init__(
        self,
        sampler: DictConfig,
        direction: Direction,
        n_trials: int,
        n_jobs: int,
        params: dict[str, str] | None = None,
    ) -> None:
        self.sampler, self.direction, self.params = sampler, direction, params or {}
        self.n_trials, self.n_jobs = n_trials, n_jobs

    def sweep(self, arguments: list[str]) -> None:
        from rnnlab._common.console import say
        from rnnlab._common.files import write_whole
        from rnnlab.config._hydra import parse_swept

        assert self.config is not None
        study = self._study()
        given = [*(f"{name}={values}" for name, values in self.params.items()), *arguments]
        overrides = {override.get_key_element(): override for override in parse_swept(given)}
        swept = {name: own for name, own in overrides.items() if own.is_sweep_override()}
        space = {name: distribution(override) for name, override in swept.items()}
        shared = [str(own.input_line) for name, own in overrides.items() if name not in swept]
        self.note()
        for first in range(0, self.n_trials, self.n_jobs):
            size = min(self.n_jobs, self.n_trials - first)
            self._train(study, [study.ask(space) for _ in range(size)], shared, first)
        best = {"best_params": study.best_params, "best_value": study.best_value}
        text = OmegaConf.to_yaml(OmegaConf.create({"name": "optuna"} | best))
        folder = Path(str(self.config.hydra.sweep.dir))
        write_whole(folder, "optimization_results.yaml", text)
        say(f"Best parameters: {study.best_params}")
        say(f"Best value: {study.best_value}")

    def _study(self) -> "Study":
        """Raises ConfigError where there cannot be one."""
        from rnnlab._common.errors import ConfigError, require

        try:
            import optuna
        except ImportError:
            rule = "hydra/sweeper=optuna needs Optuna: type pip install 'optuna>=4' cmaes"
            raise ConfigError(rule) from None
        for name in ("n_trials", "n_jobs"):
            number = getattr(self, name)
            require(number >= 1, f"hydra.sweeper.{name}={number}", "it is at least 1")
        directions = get_args(Direction)
        rule = f"it is one of {', '.join(directions)}"
        require(self.direction in directions, f"hydra.sweeper.direction={self.direction}", rule)
        kinds = [conf.kind for conf in SAMPLERS.values()]
        kind, options = self.sampler["kind"], {**self.sampler}
        rule = f"it is one of {', '.join(kinds)}"
        require(options.pop("kind") in kinds, f"hydra.sweeper.sampler.kind={kind}", rule)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        try:
            sampler = getattr(optuna.samplers, kind)(**options)
        except ValueError as error:
            raise ConfigError(f"{kind} cannot be made of {options}: {error}.") from None
        return optuna.create_study(sampler=sampler, direction=self.direction)

    def _train(self, study: "Study", trials: "list[Trial]", shared: list[str], first: int) -> None:
        """A batch; what comes to nothing is worth less than all else."""
        assert self.launcher is not None
        worst = math.inf if self.direction == "minimize" else -math.inf
        jobs = [[*shared, *(f"{k}={v}" for k, v in trial.params.items())] for trial in trials]
        for trial, job in zip(trials, self.launcher.launch(jobs, first), strict=True):
            value = job.return_value
            came_to_nothing = value is None or not math.isfinite(value)
            study.tell(trial, worst if came_to_nothing else value)


def distribution(override: Override) -> "BaseDistribution":
    """What a sweep stands for: numbers of an interval or a range, or one of its values."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    from rnnlab._common.errors import ConfigError

    number: dict[bool, Any] = {True: IntDistribution, False: FloatDistribution}  # whole or not
    try:
        match override.value():
            case IntervalSweep(start=low, end=high, tags=tags):
                return number[isinstance(low, int)](low, high, log="log" in tags)
            case RangeSweep(step=step, shuffle=False) as sweep:
                numbers = [*sweep.range()]
                kind = number[isinstance(numbers[0], int)]
                return kind(min(numbers), max(numbers), step=abs(step))
        return CategoricalDistribution([*override.sweep_string_iterator()])
    except ValueError as error:
        raise ConfigError(f"{override.input_line} is not allowed: {error}") from None
