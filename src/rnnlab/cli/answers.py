"""What a person can put right is a sentence and an exit status, in run.py and every command."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from rnnlab._common.console import complain
from rnnlab._common.errors import ConfigError

COMPLETED, FAILED, BAD_CONFIG, INTERRUPTED = 0, 1, 2, 130


@contextmanager
def answering(
    statuses: Sequence[str] | None = None, overrides: Callable[[], list[str]] = list
) -> Iterator[None]:
    """End the process where something was wrong inside, or where Ctrl-C was typed; a bug goes on.

    `statuses` are those of the jobs that have begun, None where there are no jobs; `overrides` what
    a mistake may be of.
    """
    wants_traceback = os.environ.get("HYDRA_FULL_ERROR") == "1"
    try:
        yield
    except KeyboardInterrupt as error:
        _tell_notes(error)
        sys.exit(INTERRUPTED)
    except Exception as error:
        from rnnlab.config.mistakes import explain  # and Hydra

        status = _status_of(error, statuses)
        if status is None or wants_traceback:
            raise
        complain(explain(error, overrides()))
        _tell_notes(error)
        sys.exit(status)


def _tell_notes(error: BaseException) -> None:
    """A traceback shows them by itself."""
    for note in getattr(error, "__notes__", ()):
        complain(note)


def _status_of(error: Exception, statuses: Sequence[str] | None) -> int | None:
    """The exit status after an error that a sentence can explain; None of a bug."""
    from hydra.errors import HydraException
    from omegaconf.errors import OmegaConfBaseException

    only_read = statuses is not None and not statuses  # no job has begun
    match error:
        case ConfigError() | HydraException() | OmegaConfBaseException():
            return BAD_CONFIG
        case OSError():
            return BAD_CONFIG if only_read else FAILED
        case ValueError() | TypeError() if only_read and _is_from_hydra(error):
            return BAD_CONFIG  # what Hydra says of some unreadable command lines
    return None


def _is_from_hydra(error: Exception) -> bool:
    """Raised by Hydra's own code, and not by what it calls."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    return frame.f_globals["__name__"].startswith("hydra.")
