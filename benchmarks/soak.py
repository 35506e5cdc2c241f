"""Train a stack of eight lanes for half an hour, and watch memory and speed.

python benchmarks/soak.py [--minutes 30] writes docs/images/soak.svg, benchmarks/results/soak.json.
The runs are whole ones: logs, samples, evaluation, checkpoints every second.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import tempfile
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import torch
from matplotlib.figure import Figure

from rnnlab.config.compose import compose
from rnnlab.runs import stack as experiment
from rnnlab.training.loop import Training

ROOT = Path(__file__).resolve().parents[1]
LANES = 8


def resident_mib() -> float:
    """Of this process; Linux only."""
    pages = int(Path("/proc/self/statm").read_text(encoding="utf-8").split()[1])
    return pages * 4096 / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    minutes = parser.parse_args().minutes
    logging.disable(logging.INFO)
    overrides = ["size=tiny", "sampler=random", "num_epochs=10000000", "checkpoint.seconds=1"]
    overrides += ["dataset.val_fraction=0.1", "optimizer=adam", "lr=0.003"]
    configs = [compose([*overrides, f"seed={k}"]) for k in range(LANES)]
    started = time.monotonic()
    memory: list[tuple[float, float]] = []
    epochs: list[tuple[float, float]] = []  # when, and how long it trained
    enough = threading.Event()

    def watch(self: Training, stop):
        figures = whole(self, lambda: stop() or enough.is_set())
        if figures and figures[0]:
            epochs.append(((time.monotonic() - started) / 60, figures[0]["seconds"]))
        return figures

    def sample() -> None:
        while not enough.wait(1.0):
            memory.append(((time.monotonic() - started) / 60, resident_mib()))
            if memory[-1][0] > minutes:
                enough.set()

    whole, Training.run_epoch = Training.run_epoch, watch
    watcher = threading.Thread(target=sample)
    with tempfile.TemporaryDirectory() as home:
        folders = [Path(home) / str(k) for k in range(LANES)]
        for folder in folders:
            folder.mkdir()
        experiment.stop_requests = lambda: nullcontext(enough.is_set)
        watcher.start()
        experiment.run_stack(configs, folders)
    watcher.join()
    half = minutes / 2
    report = {
        "minutes": minutes,
        "epochs": len(epochs),
        "threads": torch.get_num_threads(),
        "resident_mib_after_one_minute": next(mib for at, mib in memory if at >= min(1, half)),
        "resident_mib_at_the_end": memory[-1][1],
        "median_epoch_ms_first_half": _median_ms([s for at, s in epochs if at < half]),
        "median_epoch_ms_second_half": _median_ms([s for at, s in epochs if at >= half]),
    }
    print(json.dumps(report, indent=1))
    (ROOT / "benchmarks" / "results" / "soak.json").write_text(json.dumps(report, indent=1) + "\n")
    draw(memory, epochs)


def _median_ms(seconds: list[float]) -> float:
    return round(1000 * statistics.median(seconds), 3)


def draw(memory: list[tuple[float, float]], epochs: list[tuple[float, float]]) -> None:
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    upper, lower = figure.subplots(2, sharex=True)
    upper.plot(*zip(*memory, strict=True), color="#1f5fa8", linewidth=1.2)
    upper.set(ylabel="resident memory, MiB", ylim=(0, None))
    step = max(1, len(epochs) // 300)
    medians = [
        (epochs[i][0], _median_ms([s for _, s in epochs[i : i + step]]))
        for i in range(0, len(epochs), step)
    ]
    lower.plot(*zip(*medians, strict=True), color="#c8551b", linewidth=1.2)
    lower.set(ylabel="an epoch, ms (median)", xlabel="minutes", ylim=(0, None))
    figure.savefig(ROOT / "docs" / "images" / "soak.svg")


if __name__ == "__main__":
    main()
