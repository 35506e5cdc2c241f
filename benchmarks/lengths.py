"""Cost of a token in corpora from ten thousand to a hundred million tokens, and a stack's memory.

python benchmarks/lengths.py writes benchmarks/results/lengths.json. Every setting runs in a process
of its own, on one thread, so that its peak memory is its own.
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import time
from functools import partial
from pathlib import Path
from typing import Any

import torch

from rnnlab._common.choices import registered
from rnnlab.nn.cells import CELLS
from rnnlab.nn.engines import ENGINES
from rnnlab.nn.engines.compiled.network import load_kernels
from rnnlab.nn.model import Model
from rnnlab.training.loop import Lane, Recipe, Training
from rnnlab.training.rules import SGD

ROOT = Path(__file__).resolve().parents[1]
LENGTHS = [10_000, 100_000, 1_000_000, 10_000_000, 100_000_000]
# T, B, H, K: each doubled in its turn
SHAPES = [(35, 32, 256, 4), (70, 32, 256, 4), (35, 64, 256, 4), (35, 32, 512, 4), (35, 32, 256, 8)]
MINIBATCHES = 250  # timed


torch.set_num_threads(1)


def training(N: int, T: int, B: int, H: int, K: int, sampler: str) -> Training:
    g = torch.Generator().manual_seed(0)
    tokens = torch.randint(1, 28, (N,), generator=g, dtype=torch.uint8)
    recipe = Recipe(
        model=Model(cell=CELLS["rnn_tanh"], vocab_size=28, num_hiddens=H),
        batch_size=B,
        num_steps=T,
        optimizer=SGD(),
        engine=ENGINES["compiled"],
        device=torch.device("cpu"),
    )
    lane = partial(Lane, tokens=tokens, sampler=registered("sampler")[sampler](), lr=1.0, theta=1.0)
    return Training(recipe, [lane(seed=k, num_epochs=10**9) for k in range(K)])


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def length(N: int, sampler: str) -> dict[str, Any]:
    """Nanoseconds of a token, an epoch's plan included in its share."""
    run = training(N, 35, 32, 128, 1, sampler)
    run.run_epoch(stop=iter([False] * 5 + [True]).__next__)
    started = time.perf_counter()
    M = len(run._plan())
    planning = time.perf_counter() - started
    done, started = 0, time.perf_counter()
    while done < MINIBATCHES:
        left = iter([False] * (MINIBATCHES - done) + [True])
        before = run.minibatch
        started_call = time.perf_counter()
        finished = run.run_epoch(stop=left.__next__)
        done += (M - before) if finished else run.minibatch - before
        # a call plans the epoch anew: that is the epoch's cost once, not every call's
        started += 0 if finished else min(planning, time.perf_counter() - started_call)
    seconds = time.perf_counter() - started + planning * MINIBATCHES / M
    return {
        "tokens": N,
        "sampler": sampler,
        "ns_per_token": 1e9 * seconds / (done * 35 * 32),
        "planning_seconds": planning,
        "peak_mib": peak_mib(),
    }


def shape(T: int, B: int, H: int, K: int) -> dict[str, Any]:
    """Peak memory of a stack, less that of the process before it."""
    load_kernels(torch.float32)
    before = peak_mib()
    run = training(20_000, T, B, H, K, "sequential")
    run.run_epoch(stop=iter([False] * 3 + [True]).__next__)
    first = peak_mib()
    run.run_epoch()
    return {
        "T": T,
        "B": B,
        "H": H,
        "K": K,
        "mib": first - before,
        "mib_after_an_epoch": peak_mib() - before,
    }


def main() -> None:
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        lengths = [pool.apply(length, (N, s)) for N in LENGTHS for s in ("sequential", "random")]
        shapes = [pool.apply(shape, sizes) for sizes in SHAPES]
    for row in lengths + shapes:
        print(row)
    report = {"lengths": lengths, "shapes": shapes}
    target = ROOT / "benchmarks" / "results" / "lengths.json"
    target.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
