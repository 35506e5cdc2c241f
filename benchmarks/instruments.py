"""What instruments cost: whole runs with off, light and full, one after the other, round by round.

python benchmarks/instruments.py writes benchmarks/results/instruments.json: seconds, and the median
over rounds of a run's seconds over those of the run without. Each run has two intervals of the
usual length (log.inspect_every=null) and a look at the end of each.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from rnnlab.config.compose import compose
from rnnlab.config.schema import Config
from rnnlab.instruments import LEVELS, OFF
from rnnlab.runs.observer import interval
from rnnlab.runs.preflight import Corpora
from rnnlab.runs.stack import run

ROOT = Path(__file__).resolve().parents[1]
SETTINGS = [("rnn", 64), ("rnn", 256), ("lstm", 64)]
ROUNDS = 7
INTERVALS = 2


def configs(model: str, size: int) -> dict[str, Config]:
    words = [f"model={model}", f"num_hiddens={size}", "log.sample_every=0", "log.every=10"]
    corpora, found = Corpora(), {}
    for level in LEVELS:
        short = compose([*words, f"instruments={level}"])
        epochs = INTERVALS * interval(short, corpora[short.dataset])
        found[level] = compose([*words, f"instruments={level}", f"num_epochs={epochs}"])
    return found


def seconds(config: Config) -> float:
    """Of the whole run: training, looking, logging, checkpoints, pictures."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        began = time.perf_counter()
        run(config, Path(folder, "run"))
        return time.perf_counter() - began


def measure(model: str, size: int, rounds: int) -> dict[str, Any]:
    own = configs(model, size)
    for config in own.values():  # what is imported or compiled once
        seconds(config)
    found = {level: [] for level in own}
    for _ in range(rounds):
        for level, config in own.items():
            found[level].append(seconds(config))
    costs = {
        level: median(t / off - 1 for t, off in zip(found[level], found[OFF], strict=True))
        for level in own
        if level != OFF
    }
    epochs = own[OFF].num_epochs
    return {"model": model, "num_hiddens": size, "epochs": epochs, "seconds": found, "cost": costs}


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    rows = []
    for setting in SETTINGS:
        rows.append(row := measure(*setting, rounds))
        own = ", ".join(f"{level} {cost:+.1%}" for level, cost in row["cost"].items())
        print(f"{row['model']} {row['num_hiddens']}: {median(row['seconds'][OFF]):.2f} s; {own}")
    target = ROOT / "benchmarks" / "results" / "instruments.json"
    target.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
