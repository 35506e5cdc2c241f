"""resume=RUN num_epochs=800: go on with a run, with its own config."""

from __future__ import annotations

import os
from argparse import Namespace
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser

from rnnlab._common import interrupts
from rnnlab._common.console import say
from rnnlab._common.errors import require
from rnnlab.cli.answers import INTERRUPTED
from rnnlab.cli.next_steps import telling_next_steps
from rnnlab.runs.result import Status


def resume(folder: Path, arguments: Namespace, statuses: list[str]) -> None:
    """Raises ConfigError, and KeyboardInterrupt where the run was stopped once more."""
    changes = _changes(arguments)
    require(folder.is_dir(), f"resume={folder}", "it is the folder of a run or a study")
    with interrupts.ending_at_once(INTERRUPTED):
        from rnnlab.runs import resume as resuming
    statuses.append(Status.running)
    with telling_next_steps(folder):
        result = resuming.resume(folder, changes)
    if result.process != os.getpid():
        say(f"{folder} has ended already ({result.status}); nothing was done")
    statuses[-1] = result.status
    if result.status == Status.interrupted:
        raise KeyboardInterrupt


def _changes(arguments: Namespace) -> dict[str, Any]:
    """Values by their dotted names."""
    changes = {}
    for override in OverridesParser.create().parse_overrides(arguments.overrides):
        given = override.input_line or ""
        plain = not (override.is_sweep_override() or override.is_add() or override.is_delete())
        require(plain and not arguments.multirun, given, "resume goes on with one run")
        changes[override.get_key_element()] = override.value()
    return changes
