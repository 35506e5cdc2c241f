"""Which jobs can train as one stack, and how deep a stack is worth being.

Imports no torch: a study is planned before anything slow begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

from rnnlab.runs.folder import LAST, has_checkpoint
from rnnlab.runs.needs import lane_bytes, parameter_bytes
from rnnlab.runs.result import Result, Status
from rnnlab.studies.job import Job

STACK_BYTES = 1 << 20  # of a stack's parameters on a CPU core; see docs/decisions.md
DEEPEST = 64  # lanes
OF_A_LANE = ("lr", "theta", "seed", "num_epochs", "sampler", "dataset", "log", "eval", "checkpoint")
OF_A_LANE += ("schedule", "stop", "init_from", "init_sha256", "tags", "note", "instruments")


def shape_of(job: Job) -> tuple[Any, ...]:
    """Jobs may share a stack if this is equal: all that is not a lane's own."""
    shared = {k: v for k, v in job.config.as_dict().items() if k not in OF_A_LANE}
    alone = None if job.config.optimizer.stacks else job.number
    mapped = job.config.dataset if job.corpus.file else None  # and joined with no other
    return (repr(shared), len(job.corpus.vocabulary), alone, mapped)


def job_bytes(job: Job, device_type: str) -> int:
    """What its lane needs while it trains."""
    return lane_bytes(job.config, len(job.corpus.vocabulary), device_type)


Stack = list[Job]  # jobs that train together


def stacks(
    jobs: Sequence[Job],
    study: Sequence[Job],
    workers: int,
    gpu_bytes: int | None,
    lanes: int | None = None,
) -> list[Stack]:
    """The jobs in stacks, for a GPU with so much memory or, without one, for CPU workers.

    Those that have trained go on as they began; the others go by their shapes, together with those
    of the whole study that they would have begun with: a lane's bits depend on their number, and
    are the same after a kill.
    """
    trained = [job for job in jobs if _has_trained(job)]
    fresh = {job.folder: job for job in jobs if job not in trained}
    parts = _by_shape(study, workers, gpu_bytes, lanes)
    begin = [[fresh[job.folder] for job in part if job.folder in fresh] for part in parts]
    return _as_they_began(trained) + [part for part in begin if part]


def _by_shape(
    jobs: Sequence[Job], workers: int, gpu_bytes: int | None, lanes: int | None
) -> list[list[Job]]:
    """As many lanes in a stack as fit, but no more than keep every worker busy."""
    groups: dict[tuple[Any, ...], list[Job]] = {}
    for job in jobs:
        groups.setdefault(shape_of(job), []).append(job)
    cut: list[list[Job]] = []
    for group in groups.values():
        depth = lanes or _depth(group, workers, gpu_bytes)
        parts = ceil(len(group) / depth)
        if parts > 1:  # as many for every worker
            parts = min(len(group), ceil(parts / workers) * workers)
        edges = [len(group) * i // parts for i in range(parts + 1)]
        cut += [group[a:b] for a, b in pairwise(edges)]
    return cut


def _depth(group: list[Job], workers: int, gpu_bytes: int | None) -> int:
    """What fits a GPU's memory or a core's cache."""
    if gpu_bytes is not None:
        return max(1, min(DEEPEST, gpu_bytes // job_bytes(group[0], "cuda")))
    of_lane = parameter_bytes(group[0].config, len(group[0].corpus.vocabulary))
    return min(DEEPEST, max(1, STACK_BYTES // of_lane), ceil(len(group) / workers))


def _has_trained(job: Job) -> bool:
    """Not if its stack was killed while the first checkpoints were staged."""
    stack = [folder for folder in _began_with(job) if folder]
    return has_checkpoint(job.folder) and any((folder / LAST).exists() for folder in stack)


def _as_they_began(jobs: Sequence[Job]) -> list[Stack]:
    """Together, so that they go on bit for bit.

    A job that failed while others of its stack went on is elsewhere than they: it goes on alone.
    """
    groups: dict[tuple[Path | None, ...], list[Job]] = {}
    for job in jobs:
        groups.setdefault(_began_with(job), []).append(job)
    found = []
    for folders, own in groups.items():
        results = [Result.find(folder) for folder in folders if folder]
        all_failed = all(result and result.status == Status.failed for result in results)
        alone = [job for job in own if _has_failed(job) and not all_failed]
        together = [job for job in own if job not in alone]
        found += [[job] for job in alone] + ([together] if together else [])
    return found


def _has_failed(job: Job) -> bool:
    return job.before is not None and job.before.status == Status.failed


def _began_with(job: Job) -> tuple[Path | None, ...]:
    """The folders of the stack that the job trained in last, in the order of its lanes."""
    names = job.before.stack if job.before else []
    return tuple(job.folder.with_name(name) if name else None for name in names) or (job.folder,)
