"""The overrides of a study -> those of each of its jobs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from hydra.core.override_parser.types import Override, RangeSweep

from rnnlab._common.errors import require
from rnnlab.config._hydra import parse_swept
from rnnlab.config.words import key_of

MOST_JOBS = 100_000  # of a study


def grid(overrides: list[str], rows: Sequence[Sequence[str]] = ()) -> list[list[str]]:
    """The overrides of each job that these stand for, without sweeps that are no list of values.

    Each of `rows` is crossed with them, the first one with all of them first, and counts where both
    name a setting. Hydra is initialised: glob(*) asks it for a group's choices. Raises ConfigError
    for more jobs than MOST_JOBS, before any is made.
    """
    given: dict[str, Override] = {}  # by key: the last one counts
    for override in parse_swept(overrides):
        if override.is_discrete_sweep() or not override.is_sweep_override():
            given[override.get_key_element()] = override
    swept = [override for override in given.values() if override.is_sweep_override()]
    _require_few(swept, max(1, len(rows)))
    jobs = [list(job) for job in itertools.product(*map(_words, given.values()))]
    return [_crossed(job, row) for row in rows for job in jobs] if rows else jobs


def _crossed(job: Sequence[str], row: Sequence[str]) -> list[str]:
    named = {key_of(word) for word in row}
    return [*(word for word in job if key_of(word) not in named), *row]


def require_single(rows: Sequence[Sequence[str]]) -> None:
    """Raise ConfigError for a row that is no job: a cell has one value."""
    for number, row in enumerate(rows, 1):
        for override in parse_swept([*row]):
            rule = "a cell has one value; what is to be crossed with all rows stands beside jobs="
            given = f"row {number}: {override.input_line}"
            require(not override.is_sweep_override(), given, rule)


def _words(override: Override) -> Iterator[str]:
    """As one types them, a word for each value."""
    key = override.get_key_element()
    if override.is_sweep_override():
        return (f"{key}={value}" for value in override.sweep_string_iterator())
    has_value = override.value_type is not None  # ~experiment has none
    return iter([f"{key}={override.get_value_element_as_str()}" if has_value else key])


def _require_few(swept: list[Override], rows: int) -> None:
    """Values are counted one by one, because a range of fractions need not have an end."""
    counts = [sum(1 for _ in itertools.islice(_unlisted(own), MOST_JOBS + 1)) for own in swept]
    require(
        rows * math.prod(max(count, 1) for count in counts) <= MOST_JOBS,
        " ".join(str(override.input_line) for override in swept),
        f"a study has at most {MOST_JOBS:,} jobs, and this asks for more; give fewer values",
    )


def _unlisted(override: Override) -> Iterator[Any]:
    """The values in any order: to shuffle a range, Hydra makes a list of it."""
    sweep = override.value()
    if not isinstance(sweep, RangeSweep):
        return override.sweep_iterator()
    has_nan = any(number != number for number in (sweep.start, sweep.stop, sweep.step))
    rule = "range(START,STOP,STEP) is of numbers, and its step is not 0"
    require(sweep.step != 0 and not has_nan, str(override.input_line), rule)
    return iter(sweep.range())


def require_lists(overrides: list[str]) -> None:
    """Raise ConfigError for a sweep that is no list of values."""
    for override in parse_swept(overrides):
        listed = override.is_discrete_sweep() or not override.is_sweep_override()
        rule = "only a sweeper that searches can take a value of it; add hydra/sweeper=optuna"
        require(listed, str(override.input_line), rule)
