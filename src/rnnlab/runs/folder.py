"""A run's logs: their names, reading them, and cutting them back to where a checkpoint was."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rnnlab._common.errors import require

METRICS, SAMPLES, EVENTS = "metrics.jsonl", "samples.txt", "events.out.tfevents."


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


def cut_back(folder: Path, lengths: dict[str, int]) -> None:
    """Cut a folder's logs to these lengths, and remove logs that were not there then.

    Raises ConfigError, before anything is touched, for a log that is shorter, or is none.
    """
    for name, length in lengths.items():
        is_log = name in (METRICS, SAMPLES) or name.startswith(EVENTS)
        path = folder / name
        found = path.stat().st_size if is_log and Path(name).name == name and path.is_file() else -1
        require(
            type(length) is int and 0 <= length <= found,
            f"continuing {folder}",
            f"its checkpoint wants {length} bytes of {name}, which has {max(found, 0)}; "
            "the log was changed or removed",
        )
    for path in [folder / METRICS, folder / SAMPLES, *folder.glob(EVENTS + "*")]:
        if path.name not in lengths:
            path.unlink(missing_ok=True)
            continue
        with path.open("r+b") as file:
            file.truncate(lengths[path.name])
