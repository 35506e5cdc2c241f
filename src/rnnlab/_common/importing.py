"""Importing torch in three quarters of its time."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def importing() -> Iterator[None]:
    """Of what is imported inside nothing becomes garbage: it is not searched for any, now or later.

    Neither when the process ends, nor where a fork of it would copy every page for that.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.freeze()
