"""TensorBoard: scalars, text samples, the curve and the hparams, in one event file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from rnnlab.config.identity import as_typed, settings_of
from rnnlab.config.schema import Config
from rnnlab.runs import events
from rnnlab.runs.figures import saved
from rnnlab.runs.folder import EVENTS
from rnnlab.runs.result import Result, Status
from rnnlab.runs.trackers.tracker import Tracked, Tracker, register
from rnnlab.training.metrics import FIGURES, Epoch

CHARTS = {  # the tab of custom scalars
    "Perplexity": {
        "train, and held out": ["Multiline", ["perplexity/train", "perplexity/val"]],
    },
    "Gradient": {
        "norm": ["Multiline", ["gradient/norm"]],
        "share of minibatches that were clipped": ["Multiline", ["gradient/clipped_fraction"]],
    },
}
ALONE = """sampler lr theta seed model num_hiddens num_layers optimizer clip dataset batch_size
    num_steps num_epochs precision""".split()


@register
class TensorBoard(Tracker):
    """Writes the run's own event file."""

    logs = (EVENTS + "*",)

    def __init__(self, folder: Path, settings: events.Settings) -> None:
        self.file = events.EventFile(folder)
        if self.file.is_new:
            self.file.add(events.of_settings(settings, folder.name))
            self.file.add(events.of_charts(CHARTS))
            self.file.hand_over()

    @classmethod
    def of(cls, run: Tracked) -> TensorBoard:
        return cls(run.folder, hparams_of(run.config, run.swept))

    def epoch(self, figures: Epoch, val_perplexity: float | None) -> None:
        scalars = {figure.tag: figures[name] for name, figure in FIGURES.items() if figure.tag}
        if val_perplexity is not None:
            scalars["perplexity/val"] = val_perplexity
        for tag, value in scalars.items():
            self.file.add(events.of_number(tag, value), figures.epoch)
        self.file.hand_over()

    def sample(self, epoch: int, prefix: str, text: str, last: bool) -> None:  # noqa: ARG002
        self.file.add(events.of_text(f"samples/{prefix}", text), epoch)
        self.file.hand_over()

    def figure(self, figure: Figure) -> None:
        width, height = figure.canvas.get_width_height()
        png = saved(figure, "png")
        self.file.add(events.of_image("perplexity/curve", png, width, height))

    def close(self, result: Result) -> None:
        self.file.add(events.of_end(result.status == Status.completed), result.epochs)
        self.file.close()

    def lengths(self) -> dict[str, int]:
        return {self.file.path.name: self.file.flush()}


def hparams_of(config: Config, swept: list[str]) -> events.Settings:
    """A row of the hparams: what the run's study varies, or of a run alone what matters most.

    What is null, or has no meaning here, is left out: a column is of numbers or of texts, and
    TensorBoard keeps rows that have nothing in it.
    """
    values = settings_of(config.as_dict())
    named = {name: values.get(name) for name in swept or ALONE}
    return {name: _plain(value) for name, value in named.items() if value is not None}


def _plain(value: Any) -> str | int | float:
    return value if isinstance(value, str | int | float) else as_typed(value)
