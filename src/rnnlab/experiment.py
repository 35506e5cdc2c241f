"""The wiring of one run: config -> corpus -> training -> trackers, checkpoints, result.json."""

from __future__ import annotations

import errno
import logging
import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import torch

from rnnlab import hparams, surroundings
from rnnlab.build import build_lane, build_model, build_recipe
from rnnlab.checkpoint import Checkpoint, save_checkpoint
from rnnlab.config import Config, Precision, config_id, require
from rnnlab.corpus import Corpus
from rnnlab.evaluation import evaluate
from rnnlab.generation import generate
from rnnlab.interrupts import stop_requests
from rnnlab.metrics import Epoch
from rnnlab.plots import perplexity_figure
from rnnlab.preflight import Corpora, check
from rnnlab.results import Result
from rnnlab.terminal import Terminal
from rnnlab.tracking import Files, TensorBoard, Tracker
from rnnlab.training import Training

log = logging.getLogger(__name__)


def run(config: Config, folder: Path, corpora: Corpora | None = None) -> Result:
    """Train one job in `folder` and return its result, which result.json also holds.

    Raises ConfigError for what the user can put right. Whatever happens, result.json says how
    the run ended.
    """
    corpus = check(config, {} if corpora is None else corpora)
    require(
        not (folder / "result.json").exists(),
        f"training in {folder}",
        "it holds a run already; choose another folder with hydra.run.dir=FOLDER",
    )
    device = surroundings.resolve_device(config.device)
    require(
        not (config.precision == Precision.tf32 and device.type == "cpu"),
        "precision=tf32 on a machine without a GPU",
        "type precision=fp32",
    )
    result = _begin(config, corpus, device)
    result.write(folder)
    started = time.perf_counter()
    try:
        with stop_requests() as stop:
            Run(config, corpus, device, folder, result).train(stop)
    except BaseException as error:
        result.status = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        result.error = f"{type(error).__name__}: {error}"
        log.exception("the run ended early")
        if _is_out_of_memory(error):
            result.error = "it does not fit in memory; take a smaller num_hiddens or batch_size"
            raise OSError(errno.ENOMEM, result.error, str(folder)) from error
        raise
    finally:
        result.wall_seconds = time.perf_counter() - started
        result.write(folder)
    return result


class Run:
    """One lane from its first minibatch to its last file."""

    def __init__(
        self,
        config: Config,
        corpus: Corpus,
        device: torch.device,
        folder: Path,
        result: Result,
    ) -> None:
        self.config, self.corpus, self.folder, self.result = config, corpus, folder, result
        self.prefixes = corpus.prefixes(config.dataset.prefixes)
        self.model = build_model(config, len(corpus.vocabulary))
        recipe = build_recipe(config, self.model, device)
        result.engine = recipe.engine
        self.training = Training(recipe, [build_lane(config, corpus)])
        self.held_out = torch.from_numpy(corpus.held_out).to(device)
        self.trackers: list[Tracker] = [
            Files(folder),
            TensorBoard(folder, hparams.settings(config)),
            Terminal(folder, config.num_epochs, self._description()),
        ]
        self.curve: list[tuple[int, float]] = []
        self.val_curve: list[tuple[int, float]] = []
        self.best: Checkpoint | None = None
        self.seconds = 0.0

    def train(self, stop: Callable[[], bool]) -> None:
        """Run all epochs, or until the run diverges or is asked to stop."""
        log.info(self._description())
        with ExitStack() as closing:
            for tracker in self.trackers:
                closing.callback(tracker.close, self.result)
            status = self._epochs(stop)
            if status == "diverged":  # the checkpoints of its better days are kept
                self._save_best()
            else:
                self._save()
                self._sample(last=True)
            figure = perplexity_figure(self.curve, self.val_curve, self._description())
            for tracker in self.trackers:
                tracker.figure(figure)
            self.result.status = status
            log.info("%s: perplexity %s", status, self.result.perplexity)

    def _epochs(self, stop: Callable[[], bool]) -> str:
        """Train until there is nothing more to do; returns the run's status."""
        training = self.training
        while training.epoch < self.config.num_epochs:
            lanes = training.run_epoch(stop)
            if lanes is None:
                return "interrupted"
            if training.diverged[0]:
                self.result.error = self._divergence(*training.diverged[0])
                return "diverged"
            assert lanes[0] is not None
            self._after_epoch(lanes[0])
        return "completed"

    def _after_epoch(self, figures: Epoch) -> None:
        config, result, epoch = self.config, self.result, figures.epoch
        last = epoch == config.num_epochs
        self.seconds += figures.seconds
        result.epochs = epoch
        result.tokens += figures.tokens
        result.tokens_per_second = result.tokens / self.seconds
        result.perplexity = figures.perplexity
        evaluates = len(self.held_out) > 0 and (last or epoch % config.log.val_every == 0)
        val_perplexity = self._evaluate() if evaluates else None
        self._keep_best(val_perplexity if len(self.held_out) else figures.perplexity)
        if last or evaluates or epoch % config.log.every == 0:
            self.curve.append((epoch, figures.perplexity))
            for tracker in self.trackers:
                tracker.epoch(figures, val_perplexity)
            log.info("epoch %d: perplexity %.6g", epoch, figures.perplexity)
        if _due(epoch, config.log.sample_every) and not last:
            self._sample()
        if _due(epoch, config.checkpoint.every) and not last:
            self._save()

    def _evaluate(self) -> float:
        training = self.training
        figure = evaluate(training.parameters, self.held_out)
        self.result.val_perplexity = figure
        self.val_curve.append((training.epoch, figure))
        return figure

    def _keep_best(self, figure: float | None) -> None:
        """Remember the parameters with the lowest perplexity: held-out where text is held out."""
        if figure is not None and figure < (self.result.best_perplexity or math.inf):
            self.result.best_perplexity = figure
            self.best = self._checkpoint()

    def _divergence(self, epoch: int, minibatch: int) -> str:
        config = self.config
        return (
            f"loss, gradient, weights or perplexity were not finite in epoch {epoch}, minibatch "
            f"{minibatch}, with lr={config.lr:g}, theta={config.theta:g}, clip={config.clip.name}; "
            "a smaller lr may help"
        )

    def _sample(self, last: bool = False) -> None:
        """Generate from every prefix by arg max, as the textbook does."""
        vocabulary = self.corpus.vocabulary
        given = [vocabulary.encode(prefix) for prefix in self.prefixes]
        texts = generate(self.training.parameters, given, self.config.log.sample_length)
        for prefix, tokens in zip(self.prefixes, texts, strict=True):
            text = vocabulary.decode(tokens)
            self.result.samples[prefix] = text
            for tracker in self.trackers:
                tracker.sample(self.training.epoch, prefix, text, last)

    def _checkpoint(self) -> Checkpoint:
        parameters = self.training.parameters
        return Checkpoint(
            model=self.model,
            vocabulary=self.corpus.vocabulary,
            parameters=parameters.like(parameters.flat.clone()),
            epoch=self.training.epoch,
            config=self.result.config,
            config_id=self.result.config_id,
        )

    def _save(self) -> None:
        save_checkpoint(self.folder / "checkpoints" / "last.safetensors", self._checkpoint())
        self._save_best()

    def _save_best(self) -> None:
        if self.best:
            save_checkpoint(self.folder / "checkpoints" / "best.safetensors", self.best)

    def _description(self) -> str:
        config, V = self.config, len(self.corpus.vocabulary)
        clip = config.clip.name
        return (
            f"{config.model.name} {config.num_hiddens}x{config.num_layers} "
            f"on {config.dataset.name} ({len(self.corpus.train):,} tokens, {V} in the vocabulary)\n"
            f"{config.sampler.name} sampling, {config.optimizer.name} lr {config.lr:g}, "
            + ("no clipping" if clip == "none" else f"clipping by {clip}, theta {config.theta:g}")
        )


def _due(epoch: int, every: int) -> bool:
    return every > 0 and epoch % every == 0


def _is_out_of_memory(error: BaseException) -> bool:
    """torch says it on a CPU in words: memory cannot be had, or its size overflows an integer."""
    in_words = any(word in str(error) for word in ("can't alloc", "verflow"))
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or in_words


def _begin(config: Config, corpus: Corpus, device: torch.device) -> Result:
    return Result(
        device=surroundings.device_name(device),
        engine=config.engine,  # resolved when the recipe is built
        precision=config.precision,
        seed=config.seed,
        dataset={
            "name": corpus.name,
            "sha256": corpus.sha256,
            "num_tokens": len(corpus.train),
            "vocab_size": len(corpus.vocabulary),
            "entropy_floor_perplexity": None,  # known for synthetic texts only
        },
        config=config.as_dict(),
        config_id=config_id(config, corpus.sha256),
        versions=surroundings.versions(),
        git=surroundings.git_state(),
        host=surroundings.host(),
    )
