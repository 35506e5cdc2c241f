"""Proof on the user's own machine: a run that is killed and continued is the uninterrupted run.

Compared bit for bit: every logged value but times, the samples, every TensorBoard scalar, and all
tensors of the last checkpoint, optimizer and hidden state included.
"""

from __future__ import annotations

import itertools
import os
import random
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from rnnlab.config.schema import Config
from rnnlab.runs.events import read_numbers
from rnnlab.runs.folder import (
    BEST,
    LAST,
    METRICS,
    RESULT,
    SAMPLES,
    has_checkpoint,
    read_metrics,
)
from rnnlab.runs.result import Result
from rnnlab.studies.executors import local as workers

TIMES = ("seconds", "tokens_per_second", "speed/tokens_per_second")
FIGURES = "status error perplexity best_perplexity val_perplexity epochs tokens samples".split()


def differences(left: Path, right: Path) -> Iterator[str]:
    """What differs between two runs' folders, in the order of training."""
    yield from _first_difference(METRICS, *(_metrics(folder) for folder in (left, right)))
    yield from _first_difference(
        SAMPLES, *((f / SAMPLES).read_text().splitlines() for f in (left, right))
    )
    yield from _first_difference("TensorBoard", *(_scalars(folder) for folder in (left, right)))
    results = [Result.read(folder) for folder in (left, right)]
    for name in FIGURES:
        one, other = (getattr(result, name) for result in results)
        if one != other:
            yield f"{RESULT}: {name} is {one!r} and {other!r}"
    for name in (LAST, BEST):
        yield from _tensors(name, left / name, right / name)


def surroundings_of(left: Result, right: Result) -> Iterator[str]:
    """What differs in what two runs were made with."""
    for name in ("device", "engine", "precision", "git"):
        if getattr(left, name) != getattr(right, name):
            yield f"{name}: {getattr(left, name)} and {getattr(right, name)}"
    for name in ("versions", "host", "dataset"):
        one, other = getattr(left, name), getattr(right, name)
        for key in sorted(one.keys() | other.keys()):
            if one.get(key) != other.get(key):
                yield f"{name}.{key}: {one.get(key)} and {other.get(key)}"


def _metrics(folder: Path) -> list[Any]:
    return [
        {name: value for name, value in line.items() if name not in TIMES}
        for line in read_metrics(folder)
    ]


def _scalars(folder: Path) -> list[Any]:
    return [number for number in read_numbers(folder) if number[1] not in TIMES]


def _first_difference(name: str, left: list[Any], right: list[Any]) -> Iterator[str]:
    for i, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            yield f"{name}, entry {i + 1}: {one} and {other}"
            return
    if len(left) != len(right):
        yield f"{name}: {len(left)} and {len(right)} entries"


def _tensors(name: str, left: Path, right: Path) -> Iterator[str]:
    if left.exists() != right.exists():
        yield f"{name} is in one folder only"
    if not (left.exists() and right.exists()):
        return
    one, other = load_file(left), load_file(right)
    for key in one.keys() | other.keys():
        if key not in one or key not in other:
            yield f"{name}: {key} is in one file only"
        elif one[key].numpy().tobytes() != other[key].numpy().tobytes():
            yield f"{name}: {key} differs in its bits"


@dataclass
class Verdict:
    """What became of runs that were killed again and again."""

    kills: int = 0
    after_first_checkpoint: int = 0  # of the kills
    inside_epochs: int = 0  # of the continuations: in the middle of an epoch
    differences: list[str] = field(default_factory=list)


def verify(configs: list[Config], folder: Path, kills: int, seed: int = 0) -> Verdict:
    """Train the configs as a stack; again and again with SIGKILLs at random moments; compare.

    `folder` is filled with the runs' folders. Raises RuntimeError where a run fails by itself.
    """
    whole = [folder / f"whole-{k}" for k in range(len(configs))]
    started = time.monotonic()
    _wait(_start(configs, whole))
    duration = time.monotonic() - started
    verdict, rng, copies = Verdict(), random.Random(seed), itertools.count()
    while verdict.kills < kills:
        copy = next(copies)
        broken = [folder / f"killed-{copy}-{k}" for k in range(len(configs))]
        child = _start(configs, broken)
        while verdict.kills < kills:
            child.join(rng.uniform(0, duration / 3))
            if child.exitcode is not None:
                break
            assert child.pid
            os.kill(child.pid, signal.SIGKILL)
            child.join()
            verdict.kills += 1
            verdict.after_first_checkpoint += all((path / LAST).exists() for path in broken)
            child = _start(configs, broken)
        _wait(child)
        for k, path in enumerate(broken):
            verdict.inside_epochs += sum(
                place["minibatch"] > 0 for place in Result.read(path).resumed
            )
            found = [f"copy {copy}, run {k}: {line}" for line in differences(whole[k], path)]
            verdict.differences += found
            if not found:
                shutil.rmtree(path)
    return verdict


def _start(configs: list[Config], folders: list[Path]) -> BaseProcess:
    """Train, or go on, in a process of its own."""
    begins = not all(map(has_checkpoint, folders))
    if begins:
        for folder in folders:
            shutil.rmtree(folder, ignore_errors=True)
    lanes = workers.Lanes([*folders], dict(zip(folders, configs, strict=True)), begins)
    return workers.start(lanes)


def _wait(process: BaseProcess) -> None:
    process.join()
    if process.exitcode:
        raise RuntimeError(f"a training process ended with exit status {process.exitcode}")
