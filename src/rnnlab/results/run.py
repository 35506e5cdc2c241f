"""One run of a study: what its folder says, read when it is asked for.

Shapes: E logged epochs.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rnnlab._common.console import one_line
from rnnlab._common.errors import ConfigError, require
from rnnlab.runs.folder import BEST, FIGURES, LAST, METRICS, read_looks, read_metrics
from rnnlab.runs.result import Result, Status
from rnnlab.studies.report.entries import Entry
from rnnlab.studies.report.spreadsheet import all_figures

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rnnlab.results.model import TrainedModel


@dataclass(frozen=True, eq=False)
class Run:
    """A run's folder as it was when it was loaded; its curves as of when they were first asked for.

    entry   how the report sees it
    """

    entry: Entry

    def __repr__(self) -> str:
        figure = self.result.figure
        ended = "" if figure is None else f", perplexity {figure:.4g}"
        return one_line(f"<Run {self.name}: {self.status}{ended}>")

    @property
    def folder(self) -> Path:
        return self.entry.folder

    @cached_property
    def name(self) -> str:
        """Of its folder, seen from the one that was loaded."""
        return self.entry.name

    @property
    def result(self) -> Result:
        """All of result.json."""
        return self.entry.result

    @property
    def status(self) -> Status:
        """running, completed, diverged, interrupted or failed; a str."""
        return self.result.status

    @property
    def error(self) -> str | None:
        """Why it is not completed."""
        return self.result.error

    @property
    def config(self) -> dict[str, Any]:
        """Nested, as `python run.py --cfg job` shows it; empty of a job that never was a run."""
        return self.result.config

    @property
    def settings(self) -> dict[str, Any]:
        """The same by dotted names, a choice under its group's own: model, model.dropout."""
        return self.entry.settings

    @property
    def samples(self) -> dict[str, str]:
        """The last texts it wrote while it trained, by their prefixes."""
        return self.result.samples

    @cached_property
    def figures(self) -> dict[str, Any]:
        """What it came to, by the names that results.csv has."""
        return all_figures([self.entry])[0]

    @cached_property
    def command(self) -> str:
        """What trains it again, in any folder; empty of a job that never was a run."""
        from rnnlab.studies.report.commands import commands

        return commands([[self.entry]])[0]

    @cached_property
    def curves(self) -> dict[str, NDArray[Any]]:
        """`epoch` (E,), and (E,) every figure of metrics.jsonl, NaN where it was not taken.

        A perplexity far beyond guessing is none, as in the report.
        """
        lines = list(read_metrics(self.folder))
        names = dict.fromkeys([*FIGURES[METRICS], *(name for line in lines for name in line)])
        values = {name: [line.get(name) for line in lines] for name in names}
        for name in FIGURES[METRICS]:
            values[name] = [self.entry.sane(value) for value in values[name]]
        epochs = np.array(values.pop("epoch", []), dtype=np.int64)
        return {"epoch": epochs} | {n: np.array(own, dtype=float) for n, own in values.items()}

    def curve(self, figure: str = "perplexity") -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """The epochs and the figure, where it was taken: plt.plot(*run.curve("perplexity")).

        Raises ConfigError for a figure that the run does not log.
        """
        logged = self.curves
        names = ", ".join(name for name in logged if name != "epoch")
        require(figure in logged, f"the curve {figure!r}", f"{self.name} has {names}")
        is_taken = ~np.isnan(logged[figure])
        return logged["epoch"][is_taken], logged[figure][is_taken]

    @cached_property
    def instruments(self) -> dict[str, NDArray[Any]]:
        """What its instruments have logged, a row a number: epoch, instrument, name, place, value.

        `place` counts along a curve, a histogram or a text, and is 0 of a number alone; NaN is what
        was not finite. Empty of a run without instruments.
        """
        rows = [
            (look["epoch"], instrument, name, place, math.nan if value is None else value)
            for look in read_looks(self.folder)
            for instrument, own in look.items()
            if instrument != "epoch"
            for name, values in own.items()
            for place, value in enumerate(_flat(values))
        ]
        epochs, instruments, names, places, values = zip(*rows, strict=True) if rows else [()] * 5
        return {
            "epoch": np.array(epochs, dtype=np.int64),
            "instrument": np.array(instruments, dtype=object),
            "name": np.array(names, dtype=object),
            "place": np.array(places, dtype=np.int64),
            "value": np.array(values, dtype=np.float64),
        }

    def inspect(self, text: str | None = None, best: bool = False) -> dict[str, Figure]:
        """The pictures of `rnnlab inspect`, figures of matplotlib's by the instruments' names.

        Of its last checkpoint, or that of its best epoch, on its own text or on another one.
        """
        from rnnlab.runs.inspection.inspect import inspect
        from rnnlab.runs.inspection.pictures import picture

        return {seen.instrument.name: picture(seen) for seen in inspect(self.folder, text, best)}

    def model(self, best: bool = False) -> TrainedModel:
        """From its last checkpoint, or from that of its best epoch; takes torch.

        Raises ConfigError where there is none, or it is damaged.
        """
        checkpoint = BEST if best else LAST
        if not (self.folder / checkpoint).exists():
            raise ConfigError(
                f"{self.name} has no model: it is {self.status}, without {checkpoint}."
            )
        from rnnlab.results.model import TrainedModel

        return TrainedModel.read(self.folder, best)


def _flat(values: Any) -> Iterator[Any]:
    """Numbers in lists, one after the other."""
    if isinstance(values, list):
        for item in values:
            yield from _flat(item)
    else:
        yield values
