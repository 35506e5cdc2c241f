"""A study as one command, start-up included, beside Hydra's other launchers; and one of 200 jobs.

make bench-sweep writes benchmarks/results/studies.json. The commands take turns in every round,
each in a folder of its own; all cores are theirs (two workers for joblib, as many for stacked).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date, datetime
from pathlib import Path
from typing import Any

from engines import cpu_name

from rnnlab._common.machine import cores
from rnnlab.runs.folder import read_metrics
from rnnlab.runs.result import Result

ROOT = Path(__file__).resolve().parents[1]
STUDY = "-m lr=0.3,1,3 theta=0.5,1,5 seed=0,1,2 size=tiny num_epochs=200"
JOBLIB = "hydra/launcher=joblib hydra.launcher.n_jobs=2"
COMMANDS = {
    "stacked": "",
    "basic, engine=torch_nn": "hydra/launcher=basic engine=torch_nn",
    "joblib, 2 workers, engine=torch_nn": f"{JOBLIB} engine=torch_nn",
    "joblib, 2 workers, engine=fused": f"{JOBLIB} engine=fused",
    "joblib, 2 workers, engine=auto": JOBLIB,
}
LARGE = (
    "-m lr=0.1,0.2,0.3,0.5,0.7,1,1.5,2,3,5 theta=0.5,1,2,5,10 seed=0,1,2,3 size=tiny num_epochs=100"
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=2, help="0: keep the launchers' rows")
    rounds = parser.parse_args().rounds
    path = ROOT / "benchmarks" / "results" / "studies.json"
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for i, (name, extra) in enumerate(COMMANDS.items()):
                sweep = Path(folder, f"{number}-{i}")
                seconds[name].append(timed(f"{STUDY} {extra} hydra.sweep.dir={sweep}"))
                print(f"round {number}, {name}: {seconds[name][-1]:.1f} s", flush=True)
                assert len(list(sweep.glob("*/metrics.jsonl"))) == 27
        if rounds:
            rows = [row(name, seconds) for name in COMMANDS]
        else:
            before = json.loads(path.read_text())
            rows, rounds = before["rows"], before["about"]["rounds"]
        apart = difference(Path(folder))
        large = large_study(Path(folder, "large"))
    result = {
        "about": {
            "date": date.today().isoformat(),
            "device": cpu_name(),
            "cores": cores(),
            "rounds": rounds,
        },
        "command": f"python run.py {STUDY}",
        "rows": rows,
        "largest_difference_to_alone_in_20_epochs": apart,
        "large": large,
    }
    path.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def timed(arguments: str, *, may_diverge: bool = False) -> float:
    """Seconds of the whole command."""
    command = [sys.executable, str(ROOT / "run.py"), *arguments.split()]
    started = time.perf_counter()
    subprocess.run(command, check=not may_diverge, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


def row(name: str, seconds: dict[str, list[float]]) -> dict[str, Any]:
    own, stacked = seconds[name], seconds["stacked"]
    ratios = [o / s for o, s in zip(own, stacked, strict=True)]
    return {
        "launcher": name,
        "seconds": statistics.median(own),
        "range": f"{min(own):.1f} - {max(own):.1f}",
        "x stacked": statistics.median(ratios),
        "ratio_range": f"{min(ratios):.2f} - {max(ratios):.2f}",
    }


def difference(folder: Path) -> float:
    """The largest relative difference of a job's perplexity to the same job's alone, 20 epochs."""
    worst, command = 0.0, STUDY.replace("num_epochs=200", "num_epochs=20")
    timed(f"{command} hydra.sweep.dir={folder / 'stacked'}")
    timed(f"{command} hydra/launcher=basic hydra.sweep.dir={folder / 'alone'}")
    stacked = sorted(folder.glob("stacked/*_*/"))
    assert len(stacked) == 27
    for one in stacked:
        (other,) = folder.glob(f"alone/{one.name.partition('_')[0]}_*/")
        for own, theirs in zip(read_metrics(one), read_metrics(other), strict=True):
            worst = max(worst, abs(own["perplexity"] / theirs["perplexity"] - 1))
    return worst


def large_study(sweep: Path) -> dict[str, Any]:
    """200 jobs: until the first of them trains, and what is not training."""
    started = time.time()
    whole = timed(f"{LARGE} hydra.sweep.dir={sweep}", may_diverge=True)  # with lr 5
    folders = [path.parent for path in sweep.glob("*/result.json")]
    first = min(map(first_epoch, folders))
    results = [Result.read(folder) for folder in folders]
    stacks = {tuple(result.stack): result.wall_seconds or 0.0 for result in results}
    working = sum(stacks.values()) / cores()
    return {
        "jobs": len(folders),
        "completed": sum(result.status == "completed" for result in results),
        "stacks": len(stacks),
        "seconds": whole,
        "seconds_to_first_epoch": first - started,
        "overhead": 1 - working / whole,
    }


def first_epoch(folder: Path) -> float:
    """When its log has it, in seconds since 1970."""
    lines = (folder / "run.log").read_text().splitlines()
    line = next(line for line in lines if "epoch 1: " in line)
    return datetime.strptime(line[1:24], "%Y-%m-%d %H:%M:%S,%f").timestamp()


if __name__ == "__main__":
    main()
