"""The last lines of a run's command: where the run is, and what to type next."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rnnlab._common.console import say
from rnnlab._common.program import resuming
from rnnlab.config.stored import from_dict
from rnnlab.runs.result import Result, Status


@contextmanager
def telling_next_steps(folder: Path) -> Iterator[None]:
    """Around a run's training: said at its end, or noted at the exception that ended it."""
    try:
        yield
    except BaseException as error:
        lacks_memory = isinstance(error, OSError) and error.errno == errno.ENOMEM
        if not lacks_memory and (advice := _advice(folder)):
            error.add_note(advice)
        raise
    if _trained_here(folder):
        say(f"\n{_shown(folder)}\ntensorboard --logdir {_quoted(folder.absolute().parent)}")
    if advice := _advice(folder):
        say(advice)


def _advice(folder: Path) -> str | None:
    """How to go on with a run that this process has trained; None where that is no question."""
    result = _trained_here(folder)
    if result and result.status == Status.diverged:
        return _smaller_steps(result)
    if result and result.status in (Status.interrupted, Status.failed):
        return f"go on with: {resuming(Path(_shown(folder)))}"
    return None


def _trained_here(folder: Path) -> Result | None:
    result = Result.find(folder)
    return result if result and result.process == os.getpid() else None


def _smaller_steps(result: Result) -> str:
    config = from_dict(result.config)
    bound = f"theta={config.theta / 10:g}" if config.clip.uses_theta else "clip=norm"
    return f"try smaller steps: the same command with lr={config.lr / 10:g}, or with {bound}"


def _quoted(folder: Path) -> str:
    """For a shell in the current folder."""
    return shlex.quote(_shown(folder))


def _shown(folder: Path) -> str:
    here, path = Path.cwd(), folder.absolute()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
