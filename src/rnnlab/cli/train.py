"""run.py, and rnnlab train: a command line to its exit status.

Whatever a user can get wrong is answered in one sentence with exit status 2, before torch is
imported and before an output folder exists.
"""

from __future__ import annotations

import contextlib
import os
import sys
from argparse import Namespace
from functools import partial

import hydra

from rnnlab._common import interrupts
from rnnlab._common.console import lost, on_screens, say
from rnnlab._common.errors import require
from rnnlab._common.importing import importing
from rnnlab._common.torchrun import processes
from rnnlab.cli.answers import COMPLETED, FAILED, INTERRUPTED, answering
from rnnlab.cli.flags import in_order
from rnnlab.cli.ranks import has_helped
from rnnlab.cli.task import Task
from rnnlab.config._hydra import VERSION_BASE, get_args_parser
from rnnlab.config.help import help_text
from rnnlab.config.names import conf_dir, look_in
from rnnlab.config.own_cells import with_own_cells
from rnnlab.config.rows import with_rows
from rnnlab.config.typed_words import typed
from rnnlab.config.words import is_override
from rnnlab.runs.result import Status
from rnnlab.studies.command import Command, Shown, commands_of
from rnnlab.studies.search import Search, as_asked, that_goes_on


@on_screens()
def main() -> None:
    """Run what the command line asks for, and end with the exit status of how it went."""
    statuses: list[str] = []  # of the jobs that have begun
    with answering(statuses, _overrides):
        os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra's exceptions are to come through to here
        for command in commands_of(with_rows(typed(with_own_cells(sys.argv[1:])))):
            _run(command, statuses)
    if not statuses and lost():
        sys.exit(FAILED)  # what was to be shown was all there was
    sys.exit(COMPLETED if all(status == Status.completed for status in statuses) else FAILED)


def _run(command: Command, statuses: list[str], is_asked: bool = False) -> None:
    """`is_asked`: a stored search has been looked at."""
    sys.argv[1:] = in_order(command.hydras)
    arguments = get_args_parser().parse_args()
    look_in(arguments.config_path, arguments.config_dir)
    if command.resumed:
        from rnnlab.cli.resume import resume

        resume(command.resumed, arguments, statuses)
        return
    if arguments.help:
        say(help_text())
        return
    task = Task(command, arguments, statuses)
    if _trains(arguments):
        with interrupts.ending_at_once(INTERRUPTED):
            if command.is_stored and not is_asked and task.search:
                _go_on_with_search(task, task.search, statuses)
                return
            task.check(partial(_prepare, task))
        alone = "it trains one job, and no study"
        require(processes() == 1 or not task.is_study, "-m under torchrun", alone)
        if not task.is_study and has_helped(task.single, task.corpora):
            return
    with contextlib.suppress(Shown):
        hydra.main(config_path=conf_dir(), config_name="config", **VERSION_BASE)(task)()


def _go_on_with_search(task: Task, search: Search, statuses: list[str]) -> None:
    """First what was asked for, whose folders are there; then what remains."""
    command, sweep = task.command, task.command.sweep
    assert sweep  # a stored command has one
    _run(as_asked(command), statuses, is_asked=True)
    remaining, said = that_goes_on(command, search, sweep)
    if remaining:
        _run(remaining, statuses, is_asked=True)
    elif said:
        say(said)


def _prepare(task: Task) -> None:
    """What takes seconds, before a folder exists; a study's workers import torch meanwhile."""
    if task.is_stacked_study and not task.command.plan:
        from rnnlab.studies.executors.local import preload

        preload()
    elif not task.is_study:
        with importing():
            import rnnlab.runs.stack  # noqa: F401


def _trains(arguments: Namespace) -> bool:
    shows = (arguments.hydra_help, arguments.cfg, arguments.info)
    return not any((*shows, arguments.shell_completion))


def _overrides() -> list[str]:
    """Of the command that went wrong."""
    return list(filter(is_override, sys.argv[1:]))
