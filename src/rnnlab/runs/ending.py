"""Whatever ends a training, each of its runs' result.json says so."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch

from rnnlab.runs.record import Record
from rnnlab.runs.result import Status

NO_MEMORY = (
    "it does not fit in memory; take a smaller num_hiddens or batch_size, or a larger "
    "dataset.min_freq for fewer tokens in the vocabulary"
)
ON_A_CPU = (  # torch raises a RuntimeError or a TypeError, and says in words that there is none
    "DefaultCPUAllocator: can't allocate memory",
    "DefaultCPUAllocator: not enough memory",
    "Storage size calculation overflowed",
    "Overflow when unpacking long",
)


@contextmanager
def ending(records: Sequence[Record]) -> Iterator[None]:
    """Runs are `running` inside; outside their results are written, with the time it took.

    What is raised inside goes on; OSError tells a folder, and what needs too much memory is one.
    """
    for record in records:
        record.write()
    try:
        yield
    except BaseException as error:
        no_memory = is_out_of_memory(error)
        said = NO_MEMORY if no_memory else f"{type(error).__name__}: {error}"
        stopped = isinstance(error, KeyboardInterrupt)
        for record in records:
            if not record.has_ended:
                record.ends_early(Status.interrupted if stopped else Status.failed, said)
        folder = str(records[0].folder)
        if no_memory:
            raise OSError(errno.ENOMEM, NO_MEMORY, folder) from error
        if isinstance(error, OSError) and error.filename is None:
            error.filename = folder  # a full disk does not say where
        raise
    finally:
        for record in records:
            record.close()


def is_out_of_memory(error: BaseException) -> bool:
    """Python's or a GPU's, or what torch says of a CPU's memory and of sizes beyond an integer."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    in_words = any(words in str(error) for words in ON_A_CPU)
    return isinstance(error, (RuntimeError, TypeError)) and in_words
