"""resume=RUN num_epochs=800: go on with a run, with its own config."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path

from rnnlab._common import interrupts
from rnnlab._common.console import say
from rnnlab._common.errors import require
from rnnlab._common.importing import importing
from rnnlab.cli.answers import INTERRUPTED
from rnnlab.cli.next_steps import telling_next_steps
from rnnlab.cli.ranks import has_helped
from rnnlab.config.compose import values_of
from rnnlab.runs.preflight import Corpora
from rnnlab.runs.result import Status


def resume(folder: Path, arguments: Namespace, statuses: list[str]) -> None:
    """Raises ConfigError, and KeyboardInterrupt where the run was stopped once more."""
    require(not arguments.multirun, "-m with resume=RUN", "resume goes on with one run")
    changes = values_of(arguments.overrides)
    require(folder.is_dir(), f"resume={folder}", "it is the folder of a run or a study")
    with interrupts.ending_at_once(INTERRUPTED), importing():
        from rnnlab.runs import resume as resuming
    if has_helped(lambda: resuming.config_of(folder, changes), Corpora()):
        return
    statuses.append(Status.running)
    with telling_next_steps(folder):
        result = resuming.resume(folder, changes)
    if result.process != os.getpid():
        say(f"{folder} has ended already ({result.status}); nothing was done")
    statuses[-1] = result.status
    if result.status == Status.interrupted:
        raise KeyboardInterrupt
