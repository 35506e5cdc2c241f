"""A run that cannot say any more that it has failed."""

import contextlib
import os
from pathlib import Path

from rnnlab._common.files import InUseError, locked
from rnnlab.runs.result import Result, Status
from rnnlab.runs.surroundings import moment


def note_failure(folder: Path, error: str) -> Result:
    """By this process, which was to train the run; what it says itself of its end stands."""
    result = Result.find(folder) or Result.without_run(error)
    told = result.status == Status.failed and result.process == os.getpid() and result.config
    if told or result.status.is_final:
        return result
    return _fail(folder, result, error, os.getpid())


def note_vanished(folder: Path, error: str) -> Result:
    """By the one who waited for the process that trained the run."""
    result = Result.find(folder)
    if result and result.has_ended:
        return result
    result = result or Result.without_run(error)
    return _fail(folder, result, error, result.process)


def _fail(folder: Path, result: Result, error: str, process: int) -> Result:
    result.status, result.error, result.process = Status.failed, error, process
    result.ended = moment()
    with contextlib.suppress(OSError, InUseError), locked(folder):
        result.write(folder)
    return result
