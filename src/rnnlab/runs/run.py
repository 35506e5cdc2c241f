"""A run while it trains: a lane, and where its figures, texts and checkpoints go."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

from rnnlab._common.errors import ConfigError
from rnnlab._common.files import flush_folder
from rnnlab._common.interrupts import StopAskedError
from rnnlab.nn.engines.threads import torch_threads
from rnnlab.nn.generation import generate
from rnnlab.runs.checkpoint import Checkpoint, Figures, Progress, save_checkpoint
from rnnlab.runs.folder import BEST, LAST, NEXT, read_looks, read_metrics
from rnnlab.runs.lengths import at_length
from rnnlab.runs.observer import Observer
from rnnlab.runs.record import Record
from rnnlab.runs.result import Status
from rnnlab.runs.stopping import Waiting
from rnnlab.runs.trackers import Tracked, UnderWay, trackers_of
from rnnlab.training.evaluation import evaluate
from rnnlab.training.lane import OneLane
from rnnlab.training.metrics import Epoch

UNDRAWN = "the curve could not be drawn"


class Run:
    """One job of those that train together; made by Run.begin or Run.resume."""

    def __init__(
        self, record: Record, lane: OneLane, observer: Observer | None, begun: Checkpoint | None
    ) -> None:
        self.record, self.lane, self.observer = record, lane, observer
        self.config, self.folder, self.result = record.config, record.folder, record.result
        self.prefixes = record.corpus.prefixes(self.config.dataset.prefixes)
        self.held_out = torch.from_numpy(record.corpus.held_out).to(record.recipe.device)
        self.holds_out = len(self.held_out) > 0
        self.seconds = begun.progress.seconds if begun and begun.progress else 0.0  # of training
        self.best: Checkpoint | None = None  # not written yet
        self.waiting = begun.progress.waiting if begun and begun.progress else Waiting()
        self.trackers = trackers_of(
            Tracked(
                folder=self.folder,
                config=self.config,
                dataset_sha256=record.corpus.sha256,
                swept=self.result.swept,
                description=record.description,
                begun=begun.position if begun else None,
                is_alone=record.is_alone,
                floor=record.result.floor,
                source_nats=record.corpus.source_nats,
            )
        )
        flush_folder(self.folder)  # of which its logs are new
        record.log.info(record.description)

    @classmethod
    def begin(cls, record: Record, lane: OneLane, observer: Observer | None) -> Run:
        """From its first minibatch."""
        return cls(record, lane, observer, None)

    @classmethod
    def resume(
        cls, record: Record, lane: OneLane, observer: Observer | None, begun: Checkpoint
    ) -> Run:
        """From where the checkpoint is; raises ConfigError where that does not fit the lane."""
        assert begun.progress
        try:
            lane.restore(
                begun.parameters,
                begun.training,
                epoch=begun.epoch,
                minibatch=begun.progress.minibatch,
                seconds=begun.progress.seconds_in_epoch,
            )
        except (KeyError, RuntimeError) as error:
            path = record.folder / LAST
            raise ConfigError(f"{path} does not fit this run: {error}.") from None
        return cls(record, lane, observer, begun)

    def __enter__(self) -> Run:
        return self

    def __exit__(self, *_: object) -> None:
        """Whatever ended it, its trackers are told."""
        self._close()

    def _close(self) -> None:
        trackers, self.trackers = self.trackers, []
        if self.record.owner.is_lost:
            return
        with contextlib.ExitStack() as closing:
            for tracker in trackers:
                closing.callback(tracker.close, self.result)

    @property
    def is_done(self) -> bool:
        return self.result.epochs >= self.config.num_epochs or self.stopped is not None

    @property
    def stopped(self) -> str | None:
        """Why it ends here; never in the middle of an epoch."""
        if self.lane.minibatch:
            return None
        return self.waiting.reason(self.config.stop, self.holds_out)

    @property
    def is_due(self) -> bool:
        """A checkpoint is wanted after the epoch that has just ended."""
        return self.is_done or _due(self.result.epochs, self.config.checkpoint.every)

    def after_epoch(self, figures: Epoch) -> None:
        """Write down what the lane did in an epoch, evaluate and sample where that is due."""
        self.record.owner.require()
        config, result, epoch = self.config, self.result, figures.epoch
        self.seconds += figures["seconds"]
        result.epochs = epoch
        result.tokens += int(figures["tokens"])
        result.tokens_per_second = result.tokens / self.seconds
        result.perplexity = figures["perplexity"]
        counts = not self.holds_out or _due(epoch, config.log.val_every)
        evaluates = self.holds_out and (counts or epoch == config.num_epochs)
        val_perplexity = self._evaluate() if evaluates else None
        figure = val_perplexity if self.holds_out else figures["perplexity"]
        self._keep_best(figure)
        if counts and figure is not None:
            self.waiting = self.waiting.after(figure, config.stop.min_delta)
        last = self.is_done
        if last or evaluates or epoch % config.log.every == 0:
            for tracker in self.trackers:
                tracker.epoch(figures, val_perplexity)
            self.record.log.info("epoch %d: perplexity %.6g", epoch, figures["perplexity"])
        if self.observer and (last or self.observer.is_due(epoch)):
            self._look(self.observer, epoch)
        if _due(epoch, config.log.sample_every):
            self._sample(last)

    def within_epoch(self, figures: Epoch, num_minibatches: int, logged: bool) -> None:
        """Tell of the epoch under way; its figures so far are those of the same step, always."""
        self.record.owner.require()
        config = self.config
        tokens = self.result.tokens + figures["tokens"]
        step = int(tokens) // (config.batch_size * config.num_steps)
        under_way = UnderWay(figures=figures, num_minibatches=num_minibatches, step=step)
        for tracker in self.trackers:
            tracker.minibatch(under_way, logged)
        if logged:
            self.record.log.info("minibatch %d: perplexity %.6g", step, figures["perplexity"])

    # --- how it ends -------------------------------------------------------------------------

    def complete(self, between: Callable[[], None]) -> None:
        """There is nothing left to train. Interrupted where `between`, called again and again while
        it is evaluated at other lengths, raises StopAskedError: gone on with, it is evaluated then.
        """
        own, found = self.lane.parameters, {}
        try:
            for length in self.config.eval.lengths:
                at = at_length(length, own, self.config.dataset, self.record.corpus, between)
                found[str(length)] = at
                self.record.log.info("at length %d: perplexity %.6g", length, at["perplexity"])
        except StopAskedError:
            if not self.record.has_ended:
                self.finish(Status.interrupted)
        else:
            self.result.lengths = found
            self.finish(Status.completed)

    def finish(self, status: Status) -> None:
        """The run has ended, and its last checkpoint is written."""
        self.record.owner.require()
        lane = self.lane
        sampled = not lane.minibatch and _due(lane.epoch, self.config.log.sample_every)
        if status != Status.diverged and not sampled:  # nothing of its broken weights
            self._sample(last=True)
        self._draw()
        self.result.status = status
        self.result.stopped = self.stopped if status == Status.completed else None
        self.result.judge()
        self._close()  # all logs are whole on the disk, before result.json says that it is over
        self.record.write()
        self.record.log.info("%s: perplexity %s", self.result.status, self.result.perplexity)

    def diverge(self, epoch: int, minibatch: int) -> None:
        """The checkpoints of its better days are kept."""
        config = self.config
        self.result.error = (
            f"loss, gradient, weights or perplexity were not finite in epoch {epoch}, minibatch "
            f"{minibatch}, with lr={config.lr:g}, theta={config.theta:g}, clip={config.clip.name}; "
            "a smaller lr may help"
        )
        self._save_best()
        self.finish(Status.diverged)

    def fail(self, error: Exception) -> None:
        """This run cannot go on; the others of its stack do."""
        self.record.ends_early(Status.failed, f"{type(error).__name__}: {error}")
        with contextlib.suppress(OSError):
            self.record.write()

    # --- checkpoints -------------------------------------------------------------------------

    def stage(self) -> None:
        """Write the best parameters, and all that continues the run from here as NEXT."""
        self.record.owner.require()
        self._save_best()
        lane = self.lane
        progress = Progress(
            minibatch=lane.minibatch,
            seconds_in_epoch=lane.seconds,
            seconds=self.seconds,
            lengths=self._flush_logs(),
            figures=Figures.of(self.result),
            waiting=self.waiting,
        )
        checkpoint = self._checkpoint(
            parameters=lane.parameters, training=lane.snapshot(), progress=progress
        )
        save_checkpoint(self.folder, NEXT, checkpoint)

    def _flush_logs(self) -> dict[str, int]:
        """Their lengths, of what is on the disk."""
        return {name: size for t in self.trackers for name, size in t.lengths().items()}

    def _keep_best(self, figure: float | None) -> None:
        """Remember the parameters with the lowest perplexity: held-out where text is held out."""
        if figure is not None and figure < (self.result.best_perplexity or math.inf):
            self.result.best_perplexity = figure
            own = self.lane.parameters  # which go on changing
            self.best = self._checkpoint(parameters=own.like(own.flat.clone()))

    def _save_best(self) -> None:
        if self.best:
            save_checkpoint(self.folder, BEST, self.best)
            self.best = None

    def _checkpoint(self, **more: Any) -> Checkpoint:
        return Checkpoint(
            model=self.record.recipe.model,
            vocabulary=self.record.corpus.vocabulary,
            epoch=self.lane.epoch,
            config=self.result.config,
            config_id=self.result.config_id,
            versions=self.result.versions,
            **more,
        )

    # --- its curve ---------------------------------------------------------------------------

    def _draw(self) -> None:
        """Not of a study's runs, which are looked at together: its report has their curves.

        What cannot be drawn or kept is missed, and no reason to fail.
        """
        if self.result.swept:
            return
        with self._warning(UNDRAWN):
            from rnnlab.runs.figures import perplexity_figure

            figure = perplexity_figure(
                self._curve("perplexity"),
                self._curve("val_perplexity"),
                self.record.description,
                self.result.floor,
            )
            for tracker in self.trackers:
                with self._warning(UNDRAWN):
                    tracker.figure(figure)
        if self.observer:
            self._draw_instruments(self.observer)

    def _draw_instruments(self, observer: Observer) -> None:
        """What is more than numbers; `rnnlab inspect` draws all of it."""
        with self._warning("what the instruments saw could not be drawn"):
            from rnnlab.runs.inspection.pictures import picture
            from rnnlab.runs.inspection.seen import Seen

            looks = [*read_looks(self.folder)]
            subject, _, _ = self.record.description.partition("\n")
            tokens = [self.record.corpus.vocabulary.tokens[i] for i in observer.text]
            instruments = [each for each in observer.instruments if not each.is_light]
            for seen in Seen.of(instruments, looks[-1] if looks else {}, looks, subject, tokens):
                figure = picture(seen)
                for tracker in self.trackers:
                    tracker.picture(self.result.epochs, seen.instrument.name, figure)

    @contextlib.contextmanager
    def _warning(self, what: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            said = f"{what}: {type(error).__name__}: {error}"
            self.result.warnings.append(said)
            self.record.log.warning(said, exc_info=True)

    # --- what it is asked for ----------------------------------------------------------------

    def _curve(self, name: str) -> list[tuple[int, float]]:
        """(epoch, figure): read from the log, not kept in memory."""
        logged = read_metrics(self.folder)
        return [(line["epoch"], line[name]) for line in logged if line[name] is not None]

    def _evaluate(self) -> float:
        with torch_threads(1):  # their number could change last bits
            figure = evaluate(self.lane.parameters, self.held_out)
        self.result.val_perplexity = figure
        return figure

    def _look(self, observer: Observer, epoch: int) -> None:
        """With the instruments; what they cannot see is missed, and no reason to fail."""
        with self._warning("the instruments could not be read"):
            values = observer.read(epoch)
            for tracker in self.trackers:
                tracker.look(epoch, values)

    def _sample(self, last: bool) -> None:
        """Generate from every prefix by arg max, as the textbook does."""
        vocabulary = self.record.corpus.vocabulary
        given = [self.record.corpus.encode(prefix) for prefix in self.prefixes]
        with torch_threads(1):
            texts = generate(self.lane.parameters, given, self.config.log.sample_length)
        for prefix, tokens in zip(self.prefixes, texts, strict=True):
            text = vocabulary.decode(tokens)
            self.result.samples[prefix] = text
            for tracker in self.trackers:
                tracker.sample(self.lane.epoch, prefix, text, last)


def _due(epoch: int, every: int) -> bool:
    return every > 0 and epoch % every == 0
