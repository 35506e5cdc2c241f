"""What a command gives Hydra to run: its jobs, checked before any of them starts."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from rnnlab._common.errors import ConfigError, require
from rnnlab.cli.next_steps import telling_next_steps
from rnnlab.config import yaml_files
from rnnlab.config._hydra import OF_HYDRA
from rnnlab.config.compose import Composer, absolute_word, as_saved, composing, contents, to_config
from rnnlab.config.forms import require_forms
from rnnlab.config.grid import grid, require_single
from rnnlab.config.mistakes import explain
from rnnlab.config.schema import Config
from rnnlab.config.stored import with_paths
from rnnlab.config.words import key_of
from rnnlab.runs.result import Status
from rnnlab.studies.command import Command
from rnnlab.studies.job import Asked, Mistaken
from rnnlab.studies.mistakes import refuse_mistakes
from rnnlab.studies.search import Search

if TYPE_CHECKING:
    from rnnlab.data.corpus import Corpus
    from rnnlab.runs.preflight import Corpora

OURS = "hydra_plugins.rnnlab_launcher."
LISTING = (f"{OURS}grid.GridSweeper", f"{OURS}grid.AgainSweeper")  # know their jobs beforehand


class Task:
    """hydra.main calls it with a job to train; hydra/launcher=stacked asks it for many at once.

    Each job is composed once, whoever asks for it first.
    """

    def __init__(self, command: Command, arguments: Namespace, statuses: list[str]) -> None:
        yaml_files.forget()
        self.command, self.arguments = command, arguments
        self.statuses = statuses  # of the jobs that have begun
        self.known: dict[tuple[str, ...], Asked | Mistaken] = {}
        parsed = OverridesParser.create().parse_overrides(arguments.overrides)
        require_forms(parsed)
        own = [override for override in parsed if not override.is_hydra_override()]
        self.hydras = [_line(override) for override in parsed if override.is_hydra_override()]
        self.own = [_line(override) for override in own]
        self.given = {override.get_key_element(): override for override in own}
        self.composer = Composer(self._compose)

    @cached_property
    def corpora(self) -> Corpora:
        """The texts read so far."""
        from rnnlab.runs import preflight  # and numpy: not for a mistake of the keys

        return preflight.Corpora() if self.command.is_stored else preflight.Downloading()

    @cached_property
    def is_study(self) -> bool:
        """-m, or hydra.mode=MULTIRUN, whether it was typed or stands in a file."""
        return self.arguments.multirun or getattr(self._hydras.mode, "name", "") == "MULTIRUN"

    @cached_property
    def is_stacked_study(self) -> bool:
        return self.is_study and str(self._hydras.launcher.get("_target_")).startswith(OURS)

    @cached_property
    def search(self) -> Search | None:
        """What is known of the study's sweeper, where it asks for jobs as it goes."""
        sweeper = self._hydras.sweeper
        if str(sweeper.get("_target_")).startswith((*LISTING, OF_HYDRA)):
            return None
        number = sweeper.get("n_trials")
        n_trials = number if isinstance(number, int) else None
        return Search(n_trials, repeats_itself=str(sweeper.get("_target_")).startswith(OURS))

    @cached_property
    def rows(self) -> list[list[str]]:
        """The overrides of each row of jobs=FILE and zip(...)."""
        return [[*row] for row in self._hydras.sweeper.get("rows") or ()]

    @cached_property
    def listed(self) -> list[str]:
        """The names of which the study has several values."""
        named = dict.fromkeys(key_of(word) for row in self.rows for word in row)
        swept = [*named]
        swept += [name for name, override in self.given.items() if override.is_sweep_override()]
        return [*swept, *map(str, self._hydras.sweeper.get("params") or {})]

    @cached_property
    def _hydras(self) -> DictConfig:
        """Hydra's part, but for what only some of the jobs have."""
        of_all = [o for o in self.given.values() if not o.is_sweep_override()]
        with self._composing():
            return self.composer.hydras([_line(override) for override in of_all])

    def check(self, prepare: Callable[[], None]) -> None:
        """Compose as Hydra will, check every value, read the texts; raises ConfigError.

        Once a job is found possible, `prepare` is called.
        """
        require(self.is_study or not self.rows, "jobs=FILE or zip(...)", "it is a study's; add -m")
        for given in self.command.studys:
            require(self.is_study, given, "it is a study's; add -m")
        for given in self.command.studys if self.is_study else ():
            is_known = given.startswith("sweep=") or self.is_stacked_study
            require(is_known, given, "only hydra/launcher=stacked knows it")
        with self._composing():
            if not self.is_study:
                self.single()
                prepare()
                return
            require_single(self.rows)
            jobs = grid(self.own, self.rows)
            require(bool(jobs), "a study without a job", "one of its values is an empty range")
            if isinstance(self.asked(jobs[:1])[0], Asked):
                prepare()
            asked = self.asked(jobs)
        some_are_valid = any(isinstance(job, Asked) for job in asked)
        if not (self.command.skips_invalid and some_are_valid):
            refuse_mistakes(asked, rows=len(self.rows))

    def single(self) -> Config:
        """Of a run that is no study's, found possible; raises ConfigError."""
        with self._composing():
            return self._found_possible(self.composer.config(self.own))[0]

    def asked(self, jobs: Sequence[Sequence[str]], first: int = 0) -> list[Asked | Mistaken]:
        """Each job with its config and its text, or with what is wrong with it.

        For ${hydra:job.num} they are numbered from `first`, whatever their folders are called.
        """
        for number, job in enumerate(map(tuple, jobs), first):
            if job not in self.known:
                self.known[job] = self._ask(job, number)
        return [self.known[tuple(job)] for job in jobs]

    def __call__(self, composed: DictConfig) -> float | None:
        """Train one job; returns the figure that a sweeper minimises."""
        from rnnlab.runs import stack
        from rnnlab.runs.composed import Composed

        self.statuses.append(Status.running)
        whole, config = HydraConfig.get(), to_config(composed).placed(self.command.home)
        texts = as_saved(composed, contents(whole), config)
        made_of = Composed(with_paths(whole.overrides.task, config), texts)
        folder = Path(whole.runtime.output_dir)
        with telling_next_steps(folder):
            result = stack.run(config, folder, self.corpora, made_of)
        self.statuses[-1] = result.status
        if result.status == Status.interrupted:
            raise KeyboardInterrupt  # ends a multirun too
        return result.figure

    def _ask(self, job: tuple[str, ...], number: int) -> Asked | Mistaken:
        try:
            return Asked(job, *self._found_possible(self.composer.config(job, number)))
        except (ConfigError, HydraException, OmegaConfBaseException) as error:
            stored = [absolute_word(word, self.command.home) for word in job]
            return Mistaken(job, explain(error, [*job]), tuple(stored))

    def _found_possible(self, config: Config) -> tuple[Config, Corpus]:
        """The job with what it starts from, and its text."""
        from rnnlab.runs.preflight import check
        from rnnlab.runs.start import pinned

        config = pinned(config.placed(self.command.home))
        return config, check(config, self.corpora)

    def _composing(self) -> AbstractContextManager[None]:
        return composing(self.arguments.config_path, self.arguments.config_dir)

    def _compose(self, overrides: list[str]) -> DictConfig:
        """With what every job of the command has."""
        mode = ["hydra.mode=MULTIRUN"] if self.arguments.multirun else []
        name = self.arguments.config_name or "config"
        return hydra.compose(name, [*self.hydras, *mode, *overrides], return_hydra_config=True)


def _line(override: Override) -> str:
    return override.input_line or ""
