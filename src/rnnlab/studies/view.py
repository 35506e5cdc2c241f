"""What a person sees of a study: a live table, or plain lines; and the table at its end."""

from __future__ import annotations

import shlex
import textwrap
import time
from pathlib import Path
from types import TracebackType

from rich.live import Live
from rich.table import Table

from rnnlab._common.console import one_line
from rnnlab._common.plain_console import PlainConsole
from rnnlab.config.identity import changed
from rnnlab.runs.folder import MESSAGES, job_number, last_messages, last_metrics
from rnnlab.runs.result import Result, Status
from rnnlab.studies.job import Job
from rnnlab.studies.plan import Plan
from rnnlab.studies.report.entries import Entry, read
from rnnlab.studies.report.ranking import HELD_OUT, TRAINING, Ranking
from rnnlab.studies.report.tables import shown

SHOWN = 20  # running jobs in the live table
LISTED = 20  # runs in the table at the end, the best ones
LOG_LINES = 5  # of a failed job


class StudyView:
    """Jobs done, running and waiting; the best so far; speed and time left."""

    def __init__(self, sweep: Path, planned: Plan) -> None:
        self.sweep, self.planned = sweep, planned
        self.jobs = planned.jobs
        distinct = {job.folder: job.overrides for _, job in planned.rows}
        own = changed([*distinct.values()])
        self.changed = dict(zip(distinct, own, strict=True))
        self.results: dict[Path, Result] = {}  # of jobs that have ended
        self.console = PlainConsole()
        self.started = time.monotonic()
        self.share_before = self._progress()[0]  # what earlier commands have trained
        self.live = Live(console=self.console, transient=True, auto_refresh=False)

    def __enter__(self) -> StudyView:
        asked, invalid = len(self.planned.rows), self.planned.invalid
        same = asked - len(self.jobs) - len(invalid)
        note = f" ({same} of {asked} were duplicates)" if same else ""
        many = "job" if len(self.jobs) == 1 else "jobs"
        self.console.print(f"{len(self.jobs)} {many}{note} in {self.sweep}")
        for bad in invalid:
            self.console.print(f"job {bad.number} is left out: {bad.mistake}")
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
            ranking = Ranking(read(self.sweep)[0])
            self.console.print(self._final(ranking))
            if (left := len(ranking.entries) - LISTED) > 0:
                self.console.print(f"and {left} more, which the report has")
            if best := best_of(ranking):
                self.console.print(f"best: {best}")
            if warned := self._warned():
                self.console.print(f"\n{warned}")
            logdir = shlex.join(["tensorboard", "--logdir", str(self.sweep)])
            self.console.print("\n".join(["", str(self.sweep), *_writing(ranking), logdir]))

    def ended(self, job: Job, result: Result) -> None:
        """A job has ended: told at once if it went wrong, with the end of its log if it failed."""
        self.results[job.folder] = result
        if result.status != Status.completed:
            self.console.print(
                f"job {job.number} {result.status} ({self.changed[job.folder]}): {result.error}"
            )
        elif not self.console.is_terminal:
            early = f"; stopped after {result.epochs} epochs: {result.stopped}"
            stopped = early if result.stopped else ""
            self.console.print(
                f"job {job.number} completed ({len(self.results)}/{len(self.jobs)}): "
                f"perplexity {shown(result.perplexity)}  {self.changed[job.folder]}{stopped}"
            )
        if result.status == Status.failed:
            self._show_log(job.folder)

    def _show_log(self, folder: Path) -> None:
        """Its end, where it can be read."""
        if lines := last_messages(folder, LOG_LINES):
            self.console.print(f"{folder / MESSAGES} ends with:")
            for line in lines:
                self.console.print(f"    {line}")

    def retried(self, jobs: list[Job], reason: str) -> None:
        numbers = ", ".join(str(job.number) for job in jobs)
        self.console.print(f"jobs {numbers}: {reason}; they go on once more")

    def refresh(self) -> None:
        """Look at the folders."""
        if self.console.is_terminal:
            self.live.update(self._table(*self._progress()), refresh=True)

    def _progress(self) -> tuple[float, list[tuple[Job, dict[str, float]]]]:
        """The share of all epochs that is trained, and the last figures of each job that runs."""
        done, whole, running = 0.0, 0, []
        for job in self.jobs:
            whole += job.config.num_epochs
            last = last_metrics(job.folder)
            if job.folder in self.results or job.is_done:
                done += job.config.num_epochs
            elif last:
                done += last["epoch"]
                running.append((job, last))
        return done / whole if whole else 1.0, running

    def _table(self, share: float, running: list[tuple[Job, dict[str, float]]]) -> Table:
        failed = sum(result.status != Status.completed for result in self.results.values())
        elapsed = time.monotonic() - self.started
        trained, speed = share - self.share_before, sum(r["tokens_per_second"] for _, r in running)
        left = f"{elapsed * (1 - share) / trained:.0f} s left" if trained > 0 else "beginning"
        ended = [Entry.of(folder, result) for folder, result in self.results.items()]
        best = best_of(Ranking(ended))
        waiting = len(self.jobs) - len(self.results) - len(running)
        title = (
            f"{len(self.results) - failed} done, {failed} failed, {len(running)} running, "
            f"{waiting} waiting; {speed:,.0f} tokens/s; {left}" + (f"; best {best}" if best else "")
        )
        table = Table(title=textwrap.fill(title, self.console.width))
        for name in ("job", "changed", "epoch", TRAINING):
            table.add_column(name)
        for job, last in running[:SHOWN]:
            table.add_row(
                str(job.number),
                self.changed[job.folder],
                f"{last['epoch']:.0f}/{job.config.num_epochs}",
                shown(last["perplexity"]),
            )
        return table

    def _final(self, ranking: Ranking) -> Table:
        """Of the whole study: what earlier commands asked for, too."""
        table = Table()
        held_out = [HELD_OUT] if any(entry.holds_out for entry in ranking.entries) else []
        for name in ("job", "changed", "status", TRAINING, *held_out):
            table.add_column(name)
        own = {job.folder: job for job in self.planned.all}
        for entry in ranking.runs[LISTED:]:
            own.pop(entry.folder, None)
        for entry in ranking.runs[:LISTED]:
            job, result = own.pop(entry.folder, None), entry.result
            number = job.number if job else job_number(entry.folder)
            table.add_row(
                entry.folder.name if number is None else str(number),
                ranking.brief_words(entry, self.planned.swept)
                or self.changed.get(entry.folder, ""),
                "not ended" if result.status == Status.running else result.status,
                shown(entry.training),
                *(shown(entry.held_out) for _ in held_out),
            )
        for job in own.values():  # nothing came of them yet
            table.add_row(str(job.number), self.changed[job.folder], "not begun")
        return table

    def _warned(self) -> str:
        """What went wrong besides training: the first of it, in one line."""
        found = [
            f"job {job.number}: {warning}"
            for job in self.jobs
            if job.folder in self.results
            for warning in self.results[job.folder].warnings
        ]
        more = f" (and {len(found) - 1} more: result.json has them)" if len(found) > 1 else ""
        return f"warning: {one_line(found[0])}{more}" if found else ""


def _writing(ranking: Ranking) -> list[str]:
    """What makes the best run write, if there is one."""
    for entry in ranking.best[0].entries[:1] if ranking.best else []:
        prefix = next(iter(entry.result.samples), "")
        return [shlex.join(["rnnlab", "generate", str(entry.folder), "--prefix", prefix])]
    return []


def best_of(ranking: Ranking) -> str:
    """Of each text; empty where nothing has completed."""
    return "; ".join(map(ranking.described, ranking.best))
