"""The real command line in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from conftest import ROOT


def start(*arguments: str, module: bool = False) -> subprocess.Popen[str]:
    """`python run.py ARGUMENTS`, or `python -m rnnlab ARGUMENTS`."""
    program = ["-m", "rnnlab"] if module else [str(ROOT / "run.py")]
    return subprocess.Popen(
        [sys.executable, *program, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        preexec_fn=_hear_ctrl_c,
    )


def _hear_ctrl_c() -> None:
    """What runs in the background ignores it, the tests and all that they start as well."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    """Exit status, and what it printed."""
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def run(*arguments: str, module: bool = False) -> tuple[int, str, str]:
    return finish(start(*arguments, module=module))
