"""The constants of docs/scaling.md, measured here: start-up, queues, all-reduce, two processes.

make bench-scaling writes benchmarks/results/scaling.json.
"""

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
EMPTY = "-m seed=range(8) num_hiddens=4 num_epochs=1 dataset.max_tokens=1000 batch_size=2"
EMPTY += " num_steps=10 log.sample_every=0"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        result = {
            "about": {"date": date.today().isoformat(), "device": cpu_name(), "cores": cores()},
            "all_reduce_seconds_by_bytes": all_reduce(),
            "two_processes": two_processes(rounds),
            "executors": executors(),
        }
    path = ROOT / "benchmarks" / "results" / "scaling.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def all_reduce() -> dict[str, float]:
    Path("all_reduce.py").write_text(ALL_REDUCE)
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
    for H in (256, 512, 1024):
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
        seconds = {}
        for lanes in (8, 1):
            started = time.perf_counter()
            command = [sys.executable, str(ROOT / "run.py"), *EMPTY.split(), *words]
            command += ["hydra.launcher.workers=1", f"hydra.launcher.lanes={lanes}"]
            command += [f"sweep={name[:5]}-{lanes}"]
            subprocess.run(command, check=True, capture_output=True, env=alone())
            seconds[lanes] = time.perf_counter() - started
        found[name] = {"whole": seconds[8], "a_stack_more": (seconds[1] - seconds[8]) / 7}
        print(name, found[name], flush=True)
    return found


if __name__ == "__main__":
    main()
