"""A run's folder: its files' names, who may work in it, its logs. Imports no torch.

result.json      the run in one object; whole, or the one before
metrics.jsonl    a line a logged epoch; samples.txt, events...: the other logs of its trackers
run.log          its messages
perplexity.svg   its curve
checkpoints/     last continues it, next is about to take last's place, best generates
.hydra/          what it was made with, written by Hydra or by a study
.lock            held by the process that trains
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from rnnlab._common.errors import ConfigError, require
from rnnlab._common.files import InUseError, locked, remove_leftovers_of

RESULT, METRICS, SAMPLES = "result.json", "metrics.jsonl", "samples.txt"
MESSAGES, CURVE, EVENTS = "run.log", "perplexity.svg", "events.out.tfevents."
CHECKPOINTS = "checkpoints"
LAST, NEXT, BEST = (f"{CHECKPOINTS}/{name}.safetensors" for name in ("last", "next", "best"))
HYDRA = ".hydra"
OVERRIDES = f"{HYDRA}/overrides.yaml"


def number_of(folder: Path, otherwise: int) -> int:
    """The number that a job's folder begins with."""
    digits = re.match(r"\d+", folder.name)
    return int(digits[0]) if digits else otherwise


def overrides_of(folder: Path) -> tuple[str, ...] | None:
    """The overrides that a job's folder was made with; None where that cannot be read."""
    try:
        found = yaml.safe_load((folder / OVERRIDES).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None
    return tuple(map(str, found)) if isinstance(found, list) else None


def has_checkpoint(folder: Path) -> bool:
    """There is something to continue, if only what was about to become it."""
    return any((folder / name).exists() for name in (LAST, NEXT))


def remove_leftovers(folder: Path) -> None:
    """Temporary files of writes that were killed."""
    for name in (RESULT, LAST, NEXT, BEST):
        remove_leftovers_of(folder / name)


# --- who works in it -------------------------------------------------------------------------


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run's folder; raises ConfigError where one is at work."""
    try:
        with locked(folder):
            yield
    except InUseError:
        raise ConfigError(
            f"{folder} is in use: {_at_work(folder)} trains there; wait for it, or end it."
        ) from None


def _at_work(folder: Path) -> str:
    try:
        return f"process {json.loads((folder / RESULT).read_text(encoding='utf-8'))['process']}"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return "another process"  # which has not said yet who it is


# --- its logs --------------------------------------------------------------------------------


def read_metrics(folder: Path) -> Iterator[dict[str, Any]]:
    """An object for each logged epoch; stops at a line that is still being written."""
    try:
        with (folder / METRICS).open(encoding="utf-8") as file:
            for line in file:
                yield json.loads(line)
    except (OSError, ValueError):
        return


def last_metrics(folder: Path) -> dict[str, Any] | None:
    """The last whole line, without reading those before it."""
    try:
        with (folder / METRICS).open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 4096))
            lines = file.read().splitlines(keepends=True)
        whole = [line for line in lines if line.endswith(b"\n")]
        return json.loads(whole[-1]) if whole else None
    except (OSError, ValueError):
        return None


def cut_back(folder: Path, lengths: Mapping[str, int], logs: Iterable[str]) -> None:
    """Cut a folder's logs to these lengths in bytes, and remove logs that were not there then.

    `logs` are the patterns of the names that its trackers' logs have: no other file is touched.
    Raises ConfigError, before anything is touched, for a log that is shorter, or is none.
    """
    patterns = list(logs)
    for name, length in lengths.items():
        is_log = Path(name).name == name and any(fnmatchcase(name, log) for log in patterns)
        path = folder / name
        found = path.stat().st_size if is_log and path.is_file() else -1
        require(
            type(length) is int and 0 <= length <= found,
            f"continuing {folder}",
            f"its checkpoint wants {length} bytes of {name}, which has {max(found, 0)}; "
            "the log was changed or removed",
        )
    for path in {path for pattern in patterns for path in folder.glob(pattern)}:
        if path.name not in lengths:
            path.unlink(missing_ok=True)
            continue
        with path.open("r+b") as file:
            file.truncate(lengths[path.name])
