"""Where a run's figures go: metrics.jsonl, samples.txt, TensorBoard, the terminal.

Every tracker has the same methods; the loop in experiment.py calls them and knows no more.
"""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from pathlib import Path

from matplotlib.figure import Figure
from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.text.summary_v2 import text_pb
from torch.utils.tensorboard import SummaryWriter

from rnnlab import hparams
from rnnlab.metrics import Epoch
from rnnlab.results import Result, to_json


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


class Files(Tracker):
    """metrics.jsonl, an object a logged epoch; samples.txt; perplexity.svg."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.metrics = (folder / "metrics.jsonl").open("a", encoding="utf-8")
        self.samples = (folder / "samples.txt").open("a", encoding="utf-8")

    def epoch(self, figures: Epoch, val_perplexity: float | None) -> None:
        values = dataclasses.asdict(figures) | {
            "val_perplexity": val_perplexity,
            "bits_per_token": figures.bits_per_token,
            "tokens_per_second": figures.tokens_per_second,
        }
        self.metrics.write(to_json(values) + "\n")
        self.metrics.flush()

    def sample(self, epoch: int, prefix: str, text: str, last: bool) -> None:  # noqa: ARG002
        self.samples.write(f"epoch {epoch}: {text}\n")
        self.samples.flush()

    def figure(self, figure: Figure) -> None:
        figure.savefig(self.folder / "perplexity.svg")

    def close(self, result: Result) -> None:  # noqa: ARG002
        self.metrics.close()
        self.samples.close()


class TensorBoard(Tracker):
    """Scalars, text samples, the curve and the hparams, all in the run's own folder."""

    def __init__(self, folder: Path, settings: hparams.Settings) -> None:
        self.scalars = SummaryWriter(str(folder))
        for summary in hparams.begin(settings, folder.name):
            self._write(summary, 0)

    def epoch(self, figures: Epoch, val_perplexity: float | None) -> None:
        scalars = {
            "perplexity/train": figures.perplexity,
            "perplexity/val": val_perplexity,
            "loss/train": figures.loss,
            "loss/bits_per_token": figures.bits_per_token,
            "speed/tokens_per_second": figures.tokens_per_second,
            "gradient/norm": figures.gradient_norm,
            "gradient/clipped_fraction": figures.clipped_fraction,
        }
        for tag, value in scalars.items():
            if value is not None:
                self.scalars.add_scalar(tag, value, figures.epoch)

    def sample(self, epoch: int, prefix: str, text: str, last: bool) -> None:  # noqa: ARG002
        code = "\n".join(f"    {line}" for line in text.splitlines())  # Markdown, letter for letter
        # SummaryWriter.add_text would add "/text_summary" to the tag
        self._write(text_pb(f"samples/{prefix}", code), epoch)

    def figure(self, figure: Figure) -> None:
        self.scalars.add_figure("perplexity/curve", figure)

    def close(self, result: Result) -> None:
        self._write(hparams.end(result.status == "completed"), result.epochs)
        self.scalars.close()

    def _write(self, summary: Summary, step: int) -> None:
        assert self.scalars.file_writer is not None
        self.scalars.file_writer.add_summary(summary, step)
