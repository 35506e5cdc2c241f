"""What a person sees of a study: a live table, or plain lines; and the table at its end."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType

from rich.live import Live
from rich.table import Table

from rnnlab import study
from rnnlab.results import Result
from rnnlab.stacking import Job
from rnnlab.terminal import QuietConsole

SECONDS = 1.0  # between two looks at the folders


class StudyView:
    """Jobs done, running and waiting; the best so far; speed and time left."""

    def __init__(self, sweep: Path, jobs: list[Job], asked: int) -> None:
        self.sweep, self.jobs, self.asked = sweep, jobs, asked
        self.console = QuietConsole(highlight=False, markup=False, soft_wrap=True)
        self.results: dict[int, Result] = {}
        common = set.intersection(*(set(job.overrides) for job in jobs)) if len(jobs) > 1 else set()
        self.changed = {
            job.number: " ".join(own for own in job.overrides if own not in common) for job in jobs
        }
        self.started, self.looked = time.monotonic(), 0.0
        self.live = Live(console=self.console, transient=True, auto_refresh=False)

    def __enter__(self) -> StudyView:
        same = self.asked - len(self.jobs)
        note = f" ({same} of {self.asked} were duplicates)" if same else ""
        self.console.print(f"{len(self.jobs)} jobs{note} in {self.sweep}")
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.live.stop()
        if kind is None:
            self.console.print(self._final())
            self.console.print(f"\n{self.sweep}\ntensorboard --logdir {self.sweep}")

    def ended(self, job: Job, result: Result) -> None:
        """A job has ended: told at once if it went wrong."""
        self.results[job.number] = result
        if result.status != "completed":
            self.console.print(f"job {job.number} {result.status}: {result.error}")
        elif not self.console.is_terminal:
            self.console.print(
                f"job {job.number} completed ({len(self.results)}/{len(self.jobs)}): "
                f"perplexity {result.perplexity:.4g}  {self.changed[job.number]}"
            )

    def refresh(self) -> None:
        """Look at the folders, at most once a second."""
        if not self.console.is_terminal or time.monotonic() - self.looked < SECONDS:
            return
        self.looked = time.monotonic()
        done, whole, speed = 0.0, 0, 0.0
        running = []
        for job in self.jobs:
            whole += job.config.num_epochs
            if job.number in self.results:
                done += job.config.num_epochs
                continue
            last = study.last_epoch(job)
            if last:
                done += last["epoch"]
                speed += last["tokens_per_second"]
                running.append((job, last))
        self.live.update(self._table(running, done / whole, speed), refresh=True)

    def _table(
        self, running: list[tuple[Job, dict[str, float]]], share: float, speed: float
    ) -> Table:
        failed = sum(result.status != "completed" for result in self.results.values())
        elapsed = time.monotonic() - self.started
        left = elapsed * (1 - share) / share if share else float("nan")
        figures = [r.perplexity for r in self.results.values() if r.perplexity is not None]
        table = Table(
            title=f"{len(self.results) - failed} done, {failed} failed, {len(running)} running, "
            f"{len(self.jobs) - len(self.results) - len(running)} waiting; "
            + (f"best {min(figures):.4g}; " if figures else "")
            + f"{speed:,.0f} tokens/s; {left:.0f} s left"
        )
        for name in ("job", "changed", "epoch", "perplexity"):
            table.add_column(name)
        for job, last in running[:20]:
            table.add_row(
                str(job.number),
                self.changed[job.number],
                f"{last['epoch']:.0f}/{job.config.num_epochs}",
                f"{last['perplexity']:.4g}",
            )
        return table

    def _final(self) -> Table:
        table = Table()
        for name in ("job", "changed", "status", "perplexity", "held out"):
            table.add_column(name)
        for job in sorted(self.jobs, key=self._order):
            result = self.results.get(job.number)
            table.add_row(
                str(job.number),
                self.changed[job.number],
                result.status if result else "not ended",
                _shown(result.perplexity if result else None),
                _shown(result.val_perplexity if result else None),
            )
        return table

    def _order(self, job: Job) -> tuple[bool, float]:
        result = self.results.get(job.number)
        figure = result.perplexity if result and result.status == "completed" else None
        return figure is None, figure or 0.0


def _shown(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.4g}"
