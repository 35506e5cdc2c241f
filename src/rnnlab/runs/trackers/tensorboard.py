"""TensorBoard: scalars, text samples and the curve in one event file, the hparams in another."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnlab.config.identity import as_typed, settings_of
from rnnlab.config.schema import Config
from rnnlab.config.stored import from_dict
from rnnlab.runs import events
from rnnlab.runs.folder import EVENTS, held
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
    """Writes the run's own event files."""

    logs = (EVENTS + "*",)

    def __init__(self, run: Tracked) -> None:
        self.run = run
        self.file = events.EventFile(run.folder)
        if self.file.is_new:
            self.file.add(events.of_charts(CHARTS))
            for name, text in remarks_of(run.config).items():
                self.file.add(events.of_text(name, text))
            self.file.hand_over()
        self._show_row(Status.running)

    @classmethod
    def of(cls, run: Tracked) -> TensorBoard:
        return cls(run)

    def epoch(self, figures: Epoch, val_perplexity: float | None) -> None:
        scalars = {figure.tag: figures[name] for name, figure in FIGURES.items() if figure.tag}
        if val_perplexity is not None:
            scalars["perplexity/val"] = val_perplexity
        self.file.add(events.of_numbers(scalars), figures.epoch)
        self.file.hand_over()

    def minibatch(self, under_way: UnderWay, logged: bool) -> None:
        if logged:
            running = {"perplexity/running": under_way.figures["perplexity"]}
            self.file.add(events.of_numbers(running), under_way.step)
            self.file.hand_over()

    def sample(self, epoch: int, prefix: str, text: str, last: bool) -> None:  # noqa: ARG002
        self.file.add(events.of_text(f"samples/{prefix}", text), epoch)
        self.file.hand_over()

    def figure(self, figure: Figure) -> None:
        from rnnlab.runs.figures import saved

        width, height = figure.canvas.get_width_height()
        png = saved(figure, "png")
        self.file.add(events.of_image("perplexity/curve", png, width, height))

    def close(self, result: Result) -> None:
        self.file.close()
        self._show_row(result.status)

    def _show_row(self, status: Status) -> None:
        """Without it the run is what it is."""
        with contextlib.suppress(OSError):
            write_row(self.run.folder, self.run.config, self.run.swept, status)

    def lengths(self) -> dict[str, int]:
        return {self.file.name: self.file.flush()}


def remarks_of(config: Config) -> dict[str, str]:
    remarks = {"tags": ", ".join(config.tags), "note": config.note}
    return {name: text for name, text in remarks.items() if text}


def hparams_of(config: Config, swept: list[str]) -> events.Settings:
    """A row of the hparams: what the run's study varies, or of a run alone what matters most.

    What is null, or has no meaning here, is left out: a column is of numbers or of texts, and
    TensorBoard keeps rows that have nothing in it.
    """
    values = settings_of(config.as_dict()) | {"optimizer": config.optimizer.title}
    named = {name: values.get(name) for name in swept or ALONE}
    return {name: _plain(value) for name, value in named.items() if value is not None}


def write_row(folder: Path, config: Config, swept: list[str], status: Status) -> None:
    ended = status == Status.completed if status.has_ended else None
    events.write_row(folder, hparams_of(config, swept), ended)


def write_swept(folder: Path, swept: list[str]) -> None:
    """A run's study has grown, and its jobs differ in these settings now.

    Raises ConfigError where the run's result cannot be read, or another process works there.
    """
    with held([folder]):
        result = Result.read(folder)
        write_row(folder, from_dict(result.config), swept, result.status)
        result.swept = swept
        result.write(folder)


def _plain(value: Any) -> str | int | float:
    return value if isinstance(value, str | int | float) else as_typed(value)
