"""Where a run's figures go: metrics.jsonl, samples.txt, TensorBoard, the terminal.

Every tracker has the same methods; the loop in experiment.py calls them and knows no more. The logs
only ever grow, so a checkpoint notes how long they were, and a run that is continued cuts them
back to that: no step is lost or doubled.
"""

from __future__ import annotations

import io
import platform
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import IO

from matplotlib.figure import Figure
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.summary import custom_scalars, scalar

from rnnlab.runs.folder import EVENTS, METRICS, SAMPLES
from rnnlab.runs.result import Result, to_json
from rnnlab.runs.trackers import hparams
from rnnlab.training.metrics import FIGURES, Epoch


class Tracker(ABC):
    """Receives a run's figures as they come."""

    @abstractmethod
    def epoch(self, figures: Epoch, val_perplexity: float | None) -> None:
        """An epoch has ended."""

    @abstractmethod
    def sample(self, epoch: int, prefix: str, text: str, last: bool) -> None:
        """A text was generated after `epoch` epochs; `last`: none will follow."""

    @abstractmethod
    def figure(self, figure: Figure) -> None:
        """Training is over; this is its perplexity curve."""

    @abstractmethod
    def close(self, result: Result) -> None:
        """The run has ended, in whatever way."""

    def lengths(self) -> dict[str, int]:
        """Name and length in bytes of every log, all of it handed to the system."""
        return {}


class Files(Tracker):
    """metrics.jsonl, an object a logged epoch; samples.txt; perplexity.svg."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics = (folder / METRICS).open("ab")
        self.samples = (folder / SAMPLES).open("ab")

    def epoch(self, figures: Epoch, val_perplexity: float | None) -> None:
        values = {"epoch": figures.epoch, **figures.figures, "val_perplexity": val_perplexity}
        _append(self.metrics, to_json(values))

    def sample(self, epoch: int, prefix: str, text: str, last: bool) -> None:  # noqa: ARG002
        _append(self.samples, f"epoch {epoch}: {text}")

    def figure(self, figure: Figure) -> None:
        figure.savefig(self.folder / "perplexity.svg")

    def close(self, result: Result) -> None:  # noqa: ARG002
        self.metrics.close()
        self.samples.close()

    def lengths(self) -> dict[str, int]:
        return {METRICS: self.metrics.tell(), SAMPLES: self.samples.tell()}


def _append(file: IO[bytes], line: str) -> None:
    file.write(line.encode() + b"\n")
    file.flush()


CHARTS = {  # TensorBoard's tab of custom scalars
    "Perplexity": {
        "train, and held out": ["Multiline", ["perplexity/train", "perplexity/val"]],
    },
    "Gradient": {
        "norm": ["Multiline", ["gradient/norm"]],
        "share of minibatches that were clipped": ["Multiline", ["gradient/clipped_fraction"]],
    },
}


class TensorBoard(Tracker):
    """Scalars, text samples, the curve and the hparams, in one event file in the run's own folder.

    TensorBoard's SummaryWriter would begin another file when a run is continued, and write from a
    thread, whose length at a checkpoint nobody knows; its records and protos are used here.
    """

    def __init__(self, folder: Path, settings: hparams.Settings) -> None:
        begun = sorted(folder.glob(EVENTS + "*"))
        new = folder / f"{EVENTS}{time.time():.0f}.{platform.node()}"
        self.file = (begun[-1] if begun else new).open("ab")
        self.records = RecordWriter(self.file)
        if not begun:
            self._write(Event(file_version="brain.Event:2"))
            self._write(Event(summary=hparams.begin(settings, folder.name)))
            self._write(Event(summary=custom_scalars(CHARTS)))
            self.file.flush()

    def epoch(self, figures: Epoch, val_perplexity: float | None) -> None:
        scalars = {figure.tag: figures[name] for name, figure in FIGURES.items() if figure.tag} | {
            "perplexity/val": val_perplexity
        }
        for tag, value in scalars.items():
            if value is not None:
                self._write(Event(summary=scalar(tag, value), step=figures.epoch))
        self.file.flush()

    def sample(self, epoch: int, prefix: str, text: str, last: bool) -> None:  # noqa: ARG002
        code = "\n".join(f"    {line}" for line in text.splitlines())  # Markdown, letter for letter
        self._write(Event(summary=text_pb(f"samples/{prefix}", code), step=epoch))
        self.file.flush()

    def figure(self, figure: Figure) -> None:
        png, (width, height) = io.BytesIO(), figure.canvas.get_width_height()
        figure.savefig(png, format="png")
        image = Summary.Image(
            encoded_image_string=png.getvalue(), width=width, height=height, colorspace=4
        )
        self._write(Event(summary=Summary(value=[{"tag": "perplexity/curve", "image": image}])))

    def close(self, result: Result) -> None:
        ended = hparams.end(result.status == "completed")
        self._write(Event(summary=ended, step=result.epochs))
        self.file.close()

    def lengths(self) -> dict[str, int]:
        self.file.flush()
        return {Path(self.file.name).name: self.file.tell()}

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self.records.write(event.SerializeToString())
