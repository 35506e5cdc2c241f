"""-m jobs=jobs.csv: a study whose jobs are the rows of a file, a column a setting.

    lr,theta,model
    0.3,1,rnn
    1,5,gru

An empty cell leaves a setting out. The rows are noted in the study's folder: it goes on as it was
asked for, after the file has changed too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from rnnlab._common.errors import ConfigError, require, said
from rnnlab._common.files import read_bytes
from rnnlab.config.typed_words import typed
from rnnlab.data.source import path_of

MOST = 8 << 20  # bytes of the file


def rows_of_file(word: str) -> list[list[str]]:
    """The overrides of each row of jobs=FILE; raises ConfigError for a file that has none."""
    text = word.partition("=")[2]
    path = path_of("jobs", text).absolute()
    try:
        content = read_bytes(path.parent, path.name, MOST).decode("utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConfigError(f"jobs={text} is not allowed: {said(error)}.") from None
    head, *lines = [line for line in csv.reader(io.StringIO(content)) if any(line)] or [[]]
    names = [name.strip() for name in head]
    doubled = sorted({name for name in names if names.count(name) > 1})
    require(bool(names) and all(names), f"jobs={text}", "its first line names a setting a column")
    require(not doubled, f"jobs={text}", f"it has two columns {', '.join(doubled)}")
    require(bool(lines), f"jobs={text}", "it has no row below its names")
    return [[*_words(text, number, names, line)] for number, line in enumerate(lines, 1)]


def _words(text: str, number: int, names: Sequence[str], line: Sequence[str]) -> Iterator[str]:
    rule = f"it has {len(line)} cells, and the first line {len(names)} names"
    require(len(line) == len(names), f"jobs={text}, row {number},", rule)
    cells = [(name, cell.strip()) for name, cell in zip(names, line, strict=True)]
    yield from typed([f"{name}={cell}" for name, cell in cells if cell])
