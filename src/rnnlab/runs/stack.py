"""The wiring of runs: config -> corpus -> training -> each run's record.

A Run (record.py) is one lane's; a Stack trains the lanes of one or more runs together.
"""

from __future__ import annotations

import contextlib
import errno
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch

from rnnlab._common.errors import ConfigError, require
from rnnlab._common.files import InUseError, locked
from rnnlab._common.interrupts import stop_requests
from rnnlab.config.identity import config_id
from rnnlab.config.schema import Config
from rnnlab.data.corpus import Corpus
from rnnlab.runs import surroundings
from rnnlab.runs.build import build_lane, build_model, build_recipe
from rnnlab.runs.preflight import Corpora, check
from rnnlab.runs.result import Result
from rnnlab.runs.run import Run
from rnnlab.runs.trackers.terminal import Terminal
from rnnlab.training.loop import Training


def run(config: Config, folder: Path, corpora: Corpora | None = None) -> Result:
    """Train one job in `folder` and return its result, which result.json also holds.

    Raises ConfigError for what the user can put right. Whatever happens, result.json says how
    the run ended.
    """
    return run_stack([config], [folder], corpora)[0]


def run_stack(
    configs: list[Config],
    folders: list[Path],
    corpora: Corpora | None = None,
    swept: list[str] | None = None,
) -> list[Result]:
    """The same for jobs that train together: all their shapes agree. `swept`: see Result."""
    corpora = {} if corpora is None else corpora
    texts = [check(config, corpora) for config in configs]
    for folder in folders:
        require(
            not (folder / "result.json").exists(),
            f"training in {folder}",
            f"it holds a run already; choose another folder with hydra.run.dir=FOLDER, "
            f"or type: rnnlab resume {folder}",
        )
    device = surroundings.resolve_device(configs[0].device)
    with ExitStack() as holding:
        for folder in folders:
            holding.enter_context(held(folder))
        runs = [
            Run(config, corpus, folder, begin(config, corpus, device))
            for config, corpus, folder in zip(configs, texts, folders, strict=True)
        ]
        for run in runs:
            run.result.stack = [folder.name for folder in folders]
            run.result.swept = swept or []
        train(runs, device)
    return [run.result for run in runs]


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Keep other processes out of a run's folder; raises ConfigError where one is at work."""
    try:
        with locked(folder):
            yield
    except InUseError:
        process = Result.read(folder).process
        raise ConfigError(
            f"{folder} is in use: process {process} trains there; wait for it, or end it."
        ) from None


def train(lanes: Sequence[Run | None], device: torch.device) -> None:
    """Train the runs' lanes together to their ends; a lane that is None stays idle."""
    started = time.perf_counter()
    live = [run for run in lanes if run]
    for each in live:
        if not each.log.hasHandlers():  # in a study's worker
            each.log_to_file()
        each.result.write(each.folder)
    try:
        with stop_requests() as stop, ExitStack() as closing:
            Stack(lanes, device, closing).train(stop)
    except BaseException as error:
        stopped = "interrupted" if isinstance(error, KeyboardInterrupt) else "failed"
        for each in live:
            if not each.ended:
                each.result.status = stopped
                each.result.error = f"{type(error).__name__}: {error}"
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(live[0].folder)  # a full disk does not say where
        for each in live:
            each.log.exception("the run ended early")
        if _is_out_of_memory(error):
            sentence = "it does not fit in memory; take a smaller num_hiddens or batch_size"
            for each in live:
                if each.result.status == "failed":
                    each.result.error = sentence
            raise OSError(errno.ENOMEM, sentence, str(live[0].folder)) from error
        raise
    finally:
        for each in live:
            each.result.wall_seconds = each.seconds_before + time.perf_counter() - started
            with contextlib.suppress(OSError) if each.result.status == "failed" else ExitStack():
                each.result.write(each.folder)


class Stack:
    """Runs that train together, each as a lane of one Training."""

    def __init__(
        self, lanes: Sequence[Run | None], device: torch.device, closing: ExitStack
    ) -> None:
        self.runs = runs = [run for run in lanes if run]
        first = runs[0]
        recipe = build_recipe(
            first.config, build_model(first.config, len(first.corpus.vocabulary)), device
        )
        texts = [run or first for run in lanes]
        self.training = Training(recipe, [build_lane(run.config, run.corpus) for run in texts])
        begun = next((run.begun for run in runs if run.begun), None)
        if begun and begun.progress:
            self.training.epoch, self.training.minibatch = begun.position
            self.training.seconds = begun.progress.seconds_in_epoch
        for k, run in enumerate(lanes):
            if run is None:
                self.training.healthy[k] = False
                continue
            run.result.engine = recipe.engine.name
            run.attach(self.training, k, device)
            if len(runs) == 1:
                run.trackers.append(
                    Terminal(run.folder, run.config.num_epochs, run.description(), begun)
                )
            for tracker in run.trackers:
                closing.callback(tracker.close, run.result)
            run.log.info(run.description())
        self.interval = min((r.config.checkpoint.seconds or math.inf) for r in runs)
        self.saved = time.monotonic()

    def train(self, stop: Callable[[], bool]) -> None:
        """Until every run has ended, or a stop is asked for."""
        training = self.training
        if not any(run.begun for run in self.runs):
            self._save()  # from here on there is something to continue
        self._finish_done()
        while live := self._live():
            lanes = training.run_epoch(lambda: stop() or self._is_due())
            if lanes is None:
                self._save()
                if not stop():
                    continue
                for run in live:
                    run.finish("interrupted")
                return
            for run in live:
                figures, place = lanes[run.k], training.diverged[run.k]
                with self._apart(run):
                    if place:
                        run.diverge(*place)
                    elif figures:
                        run.after_epoch(figures)
            if any(run.is_due for run in self._live()):
                self._save()
            self._finish_done()

    @contextmanager
    def _apart(self, run: Run) -> Iterator[None]:
        """What goes wrong with one run of several is that run's, and the others go on."""
        try:
            yield
        except Exception as error:
            if len(self.runs) == 1:
                raise
            run.fail(error)

    def _live(self) -> list[Run]:
        return [run for run in self.runs if not run.ended]

    def _finish_done(self) -> None:
        for run in self._live():
            if run.is_done:
                with self._apart(run):
                    run.finish("completed")

    def _is_due(self) -> bool:
        return time.monotonic() - self.saved > self.interval

    def _save(self) -> None:
        """All lanes from the same step, whenever the process is killed: resuming.py picks it."""
        for run in self._live():
            with self._apart(run):
                run.stage()
        for run in self._live():
            with self._apart(run):
                run.commit()
        self.saved = time.monotonic()


def _is_out_of_memory(error: BaseException) -> bool:
    """torch says it on a CPU in words: memory cannot be had, or its size overflows an integer."""
    in_words = any(word in str(error) for word in ("can't alloc", "verflow"))
    return isinstance(error, (MemoryError, torch.OutOfMemoryError)) or in_words


def begin(config: Config, corpus: Corpus, device: torch.device) -> Result:
    return Result(
        process=os.getpid(),
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
