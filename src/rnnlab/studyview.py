"""What a person sees of a study: a live table, or plain lines; and the table at its end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

from rich.live import Live
from rich.table import Table

from rnnlab.console import QuietConsole
from rnnlab.logs import last_metrics
from rnnlab.planning import Invalid, Plan
from rnnlab.results import Result
from rnnlab.stacking import Job
from rnnlab.summary import shown

SHOWN = 20  # running jobs in the live table
LOG_LINES = 5  # of a failed job


class StudyView:
    """Jobs done, running and waiting; the best so far; speed and time left."""

    def __init__(self, sweep: Path, planned: Plan) -> None:
        self.sweep, self.planned = sweep, planned
        self.jobs = planned.jobs
        self.changed = changed([*planned.jobs, *planned.invalid])
        self.results: dict[int, Result] = {}  # of jobs that have ended
        self.console = QuietConsole()
        self.started = time.monotonic()
        self.live = Live(console=self.console, transient=True, auto_refresh=False)

    def __enter__(self) -> StudyView:
        asked, invalid = len(self.planned.rows), self.planned.invalid
        same = asked - len(self.jobs) - len(invalid)
        note = f" ({same} of {asked} were duplicates)" if same else ""
        self.console.print(f"{len(self.jobs)} jobs{note} in {self.sweep}")
        for bad in invalid:
            self.console.print(f"job {bad.number} is left out: {bad.mistake}")
            self.results[bad.number] = bad.write()
        for job in self.jobs:
            if job.before and job.is_done:
                self.ended(job, job.before)
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
        """A job has ended: told at once if it went wrong, with the end of its log if it failed."""
        self.results[job.number] = result
        if result.status != "completed":
            self.console.print(
                f"job {job.number} {result.status} ({self.changed[job.number]}): {result.error}"
            )
        elif not self.console.is_terminal:
            self.console.print(
                f"job {job.number} completed ({len(self.results)}/{len(self.jobs)}): "
                f"perplexity {result.perplexity:.4g}  {self.changed[job.number]}"
            )
        log = job.folder / "run.log"
        if result.status == "failed" and log.exists():
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            self.console.print(f"{log} ends with:")
            for line in lines[-LOG_LINES:]:
                self.console.print(f"    {line}")

    def retried(self, jobs: list[Job], reason: str) -> None:
        numbers = ", ".join(str(job.number) for job in jobs)
        self.console.print(f"jobs {numbers}: {reason}; they go on once more")

    def refresh(self) -> None:
        """Look at the folders."""
        if not self.console.is_terminal:
            return
        done, whole, speed = 0.0, 0, 0.0
        running = []
        for job in self.jobs:
            whole += job.config.num_epochs
            if job.number in self.results:
                done += job.config.num_epochs
                continue
            last = last_metrics(job.folder)
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
        left = f"{elapsed * (1 - share) / share:.0f} s left" if share else "beginning"
        figures = [r.figure for r in self.results.values() if r.figure is not None]
        waiting = len(self.jobs) + len(self.planned.invalid) - len(self.results) - len(running)
        table = Table(
            title=f"{len(self.results) - failed} done, {failed} failed, {len(running)} running, "
            f"{waiting} waiting; "
            + (f"best {min(figures):.4g}; " if figures else "")
            + f"{speed:,.0f} tokens/s; {left}"
        )
        for name in ("job", "changed", "epoch", "perplexity"):
            table.add_column(name)
        for job, last in running[:SHOWN]:
            table.add_row(
                str(job.number),
                self.changed[job.number],
                f"{last['epoch']:.0f}/{job.config.num_epochs}",
                shown(last["perplexity"]),
            )
        return table

    def _final(self) -> Table:
        table = Table()
        for name in ("job", "changed", "status", "perplexity", "held out"):
            table.add_column(name)
        for job in sorted([*self.jobs, *self.planned.invalid], key=self._order):
            result = self.results.get(job.number)
            table.add_row(
                str(job.number),
                self.changed[job.number],
                result.status if result else "not ended",
                shown(result.perplexity if result else None),
                shown(result.val_perplexity if result else None),
            )
        return table

    def _order(self, job: Job | Invalid) -> tuple[bool, float]:
        result = self.results.get(job.number)
        figure = result.figure if result and result.status == "completed" else None
        return figure is None, figure or 0.0


def changed(jobs: Sequence[Job | Invalid]) -> dict[int, str]:
    """What of its overrides a job does not share with all others, by its number."""
    common = set.intersection(*(set(job.overrides) for job in jobs)) if len(jobs) > 1 else set()
    return {job.number: " ".join(own for own in job.overrides if own not in common) for job in jobs}
