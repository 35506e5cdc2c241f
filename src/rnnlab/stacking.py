"""Which jobs can train as one stack, and how deep a stack is worth being.

Imports no torch: a study is planned before anything slow begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

from rnnlab.config import LSTM, Config, TorchOptim
from rnnlab.corpus import Corpus
from rnnlab.results import Result, has_trained

STACK_BYTES = 1 << 20  # of a stack's parameters on a CPU core; see docs/decisions.md
DEEPEST = 64  # lanes
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
OF_A_LANE = ("lr", "theta", "seed", "num_epochs", "sampler", "dataset", "log", "checkpoint")


@dataclass(frozen=True, eq=False)
class Job:
    """One job of a study."""

    number: int  # -1: only its lane is wanted, in which others began
    overrides: tuple[str, ...]
    config: Config
    corpus: Corpus
    folder: Path
    config_id: str
    swept: tuple[str, ...] = ()  # names of the settings that the study's jobs differ in
    before: Result | None = None  # what its folder says of it, before the study begins

    @property
    def is_done(self) -> bool:
        return self.before is not None and self.before.status in ("completed", "diverged")


def shape_of(job: Job) -> tuple[Any, ...]:
    """Jobs may share a stack if this is equal: all that is not a lane's own."""
    shared = {k: v for k, v in job.config.as_dict().items() if k not in OF_A_LANE}
    alone = job.number if isinstance(job.config.optimizer, TorchOptim) else None
    return (repr(shared), len(job.corpus.vocabulary), alone)


def parameter_bytes(config: Config, V: int) -> int:
    """Of one lane, in fp32."""
    gates, H, L = GATES[config.model.name], config.num_hiddens, config.num_layers
    return 4 * (gates * H * (V + H + 1 + (L - 1) * (2 * H + 1)) + H * V + V)


def lane_bytes(job: Job) -> int:
    """All that a lane needs while it trains, roughly: engines/fused.py's buffers, in fp32.

    Parameters, gradients, their masked copy and Adam's two moments; gates and outputs of every
    time step with their gradients, in two orders; logits and their gradients.
    """
    config, V = job.config, len(job.corpus.vocabulary)
    steps = config.batch_size * config.num_steps
    layer = 2 * (GATES[config.model.name] + 3) * config.num_hiddens
    of_steps = 4 * steps * (config.num_layers * layer + 4 * V)
    return 5 * parameter_bytes(config, V) + of_steps


def stacks(
    jobs: Sequence[Job], workers: int, gpu_bytes: int | None, lanes: int | None = None
) -> list[list[Job]]:
    """The jobs in stacks, for a GPU with so much memory or, without one, for CPU workers.

    Those that have trained go on as they began; the others go by their shapes.
    """
    trained = [job for job in jobs if all(map(has_trained, _began_with(job)))]
    fresh = [job for job in jobs if job not in trained]
    return _as_they_began(trained) + _by_shape(fresh, workers, gpu_bytes, lanes)


def _by_shape(
    jobs: Sequence[Job], workers: int, gpu_bytes: int | None, lanes: int | None
) -> list[list[Job]]:
    """As many lanes in a stack as fit, but no more than keep every worker busy."""
    groups: dict[tuple[Any, ...], list[Job]] = {}
    for job in jobs:
        groups.setdefault(shape_of(job), []).append(job)
    cut: list[list[Job]] = []
    for group in groups.values():
        if lanes is not None:
            depth = lanes
        elif gpu_bytes is not None:
            depth = max(1, min(DEEPEST, gpu_bytes // lane_bytes(group[0])))
        elif isinstance(group[0].config.model, LSTM) and group[0].config.num_hiddens > 256:
            depth = 1
        else:
            of_lane = parameter_bytes(group[0].config, len(group[0].corpus.vocabulary))
            fitting = max(1, STACK_BYTES // of_lane)
            depth = min(DEEPEST, fitting, ceil(len(group) / workers))
        parts = ceil(len(group) / depth)
        if parts > 1:  # as many for every worker
            parts = min(len(group), ceil(parts / workers) * workers)
        edges = [len(group) * i // parts for i in range(parts + 1)]
        cut += [group[a:b] for a, b in pairwise(edges)]
    return cut


def _as_they_began(jobs: Sequence[Job]) -> list[list[Job]]:
    """So that they go on bit for bit; the lane of a job that has ended is kept.

    A job that failed while others of its stack went on goes on alone.
    """
    by_folder = {job.folder: job for job in jobs}
    found: dict[tuple[Path, ...], list[Job]] = {}
    for job in jobs:
        folders = _began_with(job)
        failed = [folder for folder in folders if Result.read(folder).status == "failed"]
        apart = failed if len(failed) < len(folders) else []
        if job.folder in apart:
            found[job.folder,] = [job]
        elif folders not in found:
            found[folders] = [
                by_folder[folder]
                if folder in by_folder and folder not in apart
                else replace(job, number=-1, folder=folder)
                for folder in folders
            ]
    return list(found.values())


def _began_with(job: Job) -> tuple[Path, ...]:
    """The folders of the stack that the job began in, its own among them."""
    names = job.before.stack if job.before else []
    return tuple(job.folder.parent / name for name in names) or (job.folder,)
