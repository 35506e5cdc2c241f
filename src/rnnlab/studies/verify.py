"""Proof on the user's own machine: a run that is killed and continued is the uninterrupted run."""

from __future__ import annotations

import itertools
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path

from rnnlab.config.schema import Config
from rnnlab.runs.differences import differences
from rnnlab.runs.folder import LAST, has_checkpoint
from rnnlab.runs.result import Result
from rnnlab.studies.executors import Task
from rnnlab.studies.executors.local import Local


@dataclass
class Verdict:
    """What became of runs that were killed again and again."""

    kills: int = 0
    after_first_checkpoint: int = 0  # of the kills
    inside_epochs: int = 0  # of the continuations: in the middle of an epoch
    inexact: int = 0  # of the continuations: said to be equal to rounding only
    differences: list[str] = field(default_factory=list)


def verify(configs: list[Config], folder: Path, kills: int, seed: int = 0) -> Verdict:
    """Train the configs as a stack; again and again with SIGKILLs at random moments; compare.

    `folder` is filled with the runs' folders. Raises RuntimeError where a run fails by itself.
    """
    whole = [folder / f"whole-{k}" for k in range(len(configs))]
    started = time.monotonic()
    with _training(configs, whole) as child:
        child.join()
        _require_success(child)
    duration = time.monotonic() - started
    verdict, rng = Verdict(), random.Random(seed)
    copies = itertools.count()
    while verdict.kills < kills:
        copy = next(copies)
        broken = [folder / f"killed-{copy}-{k}" for k in range(len(configs))]
        _kill_again_and_again(verdict, configs, broken, kills, lambda: rng.uniform(0, duration / 3))
        for k, path in enumerate(broken):
            _compare(verdict, f"copy {copy}, run {k}", whole[k], path)
    return verdict


def _kill_again_and_again(
    verdict: Verdict,
    configs: list[Config],
    folders: list[Path],
    kills: int,
    patience: Callable[[], float],
) -> None:
    """Until the stack has come to its end, or was killed often enough and then left alone."""
    while True:
        with _training(configs, folders) as child:
            child.join(patience() if verdict.kills < kills else None)
            if child.exitcode is not None:
                _require_success(child)
                return
        verdict.kills += 1
        verdict.after_first_checkpoint += all((path / LAST).exists() for path in folders)


def _compare(verdict: Verdict, name: str, whole: Path, broken: Path) -> None:
    """A copy that is the same is removed."""
    resumed = Result.read(broken).resumed
    verdict.inside_epochs += sum(place["minibatch"] > 0 for place in resumed)
    verdict.inexact += sum(not place["exact"] for place in resumed)
    found = [f"{name}: {line}" for line in differences(whole, broken)]
    verdict.differences += found
    if not found:
        shutil.rmtree(broken)


@contextmanager
def _training(configs: list[Config], folders: list[Path]) -> Iterator[BaseProcess]:
    """A process that trains, or goes on; when the block ends it is killed."""
    if not all(map(has_checkpoint, folders)):
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    worker = Local().start(Task(dict(zip(folders, configs, strict=True))))
    try:
        yield worker.process
    finally:
        worker.process.kill()
        worker.process.join()


def _require_success(child: BaseProcess) -> None:
    if child.exitcode:
        raise RuntimeError(f"a training process ended with exit status {child.exitcode}")
