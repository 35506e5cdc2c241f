"""The border to Hydra: compose, check everything, then hand plain values to experiment.py.

Whatever a user can get wrong is answered here in one sentence with exit status 2, before torch
is imported and before an output folder exists.
"""

import os
import sys
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from rnnlab.config import ConfigError
from rnnlab.schema import conf_dir, to_config

COMPLETED, FAILED, BAD_CONFIG, INTERRUPTED = 0, 1, 2, 130


def main() -> None:
    """Run what the command line asks for, and end with the exit status of how it went."""
    arguments = get_args_parser().parse_args()
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra's exceptions are to come through to here
    jobs = Jobs()
    try:
        if _trains(arguments):
            _check(arguments)
        hydra.main(version_base="1.3", config_path=conf_dir(), config_name="config")(jobs.run)()
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except (ConfigError, HydraException, OmegaConfBaseException) as error:
        if wants_traceback:
            raise
        from rnnlab.explain import explain

        print(explain(error, arguments.overrides), file=sys.stderr)
        sys.exit(BAD_CONFIG)
    except OSError as error:
        if wants_traceback:
            raise
        print(f"{error.filename or 'the output folder'}: {error.strerror}.", file=sys.stderr)
        sys.exit(FAILED if jobs.statuses else BAD_CONFIG)
    completed = all(status == "completed" for status in jobs.statuses)
    sys.exit(COMPLETED if completed else FAILED)


class Jobs:
    """The task function that Hydra calls for each job, and how each of them ended."""

    def __init__(self) -> None:
        self.statuses: list[str] = []

    def run(self, composed: DictConfig) -> float | None:
        """Train one job; returns the figure that a sweeper minimises."""
        from hydra.core.hydra_config import HydraConfig

        from rnnlab import experiment

        self.statuses.append("running")
        folder = Path(HydraConfig.get().runtime.output_dir)
        result = experiment.run(to_config(composed), folder)
        self.statuses[-1] = result.status
        if result.status == "interrupted":
            raise KeyboardInterrupt  # ends a multirun too
        return result.perplexity if result.val_perplexity is None else result.val_perplexity


def _trains(arguments: Any) -> bool:
    return not (
        arguments.help
        or arguments.hydra_help
        or arguments.cfg
        or arguments.info
        or arguments.shell_completion
    )


def _check(arguments: Any) -> None:
    """Compose as Hydra will, check every value, and read the text; raises ConfigError."""
    overrides = _first_job(arguments.overrides) if arguments.multirun else arguments.overrides
    with hydra.initialize_config_dir(version_base="1.3", config_dir=conf_dir()):
        config = to_config(hydra.compose("config", overrides))

    from rnnlab.preflight import check

    check(config)


def _first_job(overrides: list[str]) -> list[str]:
    """A multirun's overrides with the first value of each sweep."""
    first = []
    for override in OverridesParser.create().parse_overrides(overrides):
        line = override.input_line or ""
        if override.is_sweep_override():
            line = f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()))}"
        first.append(line)
    return first
