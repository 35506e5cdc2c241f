"""A run's folder: its files' names, who may work in it, its logs. Imports no torch.

result.json      the run in one object; whole, or the one before
metrics.jsonl    a line a logged epoch; minibatches.jsonl (log.every_minibatches) within epochs
instruments.jsonl   a line a look of its instruments, where it has some
samples.txt      texts; events...: TensorBoard's; all these are logs of its trackers
config.tfevents  its row in TensorBoard's table of runs
run.log          its messages
perplexity.svg   its curve, but for the runs of a study, whose report has them
checkpoints/     last continues it, next is about to take last's place, best generates
.hydra/          what it was made with, written by Hydra or by a study
cell.py          the code of a cell of one's own
.lock            held by the process that trains
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import yaml

from rnnlab._common.errors import ConfigError, require
from rnnlab._common.files import (
    InUseError,
    locked,
    opened,
    read_bytes,
    read_end,
    remove_leftovers_of,
)
from rnnlab._common.typed import loads

RESULT, METRICS, SAMPLES = "result.json", "metrics.jsonl", "samples.txt"
MINIBATCHES, INSTRUMENTS = "minibatches.jsonl", "instruments.jsonl"
MESSAGES, CURVE, EVENTS = "run.log", "perplexity.svg", "events.out.tfevents."
ROW = "config.tfevents"  # of TensorBoard's hparams: it reads the files by their names, this first
FIGURES = {  # that every line of a log has, or null
    METRICS: ("perplexity", "val_perplexity"),
    MINIBATCHES: ("perplexity",),
}
CHECKPOINTS = "checkpoints"
CELL = "cell.py"
LAST, NEXT, BEST = (f"{CHECKPOINTS}/{name}.safetensors" for name in ("last", "next", "best"))
HYDRA = ".hydra"
OVERRIDES, CONFIG, HYDRAS = COMPOSED = tuple(
    f"{HYDRA}/{name}.yaml" for name in ("overrides", "config", "hydra")
)
MOST_OF_RESULT, MOST_OF_YAML, MOST_OF_LINE = 16 << 20, 16 << 10, 64 << 10  # bytes
MOST_OF_LOOK, MOST_OF_LOOKS = 4 << 20, 256 << 20
TEXT = "tag:yaml.org,2002:str"  # YAML's name of it

MOVED = re.compile(r"\.resumed-\d{4}$")  # what the name of a log that moved on ends with
END = 4096  # bytes of a log that are looked at every second, or shown


def is_name(text: str) -> bool:
    """Of something in a folder, and no way out of it."""
    return Path(text).name == text and text not in ("", "..") and "\0" not in text


def number_of(folder: Path, otherwise: int) -> int:
    """The number that a job's folder begins with."""
    digits = re.match(r"\d{1,9}(?!\d)", folder.name)
    return int(digits[0]) if digits else otherwise


def overrides_of(folder: Path) -> tuple[str, ...] | None:
    """The overrides that a job's folder was made with; None where that cannot be read.

    A list of texts is read and nothing else of YAML, whose references grow beyond all memory.
    """
    listed = _yaml(folder, OVERRIDES)
    if not isinstance(listed, yaml.SequenceNode):
        return None
    texts = [item.value for item in listed.value if item.tag == TEXT]
    return tuple(texts) if len(texts) == len(listed.value) else None


def begun_in(folder: Path) -> Path | None:
    """The current folder of the command that a job's folder was made by; None if it is not told."""
    told = _of_hydra(folder, "runtime", "cwd", TEXT)
    return Path(told) if told and "\0" not in told else None


def job_number(folder: Path) -> int | None:
    """The number that a study's job has by its name, or as Hydra wrote it down; None if neither."""
    if named := re.match(r"\d{1,9}(?=_)", folder.name):
        return int(named[0])
    told = _of_hydra(folder, "job", "num", "tag:yaml.org,2002:int")
    return int(told) if told and re.fullmatch(r"\d{1,9}", told) else None


def _of_hydra(folder: Path, *names: str) -> str | None:
    """What stands at these names of Hydra's own part, if it is of the kind that is named last."""
    node, (*path, kind) = _yaml(folder, HYDRAS), names
    for name in ("hydra", *path):
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        node = next((value for key, value in pairs if key.value == name), None)
    return node.value if isinstance(node, yaml.ScalarNode) and node.tag == kind else None


def _yaml(folder: Path, name: str) -> yaml.Node | None:
    """The nodes of a file of .hydra: no reference is followed, no object made."""
    try:
        text = read_bytes(folder, name, MOST_OF_YAML).decode()
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except (OSError, ValueError, RecursionError, yaml.YAMLError):
        return None


def has_checkpoint(folder: Path) -> bool:
    """There is something to continue, if only what was about to become it."""
    return any((folder / name).exists() for name in (LAST, NEXT))


def remove_leftovers(folder: Path) -> None:
    """Temporary files of writes that were killed, of whoever trains here."""
    for name in (RESULT, LAST, NEXT, BEST, CURVE, ROW):
        remove_leftovers_of(folder, name)


def last_messages(folder: Path, count: int) -> list[str]:
    """The last lines of run.log, as far as they can be read, and are the run's own.

    A file that has another name as well may be anybody's: what a report quotes is sent around.
    """
    try:
        if (folder / MESSAGES).stat().st_nlink > 1:
            return []
        text = read_end(folder, MESSAGES, END).decode(errors="replace")
        return text.rstrip("\n").split("\n")[-count:] if text else []
    except OSError:
        return []


# --- who works in it -------------------------------------------------------------------------


@contextmanager
def held(folders: Iterable[Path], patience: float = 0) -> Iterator[None]:
    """Keep other processes out of runs' folders.

    Raises ConfigError where one is at work, and still is after so many seconds.
    """
    with ExitStack() as holding:
        for folder in folders:
            try:
                holding.enter_context(locked(folder, patience))
            except InUseError:
                raise ConfigError(
                    f"{folder} is in use: {_at_work(folder)} trains there; wait for it, or end it."
                ) from None
        yield


def _at_work(folder: Path) -> str:
    try:
        return f"process {loads(read_bytes(folder, RESULT, MOST_OF_RESULT))['process']:d}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"  # which has not said yet who it is


# --- its logs --------------------------------------------------------------------------------


def read_metrics(folder: Path, log: str = METRICS) -> Iterator[dict[str, Any]]:
    """An object for each line of METRICS or MINIBATCHES; stops at one that is being written."""
    try:
        with opened(folder, log) as file:
            while line := file.readline(MOST_OF_LINE):
                yield _figures(line, log)
    except (OSError, ValueError):
        return


def read_looks(folder: Path) -> Iterator[dict[str, Any]]:
    """An object for each line of INSTRUMENTS: epoch, and what the instruments read, by their names.

    Stops at a line that is being written, or is of another kind.
    """
    read = 0
    try:
        with opened(folder, INSTRUMENTS) as file:
            while (line := file.readline(MOST_OF_LOOK)).endswith(b"\n") and read < MOST_OF_LOOKS:
                values, read = loads(line), read + len(line)
                if not _is_look(values):
                    return
                yield values
    except (OSError, ValueError):
        return


def _is_look(values: Any) -> bool:
    if not isinstance(values, dict) or type(values.get("epoch")) is not int:
        return False
    seen = [own for name, own in values.items() if name != "epoch"]
    return all(isinstance(own, dict) and all(map(_are_numbers, own.values())) for own in seen)


def _are_numbers(value: Any, depth: int = 2) -> bool:
    """A number, None, or a list of such, nested as deep at most."""
    if isinstance(value, list) and depth:
        return all(_are_numbers(each, depth - 1) for each in value)
    return value is None or type(value) in (int, float)


def last_metrics(folder: Path) -> dict[str, Any] | None:
    """The last whole line, without reading those before it."""
    try:
        lines = read_end(folder, METRICS, END).split(b"\n")
        return _figures(lines[-2] + b"\n", METRICS) if len(lines) > 1 else None
    except (OSError, ValueError):
        return None


def _figures(line: bytes, log: str) -> dict[str, Any]:
    """Numbers by their names, epoch and perplexity among them; raises ValueError for all else."""
    values = loads(line) if line.endswith(b"\n") else None
    numbers = isinstance(values, dict) and all(
        value is None or type(value) in (int, float) for value in values.values()
    )
    if not numbers or type(values.get("epoch")) is not int or not {*FIGURES[log]} <= values.keys():
        raise ValueError("a line of another kind")
    return values


def cut_back(folder: Path, lengths: Mapping[str, int], logs: Iterable[str]) -> None:
    """Cut a folder's logs to these lengths in bytes, and remove logs that were not there then.

    `logs` are the patterns of the names that its trackers' logs have: no other file is touched.
    Raises ConfigError, before anything is touched, for a log that is shorter, or is none.
    """
    patterns, wanted = list(logs), dict[str, int]()
    for name, length in lengths.items():
        is_log = is_name(name) and any(fnmatchcase(name, log) for log in patterns)
        place = place_of(folder, name) if is_log else name
        found = size_of(folder, place) if is_log else -1
        wanted[place] = length
        require(
            0 <= length <= found,
            f"continuing {folder}",
            f"its checkpoint wants {length} bytes of {name}, which has {max(found, 0)}; "
            "the log was changed or removed",
        )
    for path in {path for pattern in patterns for path in folder.glob(pattern)}:
        if path.name in wanted:
            with opened(folder, path.name, "r+b") as file:
                file.truncate(wanted[path.name])
        elif place_of(folder, path.name) not in wanted:
            path.unlink(missing_ok=True)


def place_of(folder: Path, name: str) -> str:
    """What a log is called now, which may have moved on since it had this name."""
    own = MOVED.sub("", name)
    names = [path.name for path in folder.iterdir() if MOVED.sub("", path.name) == own]
    return max(names, default=name)


def move_on(folder: Path, name: str) -> str:
    """Give a log a later name, which is returned; its old one is an empty file's from now on.

    TensorBoard's readers know no logs that were cut back. They leave a file for the next name when
    they are at its end, and wait for ever for one that is gone.
    """
    own = MOVED.sub("", name)
    number = int(name.removeprefix(own)[-4:] or 0) + 1
    new = f"{own}.resumed-{number:04}"
    (folder / name).rename(folder / new)
    (folder / name).touch()
    return new


def size_of(folder: Path, name: str) -> int:
    """In bytes, -1 where there is no such file; raises OSError for what is no regular file."""
    try:
        with opened(folder, name) as file:
            return os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        return -1
