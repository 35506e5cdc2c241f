"""What a person can put right is a sentence and an exit status, in run.py and every command."""

from __future__ import annotations

import os
import sys
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
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except Exception as error:
        from rnnlab.config.mistakes import explain  # and Hydra

        status = _status_of(error, statuses)
        if status is None or wants_traceback:
            raise
        complain(explain(error, overrides()))
        for note in getattr(error, "__notes__", ()):  # what to type to go on
            complain(note)
        sys.exit(status)


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
        case ValueError() | TypeError() if only_read:
            return BAD_CONFIG  # what Hydra says of some unreadable command lines
    return None
