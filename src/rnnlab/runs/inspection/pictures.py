"""A picture of what an instrument has seen, as its kind says."""

from __future__ import annotations

from collections.abc import Callable

from matplotlib.figure import Figure

from rnnlab.instruments.instrument import Kind
from rnnlab.runs.figures import as_it_is
from rnnlab.runs.inspection import numbers, texts
from rnnlab.runs.inspection.seen import Seen

DRAWN: dict[Kind, Callable[[Seen], Figure]] = {
    Kind.number: numbers.numbers,
    Kind.curve: numbers.curves,
    Kind.histogram: numbers.histograms,
    Kind.text: texts.text,
    Kind.units: texts.units,
    Kind.plane: texts.plane,
}


@as_it_is
def picture(seen: Seen) -> Figure:
    """Whatever there is to be seen: values that are empty have none."""
    return DRAWN[seen.instrument.kind](seen)
