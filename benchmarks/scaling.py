"""What studies and jobs beyond one process cost: measured here, and what follows for larger ones.

make bench-scaling writes benchmarks/results/scaling.json, and docs/scaling.md from it.
"""
# ruff: noqa: E501  (a page's prose)

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from engines import cpu_name

from rnnlab._common.machine import cores
from rnnlab.runs.folder import read_metrics
from rnnlab.runs.result import Result

ROOT = Path(__file__).resolve().parents[1]
ALL_REDUCE = """
import json, os, time
import torch, torch.distributed as dist
torch.set_num_threads(1)
dist.init_process_group("gloo")
found = {}
for size in (1 << 10, 1 << 14, 1 << 18, 1 << 20, 1 << 22):
    numbers = torch.ones(size)
    for _ in range(5):
        dist.all_reduce(numbers)
    times = []
    for _ in range(30):
        started = time.perf_counter()
        dist.all_reduce(numbers)
        times.append(time.perf_counter() - started)
    found[4 * size] = sorted(times)[15]
if dist.get_rank() == 0:
    print(json.dumps(found))
"""
EMPTY = "num_hiddens=4 num_epochs=1 dataset.max_tokens=1000 batch_size=2 num_steps=10"
EMPTY += " log.sample_every=0"
B, T, V = 32, 35, 28  # of the jobs that are measured and predicted
HIDDENS = (256, 512, 1024)
SIZES = (8, 72)  # jobs of two studies

PAGE = """\
# Scaling

Written by `make bench-scaling` (`benchmarks/scaling.py`): what is measured is of {device}, {cores} cores, {date}; what is predicted
says what it assumes. Nothing here was measured on a GPU or on several machines.

## One job over several processes

A minibatch of B rows over R processes takes

    t(R) = t(1) / R + a(4 (P + 2 + B H L))

where t(1) is one process' time, P the parameters (for a tanh RNN H^2 + 2 H V + H + V) and a(n) the time of an all-reduce of n bytes: gradient, loss, the wish to
stop and all rows' hidden states go in one. Measured, for two processes on one machine (gloo):

| bytes | ms |
|---:|---:|
{reduces}

What the model predicts for two processes with a thread each, beside one with one thread, and what was measured (medians of {rounds} rounds, interleaved;
B {B}, T {T}, V {V}; the rates are of whole epochs of the command):

| H | MB sent | tokens/s of one | of two | efficiency | lowest - highest | predicted |
|---:|---:|---:|---:|---:|---|---:|
{ranks}

**A job of H 8192 on 8 GPUs.** It sends {mb8:.0f} MB a step. A ring moves 2 (R - 1) / R times that through each link: {ring_ms:.1f} ms at 300 GB/s, an NVLink's order of
magnitude. Its {flop8:.2g} FLOP a minibatch take {one_ms:.0f} ms on one GPU at 20 TFLOP/s, a third of what such GPUs have in fp32: {eight_ms:.1f} + {ring_ms:.1f} ms on eight, an efficiency of
{eff8:.0%}. With B 32 a GPU has four rows of each product: its rate falls long before the network counts, and that is where it breaks first. A larger
batch_size moves both: with B 256 the same sum gives {eff8b:.0%}.

## A study

A study of n jobs takes a time of its own, c + d n, beside the training of its stacks. From studies of {small} and {many} jobs that train for no time, two workers:

    c = {c:.1f} s, d = {d_ms:.0f} ms a job

which predicts {own200:.0f} s for 200 jobs; docs/performance.md has what was measured for 200 that train. In c is the import of torch by the server of the workers; in d composing, checking and writing a
job's files, and in its worker three checkpoints, logs and results, each flushed to the disk.

What a queue adds to a study of eight jobs, whole, and for each further stack:

| backend | whole | a stack more |
|---|---:|---:|
{executors}

A task of a queue is a process that imports torch; so a stack should train for minutes. Its payload is small: configs and folders, 1 kB a job; texts are read where
it trains, by their address.

**10,000 jobs on 100 GPUs.** Stacks of 64 lanes are {stacks} tasks, two for most GPUs: what they train for should be a multiple of it. The launcher works
{launcher:.0f} s by itself (d n; it opens folders while the first stacks train). What breaks first, in this order:

1. The launcher looks at every unended job of a running stack once a second, a millisecond each: 6,400 running jobs are 6 s a look. It is late then, and loses nothing. `detach=true` has no launcher.
2. Signs of life: 6,400 files every 10 s are 640 atomic writes a second, with a flush each, for one file system. Where that is too much they come later, and nothing but
   `rnnlab status` depends on them, until 60 s of silence.
3. The report reads 10,000 folders in {report:.0f} s.
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        result = {
            "about": {"date": date.today().isoformat(), "device": cpu_name(), "cores": cores()},
            "all_reduce_seconds_by_bytes": all_reduce(),
            "rounds": rounds,
            "two_processes": two_processes(rounds),
            "studies": {n: seconds_of_study(n, f"study-{n}") for n in SIZES},
            "executors": executors(),
        }
    path = ROOT / "benchmarks" / "results" / "scaling.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    (ROOT / "docs" / "scaling.md").write_text(page(json.loads(path.read_text())))
    print((ROOT / "docs" / "scaling.md").read_text())


def page(result: dict[str, Any]) -> str:
    reduces = {int(n): seconds for n, seconds in result["all_reduce_seconds_by_bytes"].items()}
    ranks = []
    for row in result["two_processes"]:
        H, one = row["H"], B * T / row["tokens_per_second_of_one"]
        sent = 4 * (parameters(H) + 2 + B * H)
        predicted = one / 2 / (one / 2 + interpolated(reduces, sent))
        low, high = row["range"]
        ranks.append(
            f"| {H} | {sent / 1e6:.2f} | {row['tokens_per_second_of_one']:,.0f} | {row['tokens_per_second_of_two']:,.0f} "
            f"| {row['efficiency']:.0%} | {low:.0%} - {high:.0%} | {predicted:.0%} |"
        )
    small, many = SIZES
    times = {int(n): seconds for n, seconds in result["studies"].items()}
    d = (times[many] - times[small]) / (many - small)
    c = times[small] - d * small
    sent8 = 4 * (parameters(8192) + 2 + B * 8192)
    ring, flop = 2 * 7 / 8 * sent8 / 300e9, 6 * B * T * (8192**2 + 8192 * V)
    one = flop / 20e12
    return PAGE.format(
        **result["about"],
        rounds=result["rounds"],
        B=B,
        T=T,
        V=V,
        reduces="\n".join(f"| {n:,} | {seconds * 1e3:.2f} |" for n, seconds in reduces.items()),
        ranks="\n".join(ranks),
        mb8=sent8 / 1e6,
        ring_ms=ring * 1e3,
        flop8=flop,
        one_ms=one * 1e3,
        eight_ms=one / 8 * 1e3,
        eff8=one / 8 / (one / 8 + ring),
        eff8b=one / (one + ring),
        small=small,
        many=many,
        c=c,
        d_ms=d * 1e3,
        own200=c + 200 * d,
        executors="\n".join(
            f"| {name} | {own['whole']:.1f} s | {own['a_stack_more']:.1f} s |"
            for name, own in result["executors"].items()
        ),
        stacks=-(-10_000 // 64),
        launcher=10_000 * d,
        report=10_000 * 0.004,
    )


def parameters(H: int) -> int:
    return H * H + 2 * H * V + H + V


def interpolated(seconds: dict[int, float], size: int) -> float:
    """Between two measured sizes; beyond them in proportion to the last one."""
    known = sorted(seconds)
    for low, high in pairwise(known):
        if low <= size <= high:
            share = (size - low) / (high - low)
            return seconds[low] + share * (seconds[high] - seconds[low])
    return seconds[known[-1]] * size / known[-1] if size > known[-1] else seconds[known[0]]


def seconds_of_study(jobs: int, folder: str, *words: str) -> float:
    """The whole command, of jobs that train for no time."""
    command = [sys.executable, str(ROOT / "run.py"), "-m", f"seed=range({jobs})", *EMPTY.split()]
    started = time.perf_counter()
    subprocess.run(
        [*command, *words, f"sweep={folder}"], check=True, capture_output=True, env=alone()
    )
    return time.perf_counter() - started


def all_reduce() -> dict[str, float]:
    Path("all_reduce.py").write_text(ALL_REDUCE, encoding="utf-8")
    return json.loads(run_ranks(2, "all_reduce.py").splitlines()[-1])


def run_ranks(number: int, *words: str) -> str:
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={number}"]
    command += ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=alone()).stdout


def alone() -> dict[str, str]:
    return os.environ | {"OMP_NUM_THREADS": "1"}


def two_processes(rounds: int) -> list[dict[str, Any]]:
    """Tokens a second of two processes with a thread each, beside one process with one thread."""
    rows = []
    for H in HIDDENS:
        words = [f"num_hiddens={H}", "num_epochs=4", "device=cpu", "log.sample_every=0"]
        words += ["log.sample_length=1", "dataset.max_tokens=30000"]
        speeds: dict[int, list[float]] = {1: [], 2: []}
        for number in range(rounds):
            for ranks, own in speeds.items():
                folder = f"{H}-{ranks}-{number}"
                given = [str(ROOT / "run.py"), *words, f"hydra.run.dir={folder}"]
                if ranks == 1:
                    subprocess.run(
                        [sys.executable, *given], check=True, capture_output=True, env=alone()
                    )
                else:
                    run_ranks(ranks, *given)
                lines = [*read_metrics(Path(folder))][1:]  # without the first epoch
                own.append(statistics.median(line["tokens_per_second"] for line in lines))
                assert Result.read(Path(folder)).status == "completed"
        efficiencies = [two / one / 2 for one, two in zip(speeds[1], speeds[2], strict=True)]
        rows.append(
            {
                "H": H,
                "tokens_per_second_of_one": statistics.median(speeds[1]),
                "tokens_per_second_of_two": statistics.median(speeds[2]),
                "efficiency": statistics.median(efficiencies),
                "range": [min(efficiencies), max(efficiencies)],
            }
        )
        print(rows[-1], flush=True)
    return rows


def executors() -> dict[str, dict[str, float]]:
    """Seconds of a whole study of eight jobs that train for no time, in eight stacks and in one."""
    backends = {
        "local": [],
        "slurm (cluster=local)": ["backend=slurm", "hydra.launcher.slurm.cluster=local"],
    }
    found = {}
    for name, words in backends.items():
        seconds = {
            lanes: seconds_of_study(
                8,
                f"{name[:5]}-{lanes}",
                *words,
                "hydra.launcher.workers=1",
                f"hydra.launcher.lanes={lanes}",
            )
            for lanes in (8, 1)
        }
        found[name] = {"whole": seconds[8], "a_stack_more": (seconds[1] - seconds[8]) / 7}
        print(name, found[name], flush=True)
    return found


if __name__ == "__main__":
    main()
