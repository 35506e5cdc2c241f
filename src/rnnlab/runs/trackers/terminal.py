"""What a person sees of a run: a progress bar, or plain lines where there is no terminal."""

from __future__ import annotations

import shlex
from pathlib import Path

from matplotlib.figure import Figure
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from rnnlab._common.console import one_line
from rnnlab._common.plain_console import PlainConsole
from rnnlab.runs.result import Result, Status
from rnnlab.runs.trackers.tracker import Tracked, Tracker, register
from rnnlab.training.metrics import Epoch

PLAIN_LINES = 20  # lines that a whole run prints where there is no terminal


@register
class Terminal(Tracker):
    """Of a run that trains alone: a live bar, samples, at the end the textbook's closing lines."""

    def __init__(self, run: Tracked) -> None:
        here, folder = Path.cwd(), run.folder
        self.folder = folder.relative_to(here) if folder.is_relative_to(here) else folder
        self.console = PlainConsole()
        self.num_epochs = run.config.num_epochs
        self.next_line = max(1, self.num_epochs // PLAIN_LINES)  # the epoch of the next plain line
        self.progress = Progress(
            _column("epoch {task.completed:.0f}/{task.total:.0f}"),
            BarColumn(),
            _column("perplexity {task.fields[perplexity]:.3g}{task.fields[held_out]}"),
            _column("{task.fields[speed]:,.0f} tokens/s"),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self.console.print(run.description)
        done, minibatches = run.begun or (0, 0)
        if run.begun:
            self.console.print(f"goes on after epoch {done}, {minibatches} minibatches later")
        self.held_out = ""  # the last figure, as text
        self.bar = self.progress.add_task(
            "",
            total=self.num_epochs,
            completed=done,
            perplexity=float("nan"),
            held_out="",
            speed=0.0,
        )
        self.progress.start()

    @classmethod
    def of(cls, run: Tracked) -> Terminal | None:
        return cls(run) if run.is_alone else None

    def epoch(self, figures: Epoch, val_perplexity: float | None) -> None:
        if val_perplexity is not None:
            self.held_out = f", held out {val_perplexity:.4g}"
        self.progress.update(
            self.bar,
            completed=figures.epoch,
            perplexity=figures["perplexity"],
            held_out=self.held_out,
            speed=figures["tokens_per_second"],
        )
        if not self.console.is_terminal and figures.epoch >= self.next_line:
            self.next_line = figures.epoch + max(1, self.num_epochs // PLAIN_LINES)
            self.console.print(
                f"epoch {figures.epoch}/{self.num_epochs}  perplexity {figures['perplexity']:.4g}"
                f"{self.held_out}  {figures['tokens_per_second']:,.0f} tokens/s"
            )

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
        if result.perplexity is not None and result.tokens_per_second is not None:
            self.console.print(
                f"perplexity {result.perplexity:.1f}, "
                f"{result.tokens_per_second:.1f} tokens/sec on {result.device}"
            )
        if result.val_perplexity is not None:
            self.console.print(f"held-out perplexity {result.val_perplexity:.2f}")
        if result.status != Status.diverged:
            for text in result.samples.values():
                self.console.print(text)
        if result.warnings:
            self.console.print(f"warning: {one_line('; '.join(result.warnings))}")
        logs = shlex.quote(str(self.folder.parent))
        self.console.print(f"\n{self.folder}\ntensorboard --logdir {logs}")


def _column(form: str) -> TextColumn:
    return TextColumn(form, markup=False)
