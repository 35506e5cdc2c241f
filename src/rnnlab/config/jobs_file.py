"""-m jobs=jobs.csv: a study whose jobs are the rows of a file, a column a setting.

    lr,theta,model
    0.3,1,rnn
    1,5,gru

Its rows are crossed with whatever else has several values on the command line (seed=0,1,2); an
empty cell leaves a setting out. They become one word of the command, which is noted in the study's
folder: the study goes on as it was asked for, after the file has changed too.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence

from rnnlab._common.errors import ConfigError, require, said
from rnnlab._common.files import read_bytes
from rnnlab.config.typed_words import typed
from rnnlab.config.words import as_override
from rnnlab.data.source import path_of

ROWS = "hydra.sweeper.rows"  # which hydra/sweeper=grid knows
GIVEN = "jobs="
MOST = 8 << 20  # bytes of the file


def with_jobs(words: Sequence[str]) -> list[str]:
    """The words with the rows in the place of the file; raises ConfigError."""
    return [
        as_override(ROWS, rows_of(word.removeprefix(GIVEN))) if word.startswith(GIVEN) else word
        for word in words
    ]


def rows_of(text: str) -> list[list[str]]:
    """The overrides of each row; raises ConfigError for a file that has none."""
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
