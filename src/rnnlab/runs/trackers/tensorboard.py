"""TensorBoard: scalars, text samples and the curve in one event file, the hparams in another."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

from rnnlab.config.schema import Config
from rnnlab.instruments import named
from rnnlab.runs import events
from rnnlab.runs.folder import EVENTS
from rnnlab.runs.result import Result, Status
from rnnlab.runs.row import write_row
from rnnlab.runs.trackers.tracker import Tracked, Tracker, UnderWay, register
from rnnlab.training.metrics import FIGURES, Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rnnlab.instruments.panel import Values

# TensorBoard orders by the alphabet: what only some runs have comes after perplexity
PROBE, LENGTHS = "probe", "tested_at_length"
PERPLEXITY = {  # charts in the tab of custom scalars, and what each shows
    "training, held out, and the floor": ["perplexity/train", "perplexity/val", "perplexity/floor"],
}
ABOVE_FLOOR = {"nats above the floor": ["perplexity/excess_nats"]}
GRADIENT = {
    "norm, before clipping": ["training/gradient_norm"],
    "share of clipped minibatches": ["training/clipped_fraction"],
}


@register
class TensorBoard(Tracker):
    """Writes the run's own event files."""

    logs = (EVENTS + "*",)

    def __init__(self, run: Tracked) -> None:
        self.run = run
        self.file = events.EventFile(run.folder)
        if self.file.is_new:
            self.file.add(events.of_charts(charts(run.floor)))
            for name, text in remarks_of(run.config).items():
                self.file.add(events.of_text(name, text))
            self.file.hand_over()
        self._show_row(Status.running)

    @classmethod
    def of(cls, run: Tracked) -> TensorBoard:
        return cls(run)

    def epoch(self, figures: Epoch, val_perplexity: float | None) -> None:
        tags = {name: figure.tag for name, figure in FIGURES.items() if figure.tag}
        own = figures.figures
        scalars = {tag: own[name] for name, tag in tags.items() if name in own}
        if val_perplexity is not None:
            scalars["perplexity/val"] = val_perplexity
        scalars |= self._beside_floor(own["perplexity"], val_perplexity)
        self.file.add(events.of_numbers(scalars), figures.epoch)
        self.file.hand_over()

    def _beside_floor(self, train: float, val: float | None) -> dict[str, float]:
        """The floor, and how far above it is what counts where that was taken."""
        floor, paid = self.run.floor, self.run.source_nats
        figure = val if self.run.config.dataset.val_fraction > 0 else train
        if not floor or paid is None:
            return {}
        above = {"perplexity/excess_nats": math.log(figure) - paid} if figure else {}
        return {"perplexity/floor": floor} | above

    def minibatch(self, under_way: UnderWay, logged: bool) -> None:
        if logged:
            running = {"within_epoch/perplexity": under_way.figures["perplexity"]}
            self.file.add(events.of_numbers(running), under_way.step)
            self.file.hand_over()

    def look(self, epoch: int, values: Values) -> None:
        for name, own in values.items():
            tags = {f"{PROBE}_{name}/{key}": value for key, value in own.items()}
            match named(name).kind:
                case "number":
                    self.file.add(events.of_numbers(tags), epoch)
                case "histogram":
                    for tag, shares in tags.items():
                        self.file.add(events.of_histogram(tag, -1, 1, shares), epoch)
        self.file.hand_over()

    def picture(self, epoch: int, name: str, figure: Figure) -> None:
        self._show(f"{PROBE}/{name}", figure, epoch)

    def sample(self, epoch: int, prefix: str, text: str, last: bool) -> None:  # noqa: ARG002
        self.file.add(events.of_text(f"samples/{prefix}", text), epoch)
        self.file.hand_over()

    def figure(self, figure: Figure) -> None:
        self._show("training_curve/perplexity", figure)

    def _show(self, tag: str, figure: Figure, step: int = 0) -> None:
        from rnnlab.runs.figures import saved

        width, height = figure.canvas.get_width_height()
        self.file.add(events.of_image(tag, saved(figure, "png"), width, height), step)

    def close(self, result: Result) -> None:
        for length, found in result.lengths.items():  # a curve over the lengths
            own = {f"{LENGTHS}/{name}": y for name, y in found.items() if y is not None}
            self.file.add(events.of_numbers(own), int(length))
        self.file.close()
        self._show_row(result.status)

    def _show_row(self, status: Status) -> None:
        """Without it the run is what it is."""
        with contextlib.suppress(OSError):
            run = self.run
            write_row(run.folder, run.config, run.swept, run.dataset_sha256, status)

    def lengths(self) -> dict[str, int]:
        return {self.file.name: self.file.flush()}


def charts(floor: float | None) -> dict[str, dict[str, list[str]]]:
    """TensorBoard shows those of all runs, each once: so a floor's where one run has it."""
    return {"Perplexity": PERPLEXITY | (ABOVE_FLOOR if floor else {}), "Gradient": GRADIENT}


def remarks_of(config: Config) -> dict[str, str]:
    remarks = {"tags": ", ".join(config.tags), "note": config.note}
    return {name: text for name, text in remarks.items() if text}
