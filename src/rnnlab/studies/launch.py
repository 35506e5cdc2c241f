"""A study in four lines: plan -> show | train -> report."""

from __future__ import annotations

import itertools
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any, Protocol

from rnnlab._common.console import complain, one_line, say
from rnnlab._common.errors import ConfigError, require
from rnnlab._common.files import InUseError, locked, make_folder, remove_leftovers_of
from rnnlab._common.interrupts import stop_requests
from rnnlab._common.machine import cores
from rnnlab._common.program import going_on, training
from rnnlab.runs.composed import Composed, save_mistaken
from rnnlab.runs.folder import RESULT
from rnnlab.runs.needs import notes_on_engine
from rnnlab.runs.result import Status
from rnnlab.studies.background import go_on
from rnnlab.studies.command import COMMANDS, Command, Shown, changes_of, note
from rnnlab.studies.executors.backends import executor_of, require_backend
from rnnlab.studies.executors.gpus import gpus_for
from rnnlab.studies.executors.worker import STOP, stop_asked_in
from rnnlab.studies.job import Asked, Job, Mistaken
from rnnlab.studies.loop import Loop
from rnnlab.studies.mistakes import refuse_mistakes
from rnnlab.studies.plan import Going, Plan, plan
from rnnlab.studies.report import REPORTS
from rnnlab.studies.stacks import Stack, stacks
from rnnlab.studies.view import StudyView


@dataclass(frozen=True)
class Batch:
    """What a sweeper wants to know now."""

    sweep: Path  # the study's folder
    first: int  # number of the first job
    asked: Sequence[Asked | Mistaken]
    command: Command
    listed: Sequence[str] = ()  # names that the command gives several values
    workers: int | None = None  # processes; None: one for each core, or for each GPU
    lanes: int | None = None  # at most this many in a stack; None: what was measured to be fast
    backend: str = "local"
    settings: Any = None  # of the backend (config/backends.py)
    is_search: bool = False  # more is asked for, once it is known what came of this


class Records(Protocol):
    """Who knows what a job was composed of."""

    def folder_name(self, overrides: tuple[str, ...], number: int, own: str) -> str:
        """What the folder of a new job is called; `own`: its overrides that others do not have."""
        ...

    def note(self, sweep: Path, changed: Mapping[str, Any]) -> None:
        """The study trains now, with these values in place of those of its command."""
        ...

    def begin(self, job: Job) -> dict[str, str]:
        """The job begins soon; texts to be saved in its folder, by their files' names."""
        ...


def launch(batch: Batch, records: Records) -> Plan:
    """Train a batch; what became of its jobs is in their folders.

    Raises ConfigError, Shown, and KeyboardInterrupt after a stop that was asked for.
    """
    if not batch.command.skips_invalid:
        refuse_mistakes(batch.asked, batch.first)
    require_backend(batch.backend)
    if batch.command.plan:
        _show(batch, _planned(batch, records))
        raise Shown
    if not batch.sweep.exists():
        _planned(batch, records)  # what is refused leaves no folder
    detaches, is_local = batch.command.detach, batch.backend == "local"
    rule = "a search waits for its trials; backend=local does so in the background"
    require(is_local or not (detaches and batch.is_search), "detach=true of a search", rule)
    with _held(batch.sweep):
        planned = _begun(batch, records)
        if not detaches:
            with _saying_how_to_go_on(batch.sweep, planned):
                stopped = _train(batch, planned, records)
                _tell_all(planned)
                _report(batch.sweep)
                if stopped:
                    raise KeyboardInterrupt
            return planned
        if not is_local:
            _leave(batch, planned, records)
    if is_local:  # and is free to hold the folder
        say(f"process {go_on(batch.sweep, batch.command)} trains")
    say(f"{batch.sweep}\nrnnlab status {shlex.quote(str(batch.sweep))}")
    raise Shown


def _begun(batch: Batch, records: Records) -> Plan:
    """The plan, once the folder says what is trained there."""
    for name in (COMMANDS, *REPORTS):
        remove_leftovers_of(batch.sweep, name)
    (batch.sweep / STOP).unlink(missing_ok=True)
    planned = _planned(batch, records)
    note(batch.sweep, batch.command)
    changes = changes_of(batch.sweep, batch.command)
    records.note(batch.sweep, {n: v for each in changes for n, v in each.values.items()})
    return planned


@contextmanager
def _saying_how_to_go_on(sweep: Path, planned: Plan) -> Iterator[None]:
    """The last line, wherever there is something left to train, and however that came about."""
    advice = f"go on with: {going_on(sweep)}"
    try:
        yield
    except KeyboardInterrupt:
        say(advice)
        raise
    except Exception as error:
        error.add_note(advice)  # what is said of the error comes before it
        raise
    statuses = planned.statuses()
    if any(status not in (Status.completed, Status.diverged) for status in statuses):
        say(advice)
    elif Status.diverged in statuses:
        number = statuses.count(Status.diverged)
        more = training("-m", "lr=...", f"sweep={sweep}")
        say(f"{number} of {len(statuses)} jobs diverged; to add some with a smaller lr: {more}")


def _tell_all(planned: Plan) -> None:
    """What a study's jobs differ in is the same for all of them, those of earlier commands too."""
    stale = [folder for folder, swept in planned.told.items() if swept != planned.swept]
    if not stale:
        return
    from rnnlab.runs.row import write_swept

    for folder in stale:
        try:
            write_swept(folder, planned.swept)
        except (ConfigError, OSError) as error:
            complain(f"left as it was: {error}")


def _planned(batch: Batch, records: Records) -> Plan:
    command = batch.command
    changes = changes_of(batch.sweep, command)
    going = Going(batch.listed, changes, command.change, command.is_stored)
    return plan(batch.sweep, batch.first, batch.asked, records.folder_name, going)


def _show(batch: Batch, planned: Plan) -> None:
    from rnnlab.studies.preview import show_plan

    room = _room(batch, planned)
    show_plan(planned, room.divide(planned.wanted, planned.jobs), room.workers)


def _train(batch: Batch, planned: Plan, records: Records) -> bool:
    """Whether it was stopped."""
    view, asked = StudyView(batch.sweep, planned), stop_asked_in(batch.sweep)
    loop = _loop(batch, planned, records, view)
    with stop_requests() as stop, view:
        loop.train(planned.wanted, lambda: stop() or asked())
        return stop() or asked()


def _leave(batch: Batch, planned: Plan, records: Records) -> None:
    """All of it in a queue, whose names for it are told."""
    loop = _loop(batch, planned, records, StudyView(batch.sweep, planned))
    for name, stack in loop.leave(planned.wanted).items():
        numbers = ", ".join(str(job.number) for job in stack)
        say(f"{name}: {'job' if len(stack) == 1 else 'jobs'} {numbers}")


def _loop(batch: Batch, planned: Plan, records: Records, view: StudyView) -> Loop:
    """With all its jobs' folders."""
    for bad in planned.invalid:
        if bad.before is None:
            save_mistaken(bad.folder, bad.overrides, bad.mistake)
    for job in planned.wanted:  # in their order, so that a study that goes on numbers them so
        if job.before is None:
            Composed(job.overrides).save(job.folder)
    room = _room(batch, planned)
    configs = [job.config for job in planned.wanted]
    kinds = {(each.engine, each.precision, each.model): each for each in configs}
    notes = [notes_on_engine(each, room.device_type) for each in kinds.values()]
    for said in dict.fromkeys(itertools.chain(*notes)):
        say(said)
    executor = executor_of(batch.backend, batch.sweep, batch.settings, room.workers, room.gpus)
    divide = partial(room.divide, study=planned.jobs)
    return Loop(executor, divide, partial(_open_folder, records), view, batch.sweep)


def _report(sweep: Path) -> None:
    """The jobs are what counts: without it the study ends as it would with it."""
    if not any(sweep.rglob(RESULT)):
        return
    try:
        from rnnlab.studies.report.write import write_report

        say(write_report(sweep))
    except Exception as error:
        complain(one_line(f"warning: the report could not be written: {error}"))


def _open_folder(records: Records, job: Job) -> None:
    Composed(job.overrides, records.begin(job)).save(job.folder)


@contextmanager
def _held(sweep: Path) -> Iterator[None]:
    """Keep other studies out of the folder."""
    make_folder(sweep)
    with ExitStack() as holding:
        try:
            holding.enter_context(locked(sweep))
        except InUseError:
            raise ConfigError(
                f"{sweep} is in use: another study trains there; wait for it, or choose another "
                "folder with sweep=FOLDER."
            ) from None
        yield


@dataclass(frozen=True)
class Room:
    """For how many stacks at once there is room, and for how deep ones."""

    workers: int
    gpus: tuple[int, ...] = ()  # of this machine
    gpu_bytes: int | None = None  # that a stack may fill; None: it trains on a CPU
    lanes: int | None = None

    def divide(self, jobs: Sequence[Job], study: Sequence[Job]) -> list[Stack]:
        return stacks(jobs, study, self.workers, self.gpu_bytes, self.lanes)

    @property
    def device_type(self) -> str:
        return "cpu" if self.gpu_bytes is None else "cuda"


def _room(batch: Batch, planned: Plan) -> Room:
    if batch.backend != "local":  # whose memory is not known here: see worker.train
        gpu_bytes = sys.maxsize if batch.settings.gpus else None
        return Room(batch.workers or 1, (), gpu_bytes, batch.lanes)
    free = gpus_for({job.config.device for job in planned.wanted})
    if not free:
        return Room(batch.workers or cores(), lanes=batch.lanes)
    workers = batch.workers or len(free)
    sharing = ceil(workers / len(free))  # a GPU
    return Room(workers, (*free,), min(free.values()) * 9 // 10 // sharing, batch.lanes)
