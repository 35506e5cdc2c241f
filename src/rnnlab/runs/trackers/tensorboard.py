"""TensorBoard: scalars, text samples, the curve and the hparams, in one event file."""

from __future__ import annotations

import io
import platform
import time
from pathlib import Path

from matplotlib.figure import Figure
from tensorboard.compat.proto.event_pb2 import Event
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.text.summary_v2 import text_pb
from tensorboard.summary.writer.record_writer import RecordWriter
from torch.utils.tensorboard.summary import custom_scalars, scalar

from rnnlab.runs.folder import EVENTS
from rnnlab.runs.result import Result, Status
from rnnlab.runs.trackers import hparams
from rnnlab.runs.trackers.tracker import Tracked, Tracker, register
from rnnlab.training.metrics import FIGURES, Epoch

CHARTS = {  # TensorBoard's tab of custom scalars
    "Perplexity": {
        "train, and held out": ["Multiline", ["perplexity/train", "perplexity/val"]],
    },
    "Gradient": {
        "norm": ["Multiline", ["gradient/norm"]],
        "share of minibatches that were clipped": ["Multiline", ["gradient/clipped_fraction"]],
    },
}


@register
class TensorBoard(Tracker):
    """Writes the run's own event file, and goes on with it when the run is continued.

    TensorBoard's SummaryWriter would begin another file when a run is continued, and write from a
    thread, whose length at a checkpoint nobody knows; its records and protos are used here.
    """

    logs = (EVENTS + "*",)

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

    @classmethod
    def of(cls, run: Tracked) -> TensorBoard:
        return cls(run.folder, hparams.settings(run.config, run.swept))

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
        ended = hparams.end(result.status == Status.completed)
        self._write(Event(summary=ended, step=result.epochs))
        self.file.close()

    def lengths(self) -> dict[str, int]:
        self.file.flush()
        return {Path(self.file.name).name: self.file.tell()}

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        self.records.write(event.SerializeToString())
