"""model=./mycell.py: a cell of one's own on the command line, and in folders of runs.

Code runs because a person has typed where it is. It is then kept under its SHA-256 in the cache,
where a stored config, which says that SHA-256, finds it: after the file has changed, and in other
folders. A folder never makes code run that nobody here has typed.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnlab._common.choices import found_by
from rnnlab._common.errors import ConfigError, require, said
from rnnlab._common.files import make_folder, read_bytes, write_whole
from rnnlab.config.schema import Config
from rnnlab.data.source import cache_folder, path_of
from rnnlab.nn.own_cell import OwnCell, digest, known_cell, own_cell

WORD = re.compile(r"(\+{0,2})model=(.*\.py\b.*)", re.DOTALL)
MOST = 1 << 20  # bytes of a cell's code
RESUME = "resume="


def with_own_cells(words: Sequence[str]) -> list[str]:
    """The words with names in the place of files, whose code has run; raises ConfigError."""
    if any(word.startswith(RESUME) for word in words):
        return without_own_cells(words)
    return [_named(match) if (match := WORD.fullmatch(word)) else word for word in words]


def without_own_cells(words: Sequence[str]) -> list[str]:
    """Beside the folder of a run a file is no choice: it only says that its code may run."""
    for match in filter(None, map(WORD.fullmatch, words)):
        _named(match)
    return [word for word in words if not WORD.fullmatch(word)]


def _named(match: re.Match[str]) -> str:
    names = [_name(piece) for piece in match[2].split(",")]
    return f"{match[1]}model={','.join(names)}"


def _name(piece: str) -> str:
    text = piece.strip().strip("'\"")
    if not text.endswith(".py"):
        return piece
    return typed_cell(text).__dataclass_fields__["name"].default


def typed_cell(text: str) -> type[OwnCell]:
    """Of the file that a person has named; raises ConfigError where it is none."""
    path = path_of("model", text).absolute()
    try:
        source = read_bytes(path.parent, path.name, MOST).decode()
    except (OSError, ValueError) as error:
        raise ConfigError(f"model={text} is not allowed: {said(error)}.") from None
    name = path.name
    plain = re.fullmatch(r"[A-Za-z]\w*\.py", name, re.ASCII) is not None
    require(plain, f"model={text}", "the file's name is letters, digits and _, and .py")
    cell = own_cell(source, name, str(path))
    with contextlib.suppress(OSError, ConfigError):  # then its folders ask for it again
        make_folder(_kept(""))
        write_whole(_kept(""), f"{digest(source)}.py", source.encode())
    return cell


def _kept(name: str) -> Path:
    return cache_folder() / "cells" / name


def _stored(values: Mapping[str, Any]) -> type[OwnCell] | None:
    """Of a stored config: raises TypeError for code that nobody has typed here."""
    sha256, name, file = (values.get(key) for key in ("sha256", "name", "file"))
    if not (isinstance(sha256, str) and isinstance(name, str) and isinstance(file, str)):
        return None
    if known := known_cell(name, sha256):
        return known
    with contextlib.suppress(OSError, ValueError):
        source = read_bytes(_kept(""), f"{Path(sha256).name}.py", MOST).decode()
        if digest(source) == sha256:
            return own_cell(source, name, file)
    raise TypeError(
        f"its model {name} is code that nobody has run here: read cell.py in its folder, and if it "
        "is to run, name it besides, model=FOLDER/cell.py (--cell FOLDER/cell.py to generate)"
    )


def know(values: Mapping[str, Any]) -> None:
    """Have the cell of a stored config, if it is one's own; raises ConfigError as it is read."""
    try:
        _stored(values)
    except TypeError as error:
        raise ConfigError(f"a stored config is not allowed: {error}.") from None


def has_changed(config: Config) -> str:
    """A sentence where the file is not any more what a run trains with; else empty."""
    cell = config.model
    if not isinstance(cell, OwnCell):
        return ""
    path = Path(cell.file)
    try:
        now = digest(read_bytes(path.parent, path.name, MOST).decode())
    except (OSError, ValueError):
        return f"{path} is gone; the run has its own copy"
    return "" if now == cell.sha256 else f"{path} has changed since; the run has its own copy"


found_by("model", _stored)
