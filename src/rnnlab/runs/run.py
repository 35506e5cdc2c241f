"""One run's record in its folder: result.json, logs, samples, checkpoints."""

from __future__ import annotations

import contextlib
import logging
import math
from pathlib import Path
from typing import Any

import torch

from rnnlab._common.errors import ConfigError
from rnnlab.config.schema import Config
from rnnlab.data.corpus import Corpus
from rnnlab.nn.generation import generate
from rnnlab.nn.model import Parameters
from rnnlab.runs.checkpoint import Checkpoint, Progress, save_checkpoint
from rnnlab.runs.figures import perplexity_figure
from rnnlab.runs.folder import METRICS, cut_back, read_metrics
from rnnlab.runs.result import BEST, KINDS, LAST, NEXT, Result
from rnnlab.runs.trackers import hparams
from rnnlab.runs.trackers.trackers import Files, TensorBoard, Tracker
from rnnlab.training.evaluation import evaluate
from rnnlab.training.loop import Training
from rnnlab.training.metrics import Epoch

LOG_FORMAT = "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"  # Hydra's
# what a checkpoint keeps of the result
IN_PROGRESS = ("epochs", "tokens", "perplexity", "best_perplexity", "val_perplexity", "samples")


class Run:
    """One job's record in its folder: result, logs, checkpoints."""

    def __init__(self, config: Config, corpus: Corpus, folder: Path, result: Result) -> None:
        self.config, self.corpus, self.folder, self.result = config, corpus, folder, result
        self.log = logging.getLogger(f"rnnlab.run.{folder.name.replace('.', '_')}")
        self.prefixes = corpus.prefixes(config.dataset.prefixes)
        self.held_out = torch.from_numpy(corpus.held_out)
        self.trackers: list[Tracker] = []
        self.seconds = 0.0  # of training, in all epochs
        self.seconds_before = 0.0  # of wall time, before the run was continued
        self.best: Checkpoint | None = None  # not written yet
        self.begun: Checkpoint | None = None  # where to go on
        self.before: Result | None = None  # what result.json said before the run was continued
        (folder / "checkpoints").mkdir(exist_ok=True)

    def log_to_file(self) -> None:
        """Its messages go to its own run.log, where nobody has arranged anything else."""
        self.log.addHandler(log_file(self.folder))
        self.log.setLevel(logging.INFO)
        self.log.propagate = False

    def continue_from(self, checkpoint: Checkpoint) -> None:
        """Take up the record where this checkpoint left it; cuts back the logs."""
        progress, result = checkpoint.progress, self.result
        found = progress.figures if progress else {}
        wrong = [n for n in IN_PROGRESS if n not in found or type(found[n]) not in KINDS[n]]
        if progress is None or wrong:
            raise ConfigError(
                f"{self.folder / LAST} has no run to continue: without {', '.join(wrong)}."
            )
        for name in IN_PROGRESS:
            setattr(result, name, found[name])
        self.seconds = progress.seconds
        cut_back(self.folder, {METRICS: 0} | progress.lengths)
        self.seconds_before = result.wall_seconds or 0.0
        self.begun = checkpoint

    def attach(self, training: Training, k: int, device: torch.device) -> None:
        """This run is lane k of that training."""
        self.training, self.k = training, k
        self.held_out = self.held_out.to(device)
        if self.begun:
            try:
                training.restore(k, self.begun.parameters, self.begun.training)
            except (KeyError, RuntimeError) as error:
                raise ConfigError(f"{self.folder / LAST} does not fit this run: {error}.") from None
        self.trackers = [
            Files(self.folder),
            TensorBoard(self.folder, hparams.settings(self.config, self.result.swept)),
        ]

    @property
    def ended(self) -> bool:
        return self.result.status != "running"

    def after_epoch(self, figures: Epoch) -> None:
        config, result, epoch = self.config, self.result, figures.epoch
        last = epoch == config.num_epochs
        self.seconds += figures["seconds"]
        result.epochs = epoch
        result.tokens += int(figures["tokens"])
        result.tokens_per_second = result.tokens / self.seconds
        result.perplexity = figures["perplexity"]
        evaluates = len(self.held_out) > 0 and (last or epoch % config.log.val_every == 0)
        val_perplexity = self._evaluate() if evaluates else None
        self._keep_best(val_perplexity if len(self.held_out) else figures["perplexity"])
        if last or evaluates or epoch % config.log.every == 0:
            for tracker in self.trackers:
                tracker.epoch(figures, val_perplexity)
            self.log.info("epoch %d: perplexity %.6g", epoch, figures["perplexity"])
        if _due(epoch, config.log.sample_every):
            self._sample(last)

    @property
    def is_due(self) -> bool:
        """A checkpoint is wanted after the epoch that has just ended."""
        return self.is_done or _due(self.result.epochs, self.config.checkpoint.every)

    @property
    def is_done(self) -> bool:
        return self.result.epochs == self.config.num_epochs

    def diverge(self, epoch: int, minibatch: int) -> None:
        """The checkpoints of its better days are kept."""
        config = self.config
        self.result.error = (
            f"loss, gradient, weights or perplexity were not finite in epoch {epoch}, minibatch "
            f"{minibatch}, with lr={config.lr:g}, theta={config.theta:g}, clip={config.clip.name}; "
            "a smaller lr may help"
        )
        self._save_best()
        self.finish("diverged")

    def fail(self, error: Exception) -> None:
        """This run cannot go on; the others of its stack do."""
        self.result.status = "failed"
        self.result.error = f"{type(error).__name__}: {error}"
        self.log.exception("the run ended early")
        with contextlib.suppress(OSError):
            self.result.write(self.folder)

    def finish(self, status: str) -> None:
        """The run has ended, and its last checkpoint is written."""
        training = self.training
        sampled = not training.minibatch and _due(training.epoch, self.config.log.sample_every)
        if status != "diverged" and not sampled:  # nothing of its broken weights
            self._sample(last=True)
        figure = perplexity_figure(
            self._curve("perplexity"), self._curve("val_perplexity"), self.description()
        )
        for tracker in self.trackers:
            tracker.figure(figure)
        self.result.status = status
        self.result.write(self.folder)
        self.log.info("%s: perplexity %s", status, self.result.perplexity)

    def stage(self) -> None:
        """Write the best parameters, and all that continues the run from here as NEXT."""
        self._save_best()
        training, result = self.training, self.result
        lengths = {name: size for t in self.trackers for name, size in t.lengths().items()}
        checkpoint = self._checkpoint(
            training=training.snapshot(self.k),
            progress=Progress(
                minibatch=training.minibatch,
                seconds_in_epoch=training.seconds,
                seconds=self.seconds,
                lengths=lengths,
                figures={name: getattr(result, name) for name in IN_PROGRESS},
            ),
        )
        save_checkpoint(self.folder / NEXT, checkpoint)

    def commit(self) -> None:
        """What was staged takes the place of the last checkpoint."""
        (self.folder / NEXT).replace(self.folder / LAST)

    def description(self) -> str:
        config, V = self.config, len(self.corpus.vocabulary)
        clip = config.clip.name
        return (
            f"{config.model.name} {config.num_hiddens}x{config.num_layers} "
            f"on {config.dataset.name} ({len(self.corpus.train):,} tokens, {V} in the vocabulary)\n"
            f"{config.sampler.name} sampling, {config.optimizer.name} lr {config.lr:g}, "
            + ("no clipping" if clip == "none" else f"clipping by {clip}, theta {config.theta:g}")
        )

    def _curve(self, name: str) -> list[tuple[int, float]]:
        """(epoch, figure): read from the log, not kept in memory."""
        logged = read_metrics(self.folder)
        return [(line["epoch"], line[name]) for line in logged if line[name] is not None]

    def _evaluate(self) -> float:
        figure = evaluate(self._parameters(), self.held_out)
        self.result.val_perplexity = figure
        return figure

    def _keep_best(self, figure: float | None) -> None:
        """Remember the parameters with the lowest perplexity: held-out where text is held out."""
        if figure is not None and figure < (self.result.best_perplexity or math.inf):
            self.result.best_perplexity = figure
            self.best = self._checkpoint()

    def _sample(self, last: bool) -> None:
        """Generate from every prefix by arg max, as the textbook does."""
        vocabulary = self.corpus.vocabulary
        given = [vocabulary.encode(prefix) for prefix in self.prefixes]
        texts = generate(self._parameters(), given, self.config.log.sample_length)
        for prefix, tokens in zip(self.prefixes, texts, strict=True):
            text = vocabulary.decode(tokens)
            self.result.samples[prefix] = text
            for tracker in self.trackers:
                tracker.sample(self.training.epoch, prefix, text, last)

    def _parameters(self) -> Parameters:
        parameters = self.training.parameters
        return parameters.like(parameters.flat[self.k : self.k + 1])

    def _checkpoint(self, **more: Any) -> Checkpoint:
        own = self._parameters()
        return Checkpoint(
            model=own.model,
            vocabulary=self.corpus.vocabulary,
            parameters=own.like(own.flat.clone()),
            epoch=self.training.epoch,
            config=self.result.config,
            config_id=self.result.config_id,
            versions=self.result.versions,
            **more,
        )

    def _save_best(self) -> None:
        if self.best:
            save_checkpoint(self.folder / BEST, self.best)
            self.best = None


def log_file(folder: Path) -> logging.Handler:
    """run.log, written as hydra.job_logging has it in conf/config.yaml."""
    handler = logging.FileHandler(folder / "run.log")
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    return handler


def _due(epoch: int, every: int) -> bool:
    return every > 0 and epoch % every == 0
