"""plan=true: what a study would train, in which stacks, with how much memory and time."""

from __future__ import annotations

import heapq
import sys
import time
from dataclasses import replace

from rnnlab.planning import Invalid, Plan
from rnnlab.stacking import Job, lane_bytes, shape_of

SECONDS = 1.0  # of training, for each kind of stack


def show_plan(planned: Plan, stacks: list[list[Job]], num_workers: int) -> None:
    """Print it; trains a second of each kind of stack, and writes nothing."""
    common = set.intersection(*(set(overrides) for overrides, _ in planned.rows))
    shown: set[int] = set()
    for overrides, job in planned.rows:
        changed = " ".join(own for own in overrides if own not in common)
        if job.number in shown:
            print(f"       {changed}: the same as job {job.number}")
            continue
        shown.add(job.number)
        note = f": {job.mistake}" if isinstance(job, Invalid) else ""
        if isinstance(job, Job) and job.is_done:
            note = ": done already"
        print(f"job {job.number:<3} {changed}{note}")
    timed: dict[tuple[object, int], float] = {}
    ends = [0.0] * num_workers
    for number, stack in enumerate(stacks):
        kind = (shape_of(stack[0]), len(stack))
        if kind not in timed:
            timed[kind] = seconds_per_minibatch(stack, threads=1 if num_workers > 1 else None)
        seconds = timed[kind] * max(minibatches(job) * job.config.num_epochs for job in stack)
        heapq.heapreplace(ends, ends[0] + seconds)
        lanes = f"{len(stack)} lane{'s' if len(stack) > 1 else ''}"
        numbers = ", ".join(str(job.number) for job in stack if job.number >= 0)
        mib = sum(map(lane_bytes, stack)) / 2**20
        print(f"stack {number}: {lanes}, {mib:.0f} MiB, {duration(seconds)}: jobs {numbers}")
    print(
        f"{len(stacks)} stacks on {num_workers} workers: about {duration(max(ends))} of training "
        "(from a second of each kind of stack, without logging and sampling); nothing was trained"
    )


def minibatches(job: Job) -> int:
    """Of an epoch, but for one that its offset can take away."""
    config = job.config
    found = (len(job.corpus.train) - 1) // (config.batch_size * config.num_steps)
    return min(found, config.max_minibatches or found)


def seconds_per_minibatch(stack: list[Job], threads: int | None) -> float:
    """Measured on a copy of the stack that is thrown away."""
    import torch

    from rnnlab.build import build_lane, build_model, build_recipe
    from rnnlab.surroundings import resolve_device
    from rnnlab.training import Training

    if threads:
        torch.set_num_threads(threads)
    config = stack[0].config
    model = build_model(config, len(stack[0].corpus.vocabulary))
    recipe = build_recipe(config, model, resolve_device(config.device))
    endless = [replace(job.config, num_epochs=sys.maxsize) for job in stack]
    lanes = [build_lane(own, job.corpus) for own, job in zip(endless, stack, strict=True)]
    training, started = Training(recipe, lanes), time.perf_counter()
    elapsed = 0.0
    while elapsed < SECONDS:
        training.run_epoch(lambda: time.perf_counter() - started > SECONDS)
        if recipe.device.type == "cuda":
            torch.cuda.synchronize()
        elapsed = time.perf_counter() - started
    return elapsed / (training.epoch * minibatches(stack[0]) + training.minibatch)


def duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if seconds >= 90 else f"{seconds:.0f} s"
