"""benchmarks/results -> docs/performance.md and its picture. Reads files only."""
# ruff: noqa: E501  (a page's prose)

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

import matplotlib
from engines import HEAD, line
from matplotlib.figure import Figure

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results"

TEXT = """\
# Performance

Written by `make bench` (`benchmarks/report.py`) from `benchmarks/results/`: no figure is typed by hand.

{about}. Whole training loops: windows, forward, loss, gradients, clipping, SGD, running sums. In one process every
runner takes its turn in every round; medians, and lowest - highest, over {rounds} rounds. `x torch.nn` is the median
over rounds of the ratio to torch.nn's loop in the same round, whose jobs train one after another whatever the number of
lanes. The share is of the largest fp32 product that the machine computes, with all cores, in the same round.

![tokens a second](images/performance.svg)

{table}

## Studies

`{study}` as a whole command, start-up, logs, checkpoints, figures and report included, with each launcher in turn
({study_about}). Two workers for joblib, as many for stacked; the ratio is the median over {study_rounds} rounds of that of the
same round.

{launchers}

In the first 20 epochs of these 27 jobs the largest relative difference to the same job's perplexity, trained alone, is {apart:.1g}.
A study of {jobs} jobs ({stacks} stacks) trains its first epoch {first:.1f} s after the command was given; of its {whole:.0f} s, {overhead:.1%} is
not a worker's.

## Memory, and the length of the corpus

One thread, RNN. A token costs the same whatever the length of the text; an epoch's plan (offset, order, starts) is in
the figure with its share. Peak memory grows with the text itself, a byte a token, up to 64 MiB, and with 8 bytes a subsequence for a random order, up to four million.

{lengths}

Peak memory of a stack, less that of the process before it, at four lanes of H 256 (B 32, T 35), and with each size
doubled in its turn: buffers are of one lane's rows, and what grows with lanes is parameters and gradients. A step allocates the indices of its tokens and nothing else
(`tests/test_training.py` measures it), so the figure after an epoch is hardly more than after three steps.

{shapes}

## A cell of one's own

A file of `docs/cells` in {lanes} lanes of H {H}, as a study trains them ({workers} processes, a stack each), beside an `nn.Module` of
the same equations trained {lanes} times, one after the other, with {threads} threads: tokens a second, medians, and the ratio
with its range over rounds. Both are autograd's.

{own_cells}

## Instruments

Seconds of a whole run of two intervals, logs, checkpoints and pictures included; medians over {instrument_rounds} interleaved rounds,
and what a round's run with instruments took beyond its run without.

{instruments}
"""


def main() -> None:
    engines = json.loads((RESULTS / "cpu.json").read_text())
    lengths = json.loads((RESULTS / "lengths.json").read_text())
    studies = json.loads((RESULTS / "studies.json").read_text())
    own_cells = json.loads((RESULTS / "own_cell.json").read_text())
    instruments = json.loads((RESULTS / "instruments.json").read_text())
    order = ("rnn", "gru", "lstm")
    rows = sorted(engines["rows"], key=lambda r: (order.index(r["cell"]), r["H"], r["K"]))
    about = engines["about"]
    text = TEXT.format(
        about=", ".join(f"{name} {value}" for name, value in about.items() if name != "rounds"),
        rounds=about["rounds"],
        table="\n".join([HEAD, *map(line, rows)]),
        study=studies["command"],
        study_about=", ".join(f"{k} {v}" for k, v in studies["about"].items() if k != "rounds"),
        study_rounds=studies["about"]["rounds"],
        launchers=table(studies["rows"]),
        apart=studies["largest_difference_to_alone_in_20_epochs"],
        jobs=studies["large"]["jobs"],
        stacks=studies["large"]["stacks"],
        first=studies["large"]["seconds_to_first_epoch"],
        whole=studies["large"]["seconds"],
        overhead=studies["large"]["overhead"],
        lengths=table(lengths["lengths"]),
        shapes=table(lengths["shapes"]),
        **{name: own_cells[name] for name in ("lanes", "H", "workers", "threads")},
        own_cells=table(own_cells["rows"]),
        instrument_rounds=len(instruments[0]["seconds"]["off"]),
        instruments=table([*map(_costs, instruments)]),
    )
    (ROOT / "docs" / "performance.md").write_text(text)
    draw(rows)


def table(rows: list[dict[str, Any]]) -> str:
    head = [f"| {' | '.join(rows[0])} |", "|" + "---|" * len(rows[0])]
    return "\n".join(head + [f"| {' | '.join(map(_shown, row.values()))} |" for row in rows])


def _costs(row: dict[str, Any]) -> dict[str, Any]:
    levels = {f"{name}, s": median(seconds) for name, seconds in row["seconds"].items()}
    beyond = {f"{name}, beyond off": f"{cost:.1%}" for name, cost in row["cost"].items()}
    return {"model": row["model"], "H": row["num_hiddens"], **levels, **beyond}


def _shown(value: Any) -> str:
    match value:
        case int():
            return f"{value:,}"
        case float():
            return f"{value:,.4g}" if value < 1000 else f"{value:,.0f}"
    return str(value)


def draw(rows: list[dict[str, Any]]) -> None:
    """Ours and torch.nn over H, a panel a cell; a line for each depth of the stack."""
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    for axes, cell in zip(figure.subplots(1, 3, sharey=True), ("rnn", "gru", "lstm"), strict=True):
        own = [row for row in rows if row["cell"] == cell]
        curves = [("torch.nn loop", 1, "#888888", "torch.nn")]
        curves += [
            ("rnnlab fused", 1, "#9ec5e8", "fused, 1 lane"),
            ("rnnlab compiled", 1, "#1f5fa8", "compiled, 1 lane"),
            ("rnnlab compiled", 16, "#0b2f5c", "compiled, 16 lanes"),
        ]
        for runner, K, colour, label in curves:
            points = sorted(
                (row["H"], row["tokens_per_second"])
                for row in own
                if (row["runner"], row["K"]) == (runner, K)
            )
            if points:
                axes.plot(*zip(*points, strict=True), "o-", color=colour, label=label, markersize=3)
        axes.set(xscale="log", yscale="log", title=cell, xlabel="hidden units")
        sizes = [16, 64, 128, 256, 512, 1024]
        axes.set_xticks(sizes, [str(H) for H in sizes])
        axes.minorticks_off()
        axes.grid(alpha=0.3)
        if cell == "rnn":
            axes.set_ylabel("tokens a second, all lanes")
            axes.legend(frameon=False, fontsize=8)
    matplotlib.rcParams["svg.hashsalt"] = "rnnlab"  # the same bytes each time
    figure.savefig(ROOT / "docs" / "images" / "performance.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
