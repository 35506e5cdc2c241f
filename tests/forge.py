"""What somebody who sends a folder can have done to it: each function forges one thing.

A forging takes a Forger, changes the folder, and says what it did.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from forgings.forger import FORGINGS, Forger, dumped, set_in, shown, write
from forgings.kinds import becomes
from forgings.logs import fit_lengths
from forgings.values import reconfigured, result_of
from tensors_file import Stored, TensorsFile

__all__ = ["Forger", "fit_lengths", "forge"]


def forge(by: Forger, named: str | list[Any]) -> str:
    """A forging by its name, or one that is told exactly: [what, *where and how]."""
    if isinstance(named, str):
        return FORGINGS[named](by)
    what, *how = named
    EXACTLY[what](by, *how)
    return f"{what}: {shown(how)}"


def _kind(by: Forger, where: str, way: str) -> None:
    """`where`: in the first run's folder, or with a / before it in the folder that is sent."""
    path = by.sent / where[1:] if where.startswith("/") else by.runs[0] / where
    path = next(iter(sorted(path.parent.glob(path.name))), path)
    becomes(by, path, way)
    by.touched.append(path)


def _words(by: Forger, *words: str) -> None:
    path = by.sent / "commands.jsonl"
    write(path, json.dumps([*json.loads(path.read_text().splitlines()[-1]), *words]) + "\n")


def _set_result(by: Forger, name: str, value: Any) -> None:
    values = result_of(by.runs[0])
    set_in(values, name, value)
    write(by.runs[0] / "result.json", dumped(values))


def _set_config(by: Forger, name: str, value: Any) -> None:
    config = result_of(by.runs[0])["config"]
    set_in(config, name, value)
    reconfigured(by.runs[0], config)


def _set_dataset(by: Forger, **more: Any) -> None:
    values = result_of(by.runs[0])
    shared = "clean token min_freq max_tokens val_fraction prefixes".split()
    own = {name: values["config"]["dataset"][name] for name in shared}
    values["config"]["dataset"] = own | more
    reconfigured(by.runs[0], values["config"])


def _set_described(by: Forger, *pairs: Any) -> None:
    """Of the last checkpoint: name, value, name, value..."""
    path = by.runs[0] / "checkpoints" / "last.safetensors"
    file = TensorsFile.read(path)
    for name, value in zip(pairs[::2], pairs[1::2], strict=True):
        set_in(file.described, name, value)
    file.write(path, dumped(file.described))


def _set_dtype(by: Forger, dtype: str) -> None:
    path = by.runs[0] / "checkpoints" / "last.safetensors"
    file = TensorsFile.read(path)
    file.tensors = {n: Stored.zeros(dtype, each.shape) for n, each in file.tensors.items()}
    file.write(path)


def _set_line(by: Forger, line: str) -> None:
    """The last one of metrics.jsonl."""
    path = by.runs[0] / "metrics.jsonl"
    write(path, "\n".join([*path.read_text().splitlines()[:-1], line]) + "\n")
    by.touched.append(path)


EXACTLY: dict[str, Callable[..., None]] = {
    "kind": _kind,
    "words": _words,
    "result": _set_result,
    "config": _set_config,
    "download": lambda by, where: _set_dataset(
        by, name="download", file="evil.txt", root=where, sha256="0" * 64, urls=[by.url()]
    ),
    "checkpoint": _set_described,
    "dtype": _set_dtype,
    "metrics": _set_line,
    "overrides": lambda by, text: write(by.runs[0] / ".hydra" / "overrides.yaml", text),
}
