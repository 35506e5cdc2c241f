"""Runs that train together, each as a lane of one training; one run is a stack of one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

from rnnlab._common.errors import require
from rnnlab._common.files import flush_names_of, make_folder
from rnnlab._common.interrupts import StopAskedError, stop_requests
from rnnlab._common.program import resuming
from rnnlab._common.torchrun import processes
from rnnlab.config.schema import Config
from rnnlab.runs import ownership
from rnnlab.runs.build import build_lane
from rnnlab.runs.checkpoint import Checkpoint
from rnnlab.runs.composed import Composed
from rnnlab.runs.ending import ending
from rnnlab.runs.folder import LAST, NEXT, RESULT, cut_back, held, remove_leftovers
from rnnlab.runs.helper import known_to_all
from rnnlab.runs.observer import observers
from rnnlab.runs.ownership import LostError
from rnnlab.runs.preflight import Corpora, check
from rnnlab.runs.record import Record
from rnnlab.runs.result import Result, Status
from rnnlab.runs.run import Run
from rnnlab.runs.staging import commit
from rnnlab.runs.start import pinned
from rnnlab.runs.surroundings import resolve_device
from rnnlab.runs.trackers import log_names
from rnnlab.training.lane import OneLane
from rnnlab.training.loop import Training
from rnnlab.training.metrics import Epoch
from rnnlab.training.ranks import RankLostError, Ranks


def run(
    config: Config,
    folder: Path,
    corpora: Corpora | None = None,
    composed: Composed | None = None,
) -> Result:
    """Train one job in `folder` and return its result, which result.json also holds.

    Raises ConfigError for what the user can put right, a folder that has a run among it. Whatever
    happens, result.json says how the run ended.
    """
    return run_stack([config], [folder], corpora, composed=[composed] if composed else [])[0]


def run_stack(
    configs: list[Config],
    folders: list[Path],
    corpora: Corpora | None = None,
    swept: list[str] | None = None,
    composed: Sequence[Composed] = (),
) -> list[Result]:
    """The same for jobs that train together: all their shapes agree. `swept`: see Result."""
    corpora = Corpora() if corpora is None else corpora
    configs = [pinned(config) for config in configs]
    for config in configs:
        check(config, corpora)
    for folder in folders:
        make_folder(folder)
    with held(folders):
        for folder in folders:
            _refuse_run_in(folder)
            flush_names_of(folder)  # Hydra may have made it
        for own, folder in zip(composed, folders, strict=False):
            own.save(folder)
        return begin(configs, folders, corpora, swept)


def _refuse_run_in(folder: Path) -> None:
    """Raise ConfigError where another run was begun before."""
    require(
        not (folder / RESULT).exists(),
        f"training in {folder}",
        f"it holds a run already; choose another folder with hydra.run.dir=FOLDER, "
        f"or type: {resuming(folder)}",
    )


def begin(
    configs: list[Config], folders: list[Path], corpora: Corpora, swept: list[str] | None = None
) -> list[Result]:
    """From the first minibatch, in folders that are held, jobs that were found possible.

    What is left there of runs that were ended before their first checkpoint is removed.
    """
    device = resolve_device(configs[0].device)
    names = [folder.absolute().name for folder in folders]
    for folder in folders:
        _clear(folder)
    records = [
        Record.begun(job, corpora[job.dataset], folder, device, stack=names, swept=swept or [])
        for job, folder in zip(configs, folders, strict=True)
    ]
    train(records)
    return [record.result for record in records]


def _clear(folder: Path) -> None:
    require(not (folder / LAST).exists(), f"beginning in {folder}", "it has a checkpoint")
    for name in (RESULT, NEXT):
        (folder / name).unlink(missing_ok=True)
    remove_leftovers(folder)
    cut_back(folder, {}, log_names())


def train(places: Sequence[Record | None], begun: Sequence[Checkpoint] = ()) -> None:
    """Train the lanes together to their ends; the one of None stays idle.

    `begun` are the checkpoints, one a record, that the runs go on from; without them they begin.
    """
    records = [record for record in places if record]
    with ending(records), stop_requests() as stop, ExitStack() as closing:
        training = _training(places, records[0])
        lanes = [OneLane(training, k) for k, record in enumerate(places) if record]
        if not begun:
            for record, lane in zip(records, lanes, strict=True):
                record.start(lane.parameters)
        seen = observers(training, places)
        made = (
            map(Run.resume, records, lanes, seen, begun)
            if begun
            else map(Run.begin, records, lanes, seen)
        )
        stack = Stack(training, [closing.enter_context(run) for run in made], stop)
        if training.ranks:
            training.ranks.share(known_to_all(training, records[0].result.config_id))
            stop = training.ranks.agreeing(stop)
            closing.callback(training.ranks.leave)
        if not begun:
            stack.save()  # from here on there is something to continue
        stack.train(stop)


def _training(places: Sequence[Record | None], first: Record) -> Training:
    """A lane for every place; those of None are idle."""
    like = [place or first for place in places]
    ranks = Ranks(first.recipe.device) if processes() > 1 else None
    lanes = [build_lane(each.config, each.corpus) for each in like]
    training = Training(first.recipe, lanes, ranks)
    for k, place in enumerate(places):
        if place is None:
            OneLane(training, k).idle()
    return training


LOOK_SECONDS = 1.0  # of an epoch, between two figures that are shown


class Stack:
    """What trains, and whose it is."""

    def __init__(self, training: Training, runs: list[Run], asked: Callable[[], bool]) -> None:
        """`asked`: whether a stop was asked for here, of this process among its ranks."""
        self.training, self.runs, self.asked = training, runs, asked
        self.interval = min((r.config.checkpoint.seconds or math.inf) for r in runs)
        self.saved = self.looked = self.saw = self.beaten = time.monotonic()
        self.saving = 0.0  # seconds that the last checkpoint took
        self.tokens, self.seconds = 0, 0.0  # of all lanes, since they began or went on
        self.reported = self.position  # up to here trackers know all
        self.shown = [run for run in runs if run.record.is_alone]
        settings = [(run, run.config.log.every_minibatches) for run in runs]
        self.logged = [(run, every) for run, every in settings if every]

    def train(self, stop: Callable[[], bool]) -> None:
        """Until every run has ended, or a stop is asked for."""
        self._finish_done()
        while live := self._live():
            lost = None
            try:
                figures = self.training.run_epoch(
                    lambda: self._look() or self._report() or stop() or self._is_due()
                )
            except RankLostError as error:  # nothing of its minibatch was done
                figures, lost = None, error
            if figures is None:
                self.save()
                if not (lost or stop()):
                    continue
                for run in self._live():
                    with self._apart(run):
                        run.result.error = str(lost) if lost else None
                        run.finish(Status.interrupted)
                return
            self._measure_speed(figures)
            for run in live:
                with self._apart(run):
                    if run.lane.diverged:
                        run.diverge(*run.lane.diverged)
                    elif own := figures[run.lane.k]:
                        run.after_epoch(own)
            self.looked = time.monotonic()
            if any(run.is_due for run in self._live()):
                self.save()
            self._finish_done()

    @property
    def position(self) -> tuple[int, int]:
        return self.training.epoch, self.training.minibatch

    def _look(self) -> None:
        """Whether the folders are still ours; and say that we are alive."""
        now = time.monotonic()
        if now - self.saw < ownership.LOOK_SECONDS:
            return
        self.saw = now
        beats = now - self.beaten > ownership.BEAT_SECONDS
        self.beaten = now if beats else self.beaten
        for run in self._live():
            with self._apart(run):
                if beats:
                    run.record.write()
                else:
                    run.record.owner.require()

    def _report(self) -> None:
        """Before a minibatch: tell of the epoch under way what is due, and once for each step.

        As long as nothing is, nothing is asked of the device.
        """
        done = self.training.minibatch
        logged = [run for run, every in self.logged if done % every == 0]
        shown = self.shown if time.monotonic() - self.looked > LOOK_SECONDS else []
        if not (logged or shown) or not done or self.position == self.reported:
            return
        figures = self.training.so_far()
        for run in self._live():
            own = figures[run.lane.k]
            if own and own["updates"] == done and run in [*shown, *logged]:  # it takes part
                with self._apart(run):
                    run.within_epoch(own, self.training.num_minibatches, run in logged)
        self.reported, self.looked = self.position, time.monotonic()

    def _measure_speed(self, figures: Sequence[Epoch | None]) -> None:
        """Of all lanes together, since they began or went on."""
        trained = [own for own in figures if own]
        self.tokens += sum(int(own["tokens"]) for own in trained)
        self.seconds += trained[0]["seconds"] if trained else 0
        for run in self._live() if trained else ():
            run.result.stack_tokens_per_second = self.tokens / self.seconds

    def save(self) -> None:
        """A checkpoint of every run, from the same step (see staging.py)."""
        began = time.monotonic()
        for run in self._live():
            with self._apart(run):
                run.stage()
        for run in self._live():
            with self._apart(run):
                run.record.owner.require()
                commit(run.folder)
        self.saved = time.monotonic()
        self.saving = self.saved - began

    def _is_due(self) -> bool:
        """Whatever was asked for, no more time goes into checkpoints than into training."""
        return time.monotonic() - self.saved > max(self.interval, self.saving)

    def _live(self) -> list[Run]:
        return [run for run in self.runs if not run.record.has_ended]

    def _finish_done(self) -> None:
        """Before the first epoch and after each: the other ranks are told whether another comes."""
        for run in self._live():
            if run.is_done:
                with self._apart(run):
                    run.complete(partial(self._go_on, run))
                    run.lane.idle()
        if self.training.ranks:
            with suppress(RankLostError):  # the next minibatch tells of it, if there is one
                self.training.ranks.share(bool(self._live()))

    def _go_on(self, run: Run) -> None:
        """While it is evaluated; raises StopAskedError, for one that has been lost as well."""
        self._look()
        if self.asked() or run.record.has_ended:
            raise StopAskedError

    @contextmanager
    def _apart(self, run: Run) -> Iterator[None]:
        """What goes wrong with one run of several is that run's, and the others go on."""
        try:
            yield
        except LostError as error:
            run.record.give_up(error)
        except Exception as error:
            if len(self.runs) == 1:
                raise
            run.fail(error)
