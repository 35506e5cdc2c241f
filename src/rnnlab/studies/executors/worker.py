"""What a worker does, wherever it runs."""

from __future__ import annotations

import errno
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rnnlab._common.errors import ConfigError
from rnnlab.runs.failure import note_failure
from rnnlab.runs.folder import has_checkpoint
from rnnlab.runs.result import Result, Status
from rnnlab.studies.executors import Task

STOP = ".stop"  # in a study's folder: all who train there save and end
LOOK_SECONDS = 1.0


def train(task: Task) -> bool:
    """Whatever goes wrong is in the results then. What cannot train together trains apart."""
    from rnnlab.runs.resume import train_stack

    is_one = len(task.configs) == 1
    try:
        train_stack(task.configs, task.corpora, task.swept, apart=task.apart)
        return True
    except ConfigError as error:
        if not is_one and any(map(has_checkpoint, task.folders)):
            return _in_parts(task, 1)
        said = str(error)
    except OSError as error:
        if not is_one and error.errno == errno.ENOMEM:
            return _in_parts(replace(task, apart=True), (len(task.configs) + 1) // 2)
        said = f"{type(error).__name__}: {error}"
    except Exception as error:
        said = f"{type(error).__name__}: {error}"
    for folder in task.folders:
        note_failure(folder, said)
    return False


def _in_parts(task: Task, size: int) -> bool:
    """So many jobs at a time, one part after the other, until a stop is asked for."""
    went, folders = [], task.folders
    for first in range(0, len(folders), size):
        part = folders[first : first + size]
        went.append(train(replace(task, configs={f: task.configs[f] for f in part})))
        results = [Result.find(folder) for folder in part]
        if any(result and result.status == Status.interrupted for result in results):
            break
    return all(went)


def is_left(task: Task) -> bool:
    """Something of it would be trained, were it done again."""
    results = [Result.find(folder) for folder in task.folders]
    return any(result is None or not result.has_ended for result in results)


def stop_asked_in(study: Path | None) -> Callable[[], bool]:
    """Whether its folder asks for a stop; the disk is not looked at for each minibatch."""
    looked, asked = -LOOK_SECONDS, False

    def is_asked() -> bool:
        nonlocal looked, asked
        if study and not asked and time.monotonic() - looked > LOOK_SECONDS:
            looked, asked = time.monotonic(), (study / STOP).exists()
        return asked

    return is_asked
