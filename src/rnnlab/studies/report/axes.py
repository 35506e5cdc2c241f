"""What the page and the figures share: values of a setting in order, texts apart, medians, ends."""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from rnnlab.config.identity import is_number
from rnnlab.studies.report.entries import ABSENT, Entry
from rnnlab.studies.report.ranking import Ranking

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEYOND = 30  # times the lowest perplexity is shown: what explodes leaves the picture
TEXTS = 4  # that are told apart
DIVERGED: dict[str, Any] = {"color": "#D55E00", "marker": "x", "markersize": 3.5, "linestyle": ""}


def values_of(entries: Iterable[Entry], name: str) -> dict[str, Any]:
    """A setting's values by what one types for them: numbers by size, then texts, then none."""
    found = {entry.setting(name): entry.settings.get(name) for entry in entries}
    return dict(sorted(found.items(), key=lambda item: _order(*item)))


def _order(shown: str, value: Any) -> tuple[bool, bool, float, str]:
    number = value if is_number(value) else math.inf
    return shown == ABSENT, not is_number(value), number, shown


def texts_apart(ranking: Ranking, most: int | None = TEXTS) -> dict[tuple[str, str], str]:
    """The first few texts and their names, which tell as much as it takes to tell them apart."""
    firsts = {entry.text: entry for entry in reversed(ranking.entries)}
    own = [name for name in ranking.settings if name.startswith("dataset.")]
    named = {text: _names(firsts[text], own) for text in ranking.texts[:most]}
    given = Counter(name for names in named.values() for name in {*names})
    return {
        text: next((name for name in names if given[name] == 1), names[1])
        for text, names in named.items()
    }


def _names(entry: Entry, settings: list[str]) -> tuple[str, str, str]:
    """copy, copy (V 10), copy lag=20: the longer ones for where others have the first, too."""
    name = str(entry.result.dataset.get("name"))
    words = entry.words(settings).replace("dataset.", "")
    return name, f"{name} (V {entry.vocab_size})", f"{name} {words}"


def median(values: Iterable[float | None]) -> float:
    """One that diverged is worse than all others; NaN where nothing is known."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else math.nan


def draw_ends(axes: Axes, ends: list[tuple[float, float]], style: dict[str, Any]) -> None:
    """What diverged stands at the top, wherever that is."""
    finite = [end for end in ends if end[1] < math.inf]
    axes.plot([x for x, _ in finite], [y for _, y in finite], alpha=0.6, linestyle="", **style)
    lost = [x for x, y in ends if y == math.inf]
    if lost:
        axes.plot(lost, [1] * len(lost), clip_on=False,
                  transform=axes.get_xaxis_transform(), **DIVERGED)  # fmt: skip
