"""TensorBoard: scalars, text samples, the curve and the hparams, in one event file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnlab.config.identity import flat
from rnnlab.config.schema import Config
from rnnlab.runs import events
from rnnlab.runs.figures import saved
from rnnlab.runs.folder import EVENTS
from rnnlab.runs.result import Result, Status
from rnnlab.runs.trackers.tracker import Tracked, Tracker, UnderWay, register
from rnnlab.training.metrics import FIGURES, Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

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

    def __init__(self, folder: Path, settings: events.Settings, remarks: dict[str, str]) -> None:
        self.file = events.EventFile(folder)
        if self.file.is_new:
            self.file.add(events.of_settings(settings, folder.name))
            self.file.add(events.of_charts(CHARTS))
            for name, text in remarks.items():
                self.file.add(events.of_text(name, text))
            self.file.hand_over()

    @classmethod
    def of(cls, run: Tracked) -> TensorBoard:
        remarks = {"tags": ", ".join(run.config.tags), "note": run.config.note}
        given = {name: text for name, text in remarks.items() if text}
        return cls(run.folder, settings_of(run.config, run.swept), given)

    def epoch(self, figures: Epoch, val_perplexity: float | None) -> None:
        scalars = {figure.tag: figures[name] for name, figure in FIGURES.items() if figure.tag}
        if val_perplexity is not None:
            scalars["perplexity/val"] = val_perplexity
        for tag, value in scalars.items():
            self.file.add(events.of_number(tag, value), figures.epoch)
        self.file.hand_over()

    def minibatch(self, under_way: UnderWay, logged: bool) -> None:
        if logged:
            perplexity = events.of_number("perplexity/running", under_way.figures["perplexity"])
            self.file.add(perplexity, under_way.step)
            self.file.hand_over()

    def sample(self, epoch: int, prefix: str, text: str, last: bool) -> None:  # noqa: ARG002
        self.file.add(events.of_text(f"samples/{prefix}", text), epoch)
        self.file.hand_over()

    def figure(self, figure: Figure) -> None:
        width, height = figure.canvas.get_width_height()
        png = saved(figure, "png")
        self.file.add(events.of_image("perplexity/curve", png, width, height))

    def close(self, result: Result) -> None:
        if result.status != Status.interrupted:  # which is no end: readers keep the first one
            self.file.add(events.of_end(result.status == Status.completed), result.epochs)
        self.file.close()

    def lengths(self) -> dict[str, int]:
        return {self.file.name: self.file.flush()}


def settings_of(config: Config, swept: list[str]) -> events.Settings:
    """A row of the hparams: what the run's study varies, or of a run alone what matters most."""
    values = flat(config.as_dict()) | {"optimizer": config.optimizer.title}
    return {name: _plain(values.get(name)) for name in swept or ALONE}


def _plain(value: Any) -> str | int | float:
    return value if isinstance(value, str | int | float) else str(value)
