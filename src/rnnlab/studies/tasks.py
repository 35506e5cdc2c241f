"""Which tasks a study has given to a queue: tasks.jsonl in its folder, a line a task."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from rnnlab._common.files import flush, opened, read_bytes
from rnnlab._common.typed import loads

TASKS = "tasks.jsonl"
MOST = 16 << 20  # bytes of it


@dataclass(frozen=True)
class Submitted:
    """A task by its queue's name for it: slurm 123."""

    name: str
    folders: tuple[Path, ...]


def note(study: Path, name: str, folders: Iterable[Path]) -> None:
    """Before it is forgotten: whoever goes on with the study finds it there."""
    line = {"task": name, "folders": [str(folder.relative_to(study)) for folder in folders]}
    with opened(study, TASKS, "ab") as file:
        file.write(json.dumps(line).encode() + b"\n")
        flush(file)


def submitted(study: Path) -> list[Submitted]:
    """All that can be read, oldest first."""
    try:
        lines = read_bytes(study, TASKS, MOST).split(b"\n")
    except OSError:
        return []
    return [task for line in lines if (task := _task(study, line))]


def _task(study: Path, line: bytes) -> Submitted | None:
    try:
        values = loads(line)
        names = [values["task"], *values["folders"]]
    except (ValueError, KeyError, TypeError):
        return None
    if not all(isinstance(name, str) for name in names):
        return None
    return Submitted(names[0], tuple(study / name for name in names[1:]))
