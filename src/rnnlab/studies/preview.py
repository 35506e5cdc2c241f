"""plan=true: what a study would train, in which stacks, with how much memory and time."""

from __future__ import annotations

import heapq
import sys
import time
from dataclasses import replace
from pathlib import Path

from rnnlab._common.console import say
from rnnlab.config.identity import changed
from rnnlab.runs.needs import stack_bytes
from rnnlab.studies.job import Invalid, Job
from rnnlab.studies.plan import Plan
from rnnlab.studies.stacks import Stack, shape_of

SECONDS = 1.0  # of training, for each kind of stack


def show_plan(planned: Plan, stacks: list[Stack], num_workers: int) -> None:
    """Print it; trains a second of each kind of stack, and throws that away."""
    _show_jobs(planned)
    timed: dict[tuple[object, int], float] = {}
    ends = [0.0] * num_workers
    for number, stack in enumerate(stacks):
        numbers = ", ".join(str(job.number) for job in stack)
        kind = (shape_of(stack[0]), len(stack))
        try:
            if kind not in timed:
                timed[kind] = seconds_per_minibatch(stack, threads=1 if num_workers > 1 else None)
        except (MemoryError, RuntimeError):
            say(f"{_size(number, stack)}, which cannot be had here: jobs {numbers}")
            continue
        seconds = timed[kind] * max(_epochs_left(j) * minibatches(j) for j in stack)
        heapq.heapreplace(ends, ends[0] + seconds)
        say(f"{_size(number, stack)}, {duration(seconds)}: jobs {numbers}")
    sizes = f"{_count(len(stacks), 'stack')} on {_count(num_workers, 'worker')}"
    say(
        f"{sizes}: about {duration(max(ends))} of training "
        "(from a second of each kind of stack, without logging and sampling); nothing was trained"
    )


def _show_jobs(planned: Plan) -> None:
    shown: set[Path] = set()
    for (_, job), own in zip(planned.rows, changed([o for o, _ in planned.rows]), strict=True):
        if job.folder in shown:
            say(f"        {own}: the same as job {job.number}")
            continue
        shown.add(job.folder)
        note = f": {job.mistake}" if isinstance(job, Invalid) else ""
        if isinstance(job, Job) and job.is_done:
            note = ": done already"
        say(f"job {job.number:<3} {own}{note}")


def _size(number: int, stack: Stack) -> str:
    depth, job = len(stack), stack[0]
    mebibytes = stack_bytes(job.config, len(job.corpus.vocabulary), "cpu", depth) / 2**20
    return f"stack {number}: {_count(depth, 'lane')}, {mebibytes:,.0f} MiB"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" + ("" if number == 1 else "s")


def _epochs_left(job: Job) -> int:
    return job.config.num_epochs - (job.before.epochs if job.before else 0)


def minibatches(job: Job) -> int:
    """Of an epoch, but for one that its offset can take away."""
    config = job.config
    found = (len(job.corpus.train) - 1) // (config.batch_size * config.num_steps)
    return min(found, config.max_minibatches or found)


def seconds_per_minibatch(stack: Stack, threads: int | None) -> float:
    """Measured on a copy of the stack that is thrown away."""
    import torch

    from rnnlab.runs.build import build_lane, build_model, build_recipe
    from rnnlab.runs.surroundings import resolve_device
    from rnnlab.training.loop import Training

    if threads:
        torch.set_num_threads(threads)
    first = stack[0]
    config = first.config
    model = build_model(config, len(first.corpus.vocabulary))
    recipe = build_recipe(config, model, resolve_device(config.device))
    endless = [replace(job.config, num_epochs=sys.maxsize) for job in stack]
    lanes = [build_lane(own, job.corpus) for own, job in zip(endless, stack, strict=True)]
    training, started = Training(recipe, lanes), time.perf_counter()

    def done() -> int:
        return training.epoch * minibatches(first) + training.minibatch

    def is_enough() -> bool:
        return done() > 0 and time.perf_counter() - started > SECONDS

    while not is_enough():
        training.run_epoch(is_enough)
        if recipe.device.type == "cuda":
            torch.cuda.synchronize(recipe.device)
    return (time.perf_counter() - started) / done()


def duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if seconds >= 90 else f"{seconds:.0f} s"
