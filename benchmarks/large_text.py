"""A text of 2 GB: how fast it becomes tokens, and what training on it takes beside a small one.

make bench-large writes benchmarks/results/large_text.json; it needs 5 GB of disk.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from engines import cpu_name

ROOT = Path(__file__).resolve().parents[1]
TRAINING = """
import json, resource, sys, time
from pathlib import Path
import torch
torch.set_num_threads(1)
from rnnlab.config.compose import compose
from rnnlab.nn.engines.compiled.network import load_kernels
load_kernels(torch.float32)
torch.randn(8, 8) @ torch.randn(8, 8)

def memory(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name + ":"))

before = memory("VmRSS")
from rnnlab.data import corpus
from rnnlab.runs.build import build_lane, build_model, build_recipe
from rnnlab.training.loop import Training
config = compose(sys.argv[1:])
started = time.perf_counter()
text = corpus.load(config.dataset)
loading = time.perf_counter() - started
after_loading = memory("VmHWM")
recipe = build_recipe(config, build_model(config, len(text.vocabulary)), torch.device("cpu"))
training = Training(recipe, [build_lane(config, text)])
calls = 0

def stop():
    global calls
    calls += 1
    return calls > limit or time.perf_counter() > deadline

limit, deadline = 50, float("inf")
while calls < limit:
    training.run_epoch(stop)
calls, limit, started = 0, float("inf"), time.perf_counter()
deadline = started + 8
while time.perf_counter() < deadline:
    training.run_epoch(stop)
seconds, done = time.perf_counter() - started, calls
print(json.dumps({
    "tokens": len(text.train), "loading_seconds": loading,
    "tokens_per_second": done * config.batch_size * config.num_steps / seconds,
    "mib_before": before, "mib_peak": memory("VmHWM"), "mib_own": memory("RssAnon"),
    "mib_mapped": memory("RssFile"), "mib_peak_after_loading": after_loading,
}))
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--gigabytes", type=float, default=2.0)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        large, small = Path(folder, "large.txt"), Path(folder, "small.txt")
        size = write(large, int(options.gigabytes * 1e9))
        write(small, 1_000_000)
        rows: dict[str, list[dict[str, Any]]] = {}
        for number in range(options.rounds):
            for sampler in ("random", "sequential"):
                for name, path in (("large", large), ("small", small)):
                    row = trained(path, sampler)
                    rows.setdefault(f"{name} {sampler}", []).append(row)
                    print(number, name, sampler, row, flush=True)
    first = rows["large random"][0]
    speeds = {kind: [row["tokens_per_second"] for row in own] for kind, own in rows.items()}
    result = {
        "about": {"date": date.today().isoformat(), "device": cpu_name()},
        "bytes": size,
        "tokenised_mb_per_second": size / 1e6 / first["loading_seconds"],
        "seconds_when_it_is_there": rows["large random"][-1]["loading_seconds"],
        "mib_above_torch": max(
            row["mib_peak"] - row["mib_before"] for kind in rows for row in rows[kind]
        ),
        "speed_beside_small": {
            sampler: [
                a / b
                for a, b in zip(speeds[f"large {sampler}"], speeds[f"small {sampler}"], strict=True)
            ]
            for sampler in ("random", "sequential")
        },
        "rows": rows,
    }
    path = ROOT / "benchmarks" / "results" / "large_text.json"
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps({k: v for k, v in result.items() if k != "rows"}, indent=2))


def write(path: Path, size: int) -> int:
    """Words and lines of a fixed generator, so many bytes about."""
    rng = np.random.default_rng(0)
    letters = np.frombuffer(b"etaoinshrdlcumwfgypbvkjxqz", np.uint8)
    words = [
        bytes(letters[np.minimum(rng.geometric(0.12, n), 26) - 1])
        for n in rng.integers(2, 10, 8000)
    ]
    written = 0
    with path.open("wb") as file:
        while written < size:
            lines = (
                b" ".join(words[i] for i in rng.zipf(1.3, 12) % 8000).capitalize() + b".\n"
                for _ in range(2000)
            )
            block = b"".join(lines)
            for _ in range(max(1, min(50, size // len(block)))):
                written += file.write(block)
    return written


def trained(path: Path, sampler: str) -> dict[str, Any]:
    words = ["dataset=text", f"dataset.path={path}", f"sampler={sampler}", "num_hiddens=64"]
    words += ["dataset.clean=letters", "dataset.max_tokens=null", "num_epochs=1000", "device=cpu"]
    command = [sys.executable, "-c", TRAINING, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    main()
