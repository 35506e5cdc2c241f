"""Proof on the user's own machine: a run that is killed and continued is the uninterrupted run.

Compared bit for bit: every logged value but times, the samples, every TensorBoard scalar, and all
tensors of the last checkpoint, optimizer and hidden state included.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rnnlab._common.files import opened
from rnnlab.runs.checkpoint import read_tensors
from rnnlab.runs.events import read_numbers
from rnnlab.runs.folder import (
    BEST,
    INSTRUMENTS,
    LAST,
    METRICS,
    MINIBATCHES,
    RESULT,
    SAMPLES,
    read_looks,
    read_metrics,
)
from rnnlab.runs.result import Result

MOST_OF_SAMPLES = 64 << 20  # bytes
TIMES = ("seconds", "tokens_per_second", "speed/tokens_per_second")
FORMER_TAGS = {  # what those of older versions begin with, and with what they do now
    "loss/train": "training/loss",
    "loss/bits_per_token": "training/bits_per_token",
    "gradient/norm": "training/gradient_norm",
    "gradient/clipped_fraction": "training/clipped_fraction",
    "perplexity/running": "within_epoch/perplexity",
    "instruments_": "probe_",
    "lengths/": "tested_at_length/",
}
FIGURES = (
    "status stopped error perplexity best_perplexity val_perplexity excess_nats lengths "
    "epochs tokens samples"
).split()


def differences(left: Path, right: Path) -> Iterator[str]:
    """What differs between two runs' folders, in the order of training."""
    for log in (METRICS, MINIBATCHES):
        yield from _first_difference(log, *(_metrics(folder, log) for folder in (left, right)))
    looks = (list(read_looks(folder)) for folder in (left, right))
    yield from _first_difference(INSTRUMENTS, *looks)
    yield from _first_difference(SAMPLES, *(_samples(folder) for folder in (left, right)))
    yield from _first_difference("TensorBoard", *(_scalars(folder) for folder in (left, right)))
    results = [Result.read(folder) for folder in (left, right)]
    for name in FIGURES:
        one, other = (getattr(result, name) for result in results)
        if one != other:
            yield f"{RESULT}: {name} is {one!r} and {other!r}"
    for name in (LAST, BEST):
        yield from _tensors(name, left, right)


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


def _metrics(folder: Path, log: str) -> list[Any]:
    return [
        {name: value for name, value in line.items() if name not in TIMES}
        for line in read_metrics(folder, log)
    ]


def _samples(folder: Path) -> list[bytes]:
    with opened(folder, SAMPLES) as file:
        return file.read(MOST_OF_SAMPLES).split(b"\n")


def _scalars(folder: Path) -> list[Any]:
    return [
        (step, _tag_now(tag), values)
        for step, tag, values in read_numbers(folder)
        if tag not in TIMES
    ]


def _tag_now(tag: str) -> str:
    for former, now in FORMER_TAGS.items():
        if tag.startswith(former):
            return now + tag.removeprefix(former)
    return tag


def _first_difference(name: str, left: list[Any], right: list[Any]) -> Iterator[str]:
    for i, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            yield f"{name}, entry {i + 1}: {_both(one, other)}"
            return
    if len(left) != len(right):
        yield f"{name}: {len(left)} and {len(right)} entries"


def _both(one: Any, other: Any) -> str:
    """Of two lines of figures those that differ."""
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return f"{one} and {other}"
    names = [name for name in one | other if one.get(name) != other.get(name)]
    return ", ".join(f"{name} {one.get(name)} and {other.get(name)}" for name in names)


def _tensors(name: str, left: Path, right: Path) -> Iterator[str]:
    """Raises ConfigError where one cannot be read."""
    there = [folder for folder in (left, right) if (folder / name).exists()]
    if len(there) == 1:
        yield f"{name} is in one folder only"
    if len(there) < 2:
        return
    one, other = (read_tensors(folder, name) for folder in there)
    for key in one.keys() | other.keys():
        if key not in one or key not in other:
            yield f"{name}: {key} is in one file only"
        elif _bits(one[key]) != _bits(other[key]):
            yield f"{name}: {key} differs in its bits"


def _bits(tensor: Tensor) -> tuple[torch.dtype, torch.Size, bytes]:
    return tensor.dtype, tensor.shape, tensor.reshape(-1).view(torch.uint8).numpy().tobytes()
