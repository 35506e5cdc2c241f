"""Measure the engines against their peers: tokens a second, interleaved and repeated.

rnnlab bench [--cells rnn,lstm,gru] [--sizes 64,512] [--lanes 1,16] [--rounds 5]

In one process, every runner of a setting takes its turn in every round, so that whatever else the
machine does falls on all of them; medians and the spread over rounds are reported. A peer trains
the jobs of a stack one after another, so its tokens a second do not depend on their number.
`make bench` saves benchmarks/results/cpu.json, of which `report.py` makes docs/performance.md.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, Protocol

import torch
from peers import AutogradLoop, B, GraphedTorchNN, Ours, T, TorchNN, V

from rnnlab.nn.cells import CELLS

SECONDS = 0.4  # of a runner's turn
HEAD = """\
| cell | H | lanes | | tokens/s | lowest - highest | x torch.nn | share of GEMM peak |
|---|---|---|---|---|---|---|---|"""
OUR_CELLS = {"rnn": "rnn_tanh", "lstm": "lstm", "gru": "gru_after"}


class Runner(Protocol):
    def step(self) -> int: ...


def runners(cell: str, H: int, K: int, device: torch.device) -> dict[str, Callable[[], Runner]]:
    """What is compared in one setting, all in fp32 unless it says otherwise.

    Variants of the peer only once, at K = 1. cuDNN's own default is TF32.
    """
    ours = OUR_CELLS[cell]
    made: dict[str, Callable[[], Runner]] = {"torch.nn loop": lambda: TorchNN(cell, H, device)}
    if K == 1:
        if cell == "rnn":
            made["autograd loop"] = lambda: AutogradLoop(H, device)
        made["torch.nn loop, no sync"] = lambda: TorchNN(cell, H, device, sync=False)
    made["rnnlab fused"] = lambda: Ours("fused", ours, H, K, device)
    if device.type == "cpu":
        made["rnnlab compiled"] = lambda: Ours("compiled", ours, H, K, device)
        return made
    if K == 1:
        made["torch.nn loop, tf32"] = lambda: TorchNN(cell, H, device, tf32=True)
        made["torch.nn in a CUDA graph"] = lambda: GraphedTorchNN(cell, H, device)
        made["torch.nn in a CUDA graph, tf32"] = lambda: GraphedTorchNN(cell, H, device, tf32=True)
    for precision in ("tf32", "bf16"):
        made[f"rnnlab fused, {precision}"] = lambda precision=precision: Ours(
            "fused", ours, H, K, device, precision=precision
        )
    return made


def turn(runner: Runner, device: torch.device) -> float:
    """Tokens a second over at least SECONDS."""
    synchronize(device)
    started, tokens = time.perf_counter(), 0
    while time.perf_counter() - started < SECONDS:
        tokens += runner.step()
        synchronize(device)
    return tokens / (time.perf_counter() - started)


def synchronize(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def gemm_peak(device: torch.device) -> float:
    """FLOP/s of a large fp32 product with all cores: the best of some."""
    n = 8192 if device.type == "cuda" else 2048
    A, C = torch.randn(n, n, device=device), torch.empty(n, n, device=device)
    best = 0.0
    for _ in range(5):
        synchronize(device)
        started = time.perf_counter()
        torch.mm(A, A, out=C)
        synchronize(device)
        best = max(best, 2 * n**3 / (time.perf_counter() - started))
    return best


def flop_per_token(cell: str, H: int) -> float:
    """Forward and backward, the one-hot product as a row look-up: 6 G H^2 + 6 H V."""
    return 6 * CELLS[OUR_CELLS[cell]].num_gates * H * H + 6 * H * V


def measure(cell: str, H: int, K: int, rounds: int, device: torch.device) -> list[dict[str, Any]]:
    """One setting: a row for each runner."""
    made = {name: make() for name, make in runners(cell, H, K, device).items()}
    speeds: dict[str, list[float]] = {name: [] for name in made}
    peaks = []
    for runner in made.values():
        runner.step()
    for _ in range(rounds):
        peaks.append(gemm_peak(device))
        for name, runner in made.items():
            speeds[name].append(turn(runner, device))
    peak = statistics.median(peaks)
    peer = speeds["torch.nn loop"]
    return [
        {
            "cell": cell,
            "H": H,
            "K": K,
            "runner": name,
            "tokens_per_second": statistics.median(own),
            "lowest": min(own),
            "highest": max(own),
            "ratio_to_torch_nn": statistics.median(a / b for a, b in zip(own, peer, strict=True)),
            "gemm_peak": peak,
            "share_of_peak": statistics.median(own) * flop_per_token(cell, H) / peak,
        }
        for name, own in speeds.items()
    ]


def line(row: dict[str, Any]) -> str:
    """A row of the table in Markdown."""
    return (
        f"| {row['cell']} | {row['H']} | {row['K']} | {row['runner']} "
        f"| {row['tokens_per_second']:,.0f} | {row['lowest']:,.0f} - {row['highest']:,.0f} "
        f"| {row['ratio_to_torch_nn']:.2f} | {row['share_of_peak']:.0%} |"
    )


def main() -> None:
    has_gpu = torch.cuda.is_available()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=cells, default="rnn,lstm,gru", help="(%(default)s)")
    parser.add_argument(
        "--sizes", type=numbers, default="16,64,128,256,512,1024", help="hidden units (%(default)s)"
    )
    parser.add_argument("--lanes", type=numbers, default="1,16", help="(%(default)s)")
    parser.add_argument("--rounds", type=number, default=5, help="turns of each (%(default)s)")
    parser.add_argument("--device", choices=["cpu", "cuda"][: 1 + has_gpu])
    parser.add_argument("--save", type=Path, metavar="FILE", help="write the figures there: JSON")
    parser.add_argument("--more", action="store_true", help="keep the file's other settings")
    asked = parser.parse_args()
    if asked.save and not asked.save.parent.is_dir():
        parser.error(f"--save {asked.save}: there is no folder {asked.save.parent}")
    device = torch.device(asked.device or ["cpu", "cuda"][has_gpu])
    about = {
        "date": date.today().isoformat(),
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else cpu_name(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "precision": "fp32",
        "batch": B,
        "steps": T,
        "vocabulary": V,
        "rounds": asked.rounds,
    }
    rows: list[dict[str, Any]] = []
    if asked.more and asked.save and asked.save.exists():
        rows = json.loads(asked.save.read_text())["rows"]
    print(HEAD)
    for cell in asked.cells:
        for H in asked.sizes:
            for K in asked.lanes:
                measured = measure(cell, H, K, asked.rounds, device)
                print("\n".join(map(line, measured)), flush=True)
                rows = [row for row in rows if (row["cell"], row["H"], row["K"]) != (cell, H, K)]
                rows += measured
                if asked.save:
                    figures = json.dumps({"about": about, "rows": rows}, indent=1)
                    asked.save.write_text(figures + "\n")


def cells(given: str) -> list[str]:
    names = given.split(",")
    if unknown := set(names) - set(OUR_CELLS):
        raise argparse.ArgumentTypeError(f"{min(unknown)!r} is none of {', '.join(OUR_CELLS)}")
    return names


def numbers(given: str) -> list[int]:
    return [number(part) for part in given.split(",")]


def number(given: str) -> int:
    if not (given.isdecimal() and int(given)):
        raise argparse.ArgumentTypeError(f"{given!r} is not a whole number of at least 1")
    return int(given)


def cpu_name() -> str:
    """The processor's name, where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    main()
