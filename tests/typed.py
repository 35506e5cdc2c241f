"""Command lines in this process, whose studies train in it too: a test of many takes seconds."""

from __future__ import annotations

import contextlib
import io
import os
import sys
from pathlib import Path
from unittest.mock import patch

from cases import Here, in_this_process
from rnnlab.cli import main as rnnlab
from rnnlab.cli.train import main as train
from rnnlab.runs.result import Result

SMALL = ["num_hiddens=4", "batch_size=2", "num_steps=5", "log.sample_length=5"]
SMALL += ["dataset.max_tokens=200", "checkpoint.seconds=0", "device=cpu"]


def typed(*arguments: str, at: str = ".", executor: object = None) -> tuple[int, str, str]:
    """`python run.py ARGUMENTS`, or `rnnlab resume ...`: exit status, and what it printed."""
    is_command = arguments[0] in ("resume", "reproduce", "report", "figure", "compare")
    out, err, status = io.StringIO(), io.StringIO(), 0
    with (
        contextlib.chdir(at),
        patch.object(sys, "argv", ["run.py", *arguments]),
        patch.dict(os.environ),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        in_this_process(executor or Here()),
    ):
        try:
            (rnnlab if is_command else train)()
        except SystemExit as ended:
            status = int(ended.code or 0)
    return status, out.getvalue(), err.getvalue()


def jobs(sweep: str) -> dict[str, Result]:
    """What came of a study's jobs, by their folders' names."""
    folders = sorted(path.parent for path in Path(sweep).rglob("result.json"))
    return {str(folder.relative_to(sweep)): Result.read(folder) for folder in folders}
