"""The tokens of a text that memory should not hold: made once, kept in the cache, mapped.

CACHE/rnnlab/tokens/KEY/ has tokens.npy, the indices (N,), and vocabulary.json, which is written
last. KEY says the text's SHA-256 and what cuts it, so nothing there is ever stale; what is not used
any more can be removed by hand.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from rnnlab._common.errors import ConfigError, said
from rnnlab._common.files import locked, make_folder, remove_leftovers_of, write_whole, writing
from rnnlab._common.progress import bar
from rnnlab.data.cutting import compact, cut_of, ordered
from rnnlab.data.source import Indices, Source, cache_folder, hashed

TOKENS, VOCABULARY = "tokens.npy", "vocabulary.json"
CUT_BY = ("clean", "token", "min_freq", "newlines")
PATIENCE = 3600  # seconds, for another process that makes the same file


def kept(dataset: Source, sha256: str, size: int) -> tuple[Indices, tuple[str, ...], Path]:
    """Indices, the tokens that they are of, and the file; raises ConfigError."""
    cut_by = {name: getattr(dataset, name) for name in CUT_BY}
    key = hashlib.sha256(json.dumps([sha256, cut_by]).encode()).hexdigest()
    folder = cache_folder() / "tokens" / key[:32]
    try:
        make_folder(folder)
        with locked(folder, PATIENCE):
            if not (folder / VOCABULARY).exists():
                _make(folder, dataset, sha256, size)
        vocabulary = json.loads((folder / VOCABULARY).read_bytes())
        return mapped(folder / TOKENS), tuple(vocabulary), folder / TOKENS
    except OSError as error:
        raise ConfigError(
            f"the tokens of {dataset.place}, a large text, are kept in {folder}, and cannot be: "
            f"{said(error)}. Name another place with XDG_CACHE_HOME=FOLDER."
        ) from error


def mapped(file: Path) -> Indices:
    """Read where they are looked at; what is written to them stays here."""
    return np.load(file, mmap_mode="c")


def windows(file: Path, starts: Indices, length: int) -> Indices:
    """`length` tokens from each place on, (*starts, length).

    They are read, and not looked at where they are mapped: pages that were looked at count as this
    process' memory, and in the end all of them would.
    """
    mapping, descriptor = _opened(file)
    size, places = mapping.itemsize, mapping.offset + mapping.itemsize * starts.ravel()
    read = [os.pread(descriptor, length * size, place) for place in places.tolist()]
    return np.frombuffer(b"".join(read), mapping.dtype).reshape(*starts.shape, length)


@cache
def _opened(file: Path) -> tuple[Any, int]:
    return mapped(file), os.open(file, os.O_RDONLY)


def _make(folder: Path, dataset: Source, sha256: str, size: int) -> None:
    """In two readings: what there is, and where."""
    for name in (TOKENS, VOCABULARY):
        remove_leftovers_of(folder, name)
    cut, digest = cut_of(dataset), hashlib.sha256()
    with bar(f"reading {dataset.place}") as shown:

        def read() -> Iterator[bytes]:
            for block in dataset.blocks():
                yield block
                shown.advance(len(block), 2 * size)

        counts = cut.counts(cut.pieces(read()))
        tokens = ordered(counts, dataset.min_freq)
        dtype, shape = np.dtype(compact(len(tokens))), (sum(counts.values()),)
        header = {"descr": dtype.str, "fortran_order": False, "shape": shape}
        with writing(folder, TOKENS) as file:
            np.lib.format.write_array_header_1_0(file, header)
            for indices in map(cut.to_indices(tokens), cut.pieces(hashed(read(), digest))):
                file.write(indices.data)
            if digest.hexdigest() != sha256:
                raise ConfigError(f"{dataset.place} has changed while it was read; begin again.")
    write_whole(folder, VOCABULARY, json.dumps(tokens))
