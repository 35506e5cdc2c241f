"""detach=true on this machine: a process that outlives the terminal goes on with the study."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from rnnlab._common.program import python_path
from rnnlab.config.stored_words import not_taken
from rnnlab.studies.command import Command

LOG = "study.log"  # in the study's folder: what it would have shown
PROGRAM = "import sys; sys.orig_argv = {!r}; from rnnlab.cli import main; main()"


def go_on(study: Path, command: Command) -> int:
    """Start it; returns its process id. Words that only a person may say are said once more."""
    program = [sys.executable, "-c", PROGRAM.format(sys.orig_argv)]
    words = ["resume", str(study), *not_taken(command.again)]
    environment = os.environ | {"PYTHONPATH": python_path(), "PYTHONSAFEPATH": "1"}
    with (study / LOG).open("ab") as log:
        process = subprocess.Popen(
            [*program, *words],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=environment,
            start_new_session=True,
        )
    return process.pid
