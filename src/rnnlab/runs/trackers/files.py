"""Files that anything can read: metrics.jsonl and other logs, samples.txt, perplexity.svg."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rnnlab._common.console import one_line
from rnnlab._common.files import flush, opened, write_whole
from rnnlab.instruments import OFF
from rnnlab.runs.folder import CURVE, INSTRUMENTS, METRICS, MINIBATCHES, SAMPLES
from rnnlab.runs.result import Result, to_json
from rnnlab.runs.trackers.tracker import Tracked, Tracker, UnderWay, register
from rnnlab.training.metrics import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rnnlab.instruments.panel import Values


@register
class Files(Tracker):
    """An object a logged epoch, a line a text, and at the end the curve.

    A line end that is part of a text is escaped: result.json has the text as it is.
    """

    logs = (METRICS, MINIBATCHES, INSTRUMENTS, SAMPLES)

    def __init__(self, folder: Path, *wanted: str) -> None:
        """`wanted` are the logs that not every run has."""
        self.folder = folder
        more = [
            log for log in (MINIBATCHES, INSTRUMENTS) if log in wanted or (folder / log).exists()
        ]
        self.files = {name: opened(folder, name, "ab") for name in (METRICS, SAMPLES, *more)}

    @classmethod
    def of(cls, run: Tracked) -> Files:
        wanted = {
            MINIBATCHES: run.config.log.every_minibatches is not None,
            INSTRUMENTS: run.config.instruments != OFF,
        }
        return cls(run.folder, *(log for log, is_wanted in wanted.items() if is_wanted))

    def epoch(self, figures: Epoch, val_perplexity: float | None) -> None:
        values = {"epoch": figures.epoch, **figures.figures, "val_perplexity": val_perplexity}
        self._append(METRICS, to_json(values))

    def minibatch(self, under_way: UnderWay, logged: bool) -> None:
        if logged:
            own = under_way.figures
            place = {"minibatch": under_way.step, "epoch": own.epoch}
            self._append(MINIBATCHES, to_json(place | own.figures))

    def look(self, epoch: int, values: Values) -> None:
        self._append(INSTRUMENTS, to_json({"epoch": epoch, **values}))

    def sample(self, epoch: int, prefix: str, text: str, last: bool) -> None:  # noqa: ARG002
        self._append(SAMPLES, f"epoch {epoch}: {one_line(text)}")

    def figure(self, figure: Figure) -> None:
        from rnnlab.runs.figures import saved

        write_whole(self.folder, CURVE, saved(figure, "svg"))

    def close(self, result: Result) -> None:  # noqa: ARG002
        for file in self.files.values():
            flush(file)
            file.close()

    def lengths(self) -> dict[str, int]:
        return {name: flush(file) for name, file in self.files.items()}

    def _append(self, log: str, line: str) -> None:
        self.files[log].write(line.encode() + b"\n")
        self.files[log].flush()
