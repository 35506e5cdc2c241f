"""The real command line in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import preloaded
from conftest import ROOT
from preloaded import Process
from rnnlab.cli.flags import in_order
from rnnlab.cli.task import Task
from rnnlab.config._hydra import get_args_parser
from rnnlab.config.compose import composing
from rnnlab.config.mistakes import explain
from rnnlab.config.names import look_in
from rnnlab.config.schema import Config
from rnnlab.config.typed_words import typed
from rnnlab.studies.command import commands_of
from rnnlab.studies.job import Asked

Started = subprocess.Popen[str] | Process


def start(*arguments: str, module: bool = False, anew: bool = False) -> Started:
    """`python run.py ARGUMENTS`, or `python -m rnnlab ARGUMENTS`.

    `anew`: what it imports, and when, is a part of the test.
    """
    program = ["-m", "rnnlab"] if module else [str(ROOT / "run.py")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    if not anew and (process := preloaded.start([*program, *arguments], environment)):
        return process
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=_hear_ctrl_c,
    )


def _hear_ctrl_c() -> None:
    """What runs in the background ignores it, the tests and all that they start as well."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(process: Started) -> tuple[int, str, str]:
    """Exit status, and what it printed."""
    out, err = process.communicate(timeout=300)
    return process.wait(), out, err


def jobs(*words: str) -> list[Config]:
    """What `python run.py WORDS` would train, in this process; raises as it does for a mistake."""
    try:
        return _jobs(*words)
    finally:
        look_in(None, None)


def _jobs(*words: str) -> list[Config]:
    (command,) = commands_of(typed(words))
    arguments = get_args_parser().parse_args(in_order(command.hydras))
    look_in(arguments.config_path, arguments.config_dir)
    task = Task(command, arguments, [])
    task.check(lambda: None)
    if task.is_study:
        return [job.config for job in task.known.values() if isinstance(job, Asked)]
    with composing(arguments.config_path, arguments.config_dir):
        return [task.composer.config(task.own)]


def answer(*words: str) -> str:
    """What it says of a mistake."""
    try:
        return f"nothing: it trains {_jobs(*words)}"
    except Exception as error:
        return explain(error, [word for word in words if "=" in word])
    finally:
        look_in(None, None)


def run(*arguments: str, module: bool = False, anew: bool = False) -> tuple[int, str, str]:
    return finish(start(*arguments, module=module, anew=anew))
