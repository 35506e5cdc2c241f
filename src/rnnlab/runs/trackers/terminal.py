"""What a person sees of a run: a progress bar, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Column

from rnnlab._common.console import one_line
from rnnlab._common.plain_console import PlainConsole
from rnnlab.runs.result import Result, Status
from rnnlab.runs.trackers.tracker import Tracked, Tracker, UnderWay, register
from rnnlab.training.metrics import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLAIN_LINES = 20  # lines that a whole run prints where there is no terminal
SILENCE = 10.0  # seconds until a plain line within an epoch; then twice as long, and so on
LONGEST_SILENCE = 600.0
BAR, REST = 10, 12  # columns that the bar has at least; those of the time left, and between all


@register
class Terminal(Tracker):
    """Of a run that trains alone: a live bar, samples, at the end the textbook's closing lines."""

    def __init__(self, run: Tracked) -> None:
        self.console = PlainConsole()
        self.is_live = self.console.is_terminal and not self.console.is_dumb_terminal
        self.num_epochs = run.config.num_epochs
        self.floor = f" (floor {run.floor:.4g})" if run.floor else ""
        self.next_line = max(1, self.num_epochs // PLAIN_LINES)  # the epoch of the next plain line
        self.told, self.silence = time.monotonic(), SILENCE
        self.progress = Progress(
            _column("epoch {task.fields[epoch]}/{task.total}"),
            BarColumn(bar_width=None, table_column=Column(min_width=BAR)),
            _column("{task.fields[figures]}"),
            TimeRemainingColumn(table_column=Column(no_wrap=True)),
            console=self.console,
            transient=True,
            disable=not self.is_live,
        )
        self.console.print(run.description)
        done, minibatches = run.begun or (0, 0)
        if run.begun:
            within = f", {minibatches} minibatches later" if minibatches else ""
            self.console.print(f"goes on after epoch {done}{within}")
        self.held_out = ""  # the last figure, as text
        self.bar = self.progress.add_task(
            "", total=self.num_epochs, completed=done, epoch=done, figures=""
        )
        self.progress.start()

    @classmethod
    def of(cls, run: Tracked) -> Terminal | None:
        return cls(run) if run.is_alone else None

    def epoch(self, figures: Epoch, val_perplexity: float | None) -> None:
        if val_perplexity is not None:
            self.held_out = f"held out {val_perplexity:.4g} (epoch {figures.epoch})"
        self._show(figures, done=figures.epoch)
        if figures.epoch >= self.next_line:
            self.next_line = figures.epoch + max(1, self.num_epochs // PLAIN_LINES)
            self._tell(figures, f"epoch {figures.epoch}/{self.num_epochs}")

    def minibatch(self, under_way: UnderWay, logged: bool) -> None:  # noqa: ARG002
        figures, M = under_way.figures, under_way.num_minibatches
        i, done = figures["updates"], figures.epoch - 1
        self._show(figures, f"minibatch {i}/{M}", done=done + i / M)
        if time.monotonic() - self.told > self.silence:
            self.silence = min(2 * self.silence, LONGEST_SILENCE)
            self._tell(figures, f"epoch {done}/{self.num_epochs}, minibatch {i}/{M}")

    def _show(self, figures: Epoch, *where: str, done: float) -> None:
        """In the bar: what there is room for, from the left."""
        parts = [f"perplexity {figures['perplexity']:.3g}", self.held_out, *where, _speed(figures)]
        room = self.console.width - len(f"epoch {self.num_epochs}/{self.num_epochs}") - BAR - REST
        self.progress.update(
            self.bar, completed=done, epoch=int(done), figures=fitting(filter(None, parts), room)
        )

    def _tell(self, figures: Epoch, where: str) -> None:
        """In a line, where there is no bar."""
        if self.is_live:
            return
        self.told = time.monotonic()
        perplexity = f"perplexity {figures['perplexity']:.4g}{self.floor}"
        known = ", ".join(filter(None, (perplexity, self.held_out)))
        self.console.print(f"{where}  {known}  {_speed(figures)}")

    def sample(self, epoch: int, prefix: str, text: str, last: bool) -> None:  # noqa: ARG002
        if not last:
            self.console.print(f"epoch {epoch}: {text}")

    def figure(self, figure: Figure) -> None:
        """A terminal shows none."""

    def close(self, result: Result) -> None:
        self.progress.stop()
        if result.status == Status.running:  # an exception is on its way, and says what happened
            return
        if result.status != Status.completed:
            reason = f": {result.error}" if result.error else ""
            self.console.print(f"{result.status} after {result.epochs} epochs{reason}.")
        elif result.stopped:
            self.console.print(f"stopped after {result.epochs} epochs: {result.stopped}.")
        if result.perplexity is not None and result.tokens_per_second is not None:
            self.console.print(
                f"perplexity {_beside(result.perplexity, result.floor)}, "
                f"{result.tokens_per_second:.1f} tokens/sec on {result.device}"
            )
        if result.val_perplexity is not None:
            beside = _beside(result.val_perplexity, result.floor, digits=2)
            self.console.print(f"held-out perplexity {beside}")
        for length, found in result.lengths.items():
            self.console.print(f"at length {length}: {', '.join(_at_length(found))}")
        if result.status != Status.diverged:
            for text in result.samples.values():
                self.console.print(text)
        if result.warnings:
            self.console.print(f"warning: {one_line('; '.join(result.warnings))}")


def fitting(parts: Iterable[str], room: int) -> str:
    """The first of them that have room together, side by side."""
    shown = ""
    for part in parts:
        longer = f"{shown}  {part}" if shown else part
        if len(longer) > room:
            break
        shown = longer
    return shown


def _beside(perplexity: float, floor: float | None, digits: int = 1) -> str:
    """As the textbook prints it, and no hundred digits of one that exploded; 2.31 (floor 2.27)."""
    if floor:
        return f"{perplexity:.4g} (floor {floor:.4g})"
    return f"{perplexity:.{digits}f}" if perplexity < 1e6 else f"{perplexity:.4g}"


def _at_length(found: dict[str, float | None]) -> Iterator[str]:
    """Of eval.lengths: what there is of perplexity, excess and accuracy."""
    yield f"perplexity {found['perplexity']:.4g}"
    if found["excess_nats"] is not None:
        yield f"{found['excess_nats']:.3g} nats above the floor"
    if found["accuracy"] is not None:
        yield f"{found['accuracy']:.1%} of the answers right"


def _speed(figures: Epoch) -> str:
    return f"{figures['tokens_per_second']:,.0f} tokens/s"


def _column(form: str) -> TextColumn:
    return TextColumn(form, markup=False)
