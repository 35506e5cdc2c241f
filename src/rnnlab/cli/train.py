"""The border to Hydra: compose, check everything, then hand plain values to runs/.

Whatever a user can get wrong is answered here in one sentence with exit status 2, before torch
is imported and before an output folder exists.
"""

from __future__ import annotations

import itertools
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from rnnlab._common import interrupts
from rnnlab._common.errors import ConfigError, require
from rnnlab.config.compose import conf_dir, to_config
from rnnlab.config.composing import Composer
from rnnlab.config.identity import changed
from rnnlab.config.mistakes import explain
from rnnlab.config.schema import Config
from rnnlab.studies.command import Command, commands_of

if TYPE_CHECKING:
    from rnnlab.data.corpus import Corpus
    from rnnlab.runs.preflight import Corpora

GROUPS = ("dataset", "sampler", "model", "size", "optimizer", "clip")
NAMED = 5  # jobs with the same mistake
COMPLETED, FAILED, BAD_CONFIG, INTERRUPTED = 0, 1, 2, 130


def main() -> None:
    """Run what the command line asks for, and end with the exit status of how it went."""
    jobs, overrides = Jobs(), sys.argv[1:]
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra's exceptions are to come through to here
    try:
        for command in commands_of(sys.argv[1:]):
            jobs.command, sys.argv[1:] = command, command.hydras
            arguments = get_args_parser().parse_args()
            overrides = arguments.overrides
            if command.resumed:
                jobs.resume(command.resumed, arguments)
                continue
            if _trains(arguments):
                with interrupts.ending_at_once(INTERRUPTED):
                    jobs.check(arguments)
                    if not arguments.multirun:
                        import rnnlab.runs.stack  # noqa: F401  (seconds, before a folder exists)
            hydra.main(version_base="1.3", config_path=conf_dir(), config_name="config")(jobs.run)()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (ConfigError, HydraException, OmegaConfBaseException) as error:
        if wants_traceback:
            raise
        print(explain(error, overrides), file=sys.stderr)
        sys.exit(BAD_CONFIG)
    except OSError as error:
        if wants_traceback:
            raise
        print(f"{error.filename or 'Writing'}: {error.strerror or error}.", file=sys.stderr)
        sys.exit(FAILED if jobs.statuses else BAD_CONFIG)
    except (ValueError, TypeError) as error:  # what Hydra says of some unreadable command lines
        if wants_traceback or jobs.statuses:
            raise
        cause = error.__cause__  # a log that cannot be opened comes as a ValueError
        if isinstance(cause, OSError):
            print(f"{cause.filename}: {cause.strerror}.", file=sys.stderr)
        else:
            print(f"{str(error).splitlines()[0]}.", file=sys.stderr)
        sys.exit(BAD_CONFIG)
    sys.exit(jobs.exit_status())


class Jobs:
    """The jobs of one command: checked before any of them starts, then trained as Hydra calls."""

    def __init__(self) -> None:
        self.statuses: list[str] = []
        self.corpora: Corpora = {}
        self.configs: dict[tuple[str, ...], Config] = {}  # of a study's jobs, by their overrides
        self.command = Command([])

    def check(self, arguments: Any) -> None:
        """Compose as Hydra will, check every value, read the texts; raises ConfigError."""
        search_path = []
        if arguments.config_dir:
            folder = Path(arguments.config_dir).absolute()
            search_path = [f"hydra.searchpath=[file://{folder}]"]
        for override in OverridesParser.create().parse_overrides(arguments.overrides):
            _require_value(override)
        name = arguments.config_name or "config"
        compose = Composer(lambda overrides: hydra.compose(name, [*overrides, *search_path]))
        with hydra.initialize_config_dir(version_base="1.3", config_dir=conf_dir()):
            if not _is_multirun(arguments):
                self.corpus_of(to_config(compose(arguments.overrides)))
                return
            mistakes, jobs = dict[str, list[int]](), list(_jobs(arguments.overrides))
            require(bool(jobs), "a study without a job", "one of its values is an empty range")
            for number, overrides in enumerate(jobs):
                try:
                    config = to_config(compose(overrides))
                    self.configs[_without_hydras(overrides)] = config
                    self.corpus_of(config)
                except (ConfigError, HydraException, OmegaConfBaseException) as error:
                    mistakes.setdefault(explain(error, overrides), []).append(number)
        wrong = sum(map(len, mistakes.values()))
        if wrong and not (self.command.skips_invalid and wrong < len(jobs)):
            raise ConfigError(_all_mistakes(mistakes, jobs))
        if self.command.is_stacked_study:
            from rnnlab.studies.executors import local as workers

            workers.preload()  # while Hydra goes on

    def corpus_of(self, config: Config) -> Corpus:
        """The job's text, once everything about it has been found possible."""
        from rnnlab.runs.preflight import check

        return check(config, self.corpora)

    def exit_status(self) -> int:
        return COMPLETED if all(status == "completed" for status in self.statuses) else FAILED

    def resume(self, folder: Path, arguments: Any) -> None:
        """resume=RUN num_epochs=800: go on with a run, with its own config."""
        changes = {}
        for override in OverridesParser.create().parse_overrides(arguments.overrides):
            given = override.input_line or ""
            plain = not (override.is_sweep_override() or override.is_add() or override.is_delete())
            require(plain and not arguments.multirun, given, "resume goes on with one run")
            changes[override.get_key_element()] = override.value()
        require(folder.is_dir(), f"resume={folder}", "it is the folder of a run or a study")
        with interrupts.ending_at_once(INTERRUPTED):
            from rnnlab.runs import log as logs
            from rnnlab.runs import resume as resuming
        logging.basicConfig(level=logging.WARNING, handlers=[logs.log_file(folder)])
        logging.getLogger("rnnlab").setLevel(logging.INFO)
        self.statuses.append("running")
        result = resuming.resume(folder, changes)
        if result.process != os.getpid():
            print(f"{folder} has ended already ({result.status}); nothing was done")
        self.statuses[-1] = result.status
        if result.status == "interrupted":
            raise KeyboardInterrupt

    def run(self, composed: DictConfig) -> float | None:
        """Train one job; returns the figure that a sweeper minimises."""
        from hydra.core.hydra_config import HydraConfig

        from rnnlab.runs import stack as experiment

        self.statuses.append("running")
        folder = Path(HydraConfig.get().runtime.output_dir)
        result = experiment.run(to_config(composed), folder, self.corpora)
        self.statuses[-1] = result.status
        if result.status == "interrupted":
            raise KeyboardInterrupt  # ends a multirun too
        return result.figure


def compose(overrides: list[str]) -> Config:
    """The config that a command line with these overrides describes."""
    with hydra.initialize_config_dir(version_base="1.3", config_dir=conf_dir()):
        return to_config(hydra.compose("config", overrides))


def _all_mistakes(mistakes: dict[str, list[int]], jobs: list[list[str]]) -> str:
    """All mistakes of a study at once, each with the jobs that have it."""
    own = changed(jobs)
    lines = []
    for sentence, numbers in mistakes.items():
        which = [f"{number} ({own[number]})" for number in numbers[:NAMED]]
        which += [f"and {len(numbers) - NAMED} more"] if len(numbers) > NAMED else []
        lines.append(
            sentence if len(numbers) == len(jobs) else f"job {', '.join(which)}: {sentence}"
        )
    if sum(map(len, mistakes.values())) < len(jobs):
        lines.append("on_invalid=skip trains the other jobs.")
    return "\n".join(lines)


def _trains(arguments: Any) -> bool:
    return not (
        arguments.help
        or arguments.hydra_help
        or arguments.cfg
        or arguments.info
        or arguments.shell_completion
    )


def _require_value(override: Override) -> None:
    """Hydra's ways of leaving a value out end in a traceback: say what to type instead."""
    key = override.key_or_group
    if override.is_delete() and not override.is_hydra_override():
        raise ConfigError(f"~{key} is not allowed: every value is needed; set {key}=VALUE instead.")
    if key in GROUPS and not override.is_sweep_override() and override.value() is None:
        raise ConfigError(f"{key}=null is not allowed: every job needs one; --help lists them.")


def _without_hydras(overrides: list[str]) -> tuple[str, ...]:
    return tuple(o for o in overrides if not o.startswith(("hydra.", "hydra/")))


def _is_multirun(arguments: Any) -> bool:
    return arguments.multirun or "hydra.mode=MULTIRUN" in arguments.overrides


def _jobs(given: list[str]) -> Iterator[list[str]]:
    """The overrides of each job; of a sweep that is no list of values, those without it."""
    values = []
    parser = OverridesParser.create(GlobalHydra.instance().config_loader())
    for override in parser.parse_overrides(given):
        if not override.is_sweep_override():
            values.append([override.input_line or ""])
        elif override.is_discrete_sweep():
            key = override.get_key_element()
            values.append([f"{key}={value}" for value in override.sweep_string_iterator()])
    for job in itertools.product(*values):
        yield list(job)
