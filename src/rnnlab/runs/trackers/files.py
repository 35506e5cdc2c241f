"""Files that anything can read: metrics.jsonl, samples.txt, perplexity.svg."""

from __future__ import annotations

from pathlib import Path
from typing import IO

from matplotlib.figure import Figure

from rnnlab._common.console import one_line
from rnnlab._common.files import flush, opened, write_whole
from rnnlab.runs.figures import saved
from rnnlab.runs.folder import CURVE, METRICS, SAMPLES
from rnnlab.runs.result import Result, to_json
from rnnlab.runs.trackers.tracker import Tracked, Tracker, register
from rnnlab.training.metrics import Epoch


@register
class Files(Tracker):
    """An object a logged epoch, a line a text, and at the end the curve.

    A line end that is part of a text is escaped: result.json has the text as it is.
    """

    logs = (METRICS, SAMPLES)

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics = opened(folder, METRICS, "ab")
        self.samples = opened(folder, SAMPLES, "ab")

    @classmethod
    def of(cls, run: Tracked) -> Files:
        return cls(run.folder)

    def epoch(self, figures: Epoch, val_perplexity: float | None) -> None:
        values = {"epoch": figures.epoch, **figures.figures, "val_perplexity": val_perplexity}
        _append(self.metrics, to_json(values))

    def sample(self, epoch: int, prefix: str, text: str, last: bool) -> None:  # noqa: ARG002
        _append(self.samples, f"epoch {epoch}: {one_line(text)}")

    def figure(self, figure: Figure) -> None:
        write_whole(self.folder, CURVE, saved(figure, "svg"))

    def close(self, result: Result) -> None:  # noqa: ARG002
        for file in (self.metrics, self.samples):
            flush(file)
            file.close()

    def lengths(self) -> dict[str, int]:
        return {METRICS: flush(self.metrics), SAMPLES: flush(self.samples)}


def _append(file: IO[bytes], line: str) -> None:
    file.write(line.encode() + b"\n")
    file.flush()
