"""Jobs that are listed, and not a grid: jobs=FILE, and NAME=zip(...) of paired values.

Each is one dimension of a study, a row of overrides for each of its places. They are crossed with
each other, and with whatever else has several values (seed=0,1,2). All together they become one
word of the command, which is noted in the study's folder.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

from rnnlab._common.errors import require
from rnnlab.config.jobs_file import rows_of_file
from rnnlab.config.words import as_override, key_of
from rnnlab.config.zipped import ZIPPED, rows_of_zip

ROWS = "hydra.sweeper.rows"  # which hydra/sweeper=grid knows
Row = list[str]


def with_rows(words: Sequence[str]) -> list[str]:
    """The words, with rows in the place of what lists them; raises ConfigError."""
    listing = {word: find for word in words if (find := _finder(word))}
    if not listing:
        return [*words]
    dimensions = {word: find(word) for word, find in listing.items()}
    _require_apart(dimensions)
    rows = [[*itertools.chain(*row)] for row in itertools.product(*dimensions.values())]
    return [*(word for word in words if word not in listing), as_override(ROWS, rows)]


def _finder(word: str) -> Callable[[str], list[Row]] | None:
    if word.startswith("jobs="):
        return rows_of_file
    return rows_of_zip if ZIPPED.fullmatch(word) else None


def _require_apart(dimensions: dict[str, list[Row]]) -> None:
    """No setting is in two of them."""
    owners: dict[str, str] = {}
    for word, rows in dimensions.items():
        for name in {key_of(own) for row in rows for own in row}:
            other = owners.setdefault(name, word)
            require(other == word, f"{name} in {word}", f"{other} has it too; name it in one")
