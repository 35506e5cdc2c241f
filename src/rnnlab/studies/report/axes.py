"""What the page and the figures share: values of a setting in order, texts apart, medians."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from typing import Any

from rnnlab.config.identity import is_number
from rnnlab.studies.report.entries import ABSENT, Entry
from rnnlab.studies.report.ranking import Ranking

BEYOND = 30  # times the lowest perplexity is shown: what explodes leaves the picture
TEXTS = 4  # that are told apart


def values_of(entries: Iterable[Entry], name: str) -> dict[str, Any]:
    """A setting's values by what one types for them: numbers by size, then texts, then none."""
    found = {entry.setting(name): entry.settings.get(name) for entry in entries}
    return dict(sorted(found.items(), key=lambda item: _order(*item)))


def _order(shown: str, value: Any) -> tuple[bool, bool, float, str]:
    number = value if is_number(value) else math.inf
    return shown == ABSENT, not is_number(value), number, shown


def texts_apart(ranking: Ranking, most: int | None = TEXTS) -> dict[tuple[str, str], str]:
    """The first few texts and their names, which tell the vocabulary where it takes that."""
    firsts = {entry.text: entry for entry in reversed(ranking.entries)}
    named = {text: str(firsts[text].result.dataset.get("name")) for text in ranking.texts[:most]}
    names = [*named.values()]
    return {
        text: name if names.count(name) == 1 else f"{name} (V {firsts[text].vocab_size})"
        for text, name in named.items()
    }


def median(values: Iterable[float | None]) -> float:
    """One that diverged is worse than all others; NaN where nothing is known."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else math.nan
