"""Write this study's results.json, README.md and curves.svg from the folder of its runs.

python run.py -m experiment=chapter_sequential,chapter_random seed=0,1,2 \\
    hydra.sweep.dir=outputs/chapter
python experiments/chapter/summarise.py outputs/chapter
"""

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from rnnlab.runs.figures import perplexity_axes

HERE = Path(__file__).parent
PROMISED = {"sequential": 1.0, "random": 1.4}  # what the chapter prints
COLOURS = {"sequential": "#1f5fa8", "random": "#c8551b"}


def read(folder: Path) -> list[dict[str, Any]]:
    """Every completed run below `folder`, with its curve."""
    runs = []
    for path in sorted(folder.glob("*/result.json")):
        result = json.loads(path.read_text())
        lines = (path.parent / "metrics.jsonl").read_text().splitlines()
        curve = [json.loads(line)["perplexity"] for line in lines]
        if result["status"] == "completed":
            runs.append({"sampler": result["config"]["sampler"]["name"], "curve": curve} | result)
    return sorted(runs, key=lambda run: (run["sampler"] != "sequential", run["seed"]))


def draw(runs: list[dict[str, Any]]) -> Figure:
    figure = Figure(figsize=(7, 4.2), layout="constrained")
    axes = figure.add_subplot()
    for run in runs:
        label = f"{run['sampler']}" if run["seed"] == 0 else None
        axes.plot(
            range(1, len(run["curve"]) + 1),
            run["curve"],
            color=COLOURS[run["sampler"]],
            linewidth=1,
            alpha=0.8,
            label=label,
        )
    perplexity_axes(axes)
    axes.legend(frameon=False)
    return figure


def finding(runs: list[dict[str, Any]]) -> str:
    """The answer in a sentence, with the figures that give it."""
    ends = {s: [run["perplexity"] for run in runs if run["sampler"] == s] for s in PROMISED}
    highest, lowest = max(ends["sequential"]), min(ends["random"])
    return (
        f"**Finding.** {'Yes: every' if highest < lowest else 'No: not every'} sequential run ends "
        f"below every random one ({highest:.3f} at most against {lowest:.3f} at least), on the "
        "text that was trained on."
    )


def report(runs: list[dict[str, Any]]) -> str:
    lines = [
        "# The chapter's two results",
        "",
        "Does sequential partitioning beat random sampling, as the textbook chapter prints it?",
        "The Time Machine, first 10,000 characters, 512 hidden units, batch 32, 35 steps, 500",
        "epochs, lr 1, theta 1. This page, results.json and the figure are written by",
        "`summarise.py`:",
        "",
        *(f"    {line}" for line in (__doc__ or "").splitlines()[2:]),
        "",
        finding(runs),
        "",
        "![curves](curves.svg)",
        "",
        "| sampler | seed | perplexity | lowest epoch | seconds | tokens/s |",
        "|---|---|---|---|---|---|",
    ]
    for run in runs:
        lines.append(
            f"| {run['sampler']} | {run['seed']} | {run['perplexity']:.3f} "
            f"| {run['best_perplexity']:.3f} | {run['wall_seconds']:.0f} "
            f"| {run['tokens_per_second']:,.0f} |"
        )
    lines.append("")
    for sampler, promised in PROMISED.items():
        own = [run["perplexity"] for run in runs if run["sampler"] == sampler]
        lines.append(
            f"**{sampler}**: mean {statistics.mean(own):.3f}, from {min(own):.3f} to "
            f"{max(own):.3f} over {len(own)} seeds; the chapter prints {promised}.\n"
        )
    first = runs[0]
    versions = first["versions"]
    return "\n".join(
        [
            *lines,
            f"Measured with rnnlab {versions['rnnlab']}, torch {versions['torch']}, engine "
            f"{first['engine']}, {first['precision']}, on {first['device']} "
            f"({first['host']['cpus']} cores, threads a run: {first['host']['threads']}; "
            "the seconds are of the machine as it was, other work included).",
            "",
            "What the last models say after `time traveller`:",
            "",
            *(
                f"    {run['sampler']} {run['seed']}: {run['samples']['time traveller']}"
                for run in runs
            ),
            "",
        ]
    )


def main(folder: Path) -> None:
    runs = read(folder)
    if not runs:
        sys.exit(
            f"{folder} has no completed runs in it: see the commands at the head of this file."
        )
    keep = ("config_id", "sampler", "seed", "perplexity", "best_perplexity", "wall_seconds")
    keep += ("tokens_per_second", "device", "engine", "precision", "dataset", "versions", "git")
    keep += ("host", "samples")
    rows = [{name: run[name] for name in keep} for run in runs]
    curves = [[round(value, 4) for value in run["curve"]] for run in runs]
    rows = [row | {"curve": curve} for row, curve in zip(rows, curves, strict=True)]
    lines = ",\n".join(json.dumps(row) for row in rows)
    (HERE / "results.json").write_text(f"[\n{lines}\n]\n")
    (HERE / "README.md").write_text(report(runs))
    draw(runs).savefig(HERE / "curves.svg")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
