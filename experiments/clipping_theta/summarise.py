"""Write this study's README.md, results.json and heatmap.svg from the folder of its runs.

python run.py -m dataset=sample,time_machine size=small num_epochs=300 clip=none,norm \\
    theta=0.1,0.5,1,5 lr=0.3,1,3,10,30 seed=0,1,2 sweep=outputs/clipping_theta
python experiments/clipping_theta/summarise.py outputs/clipping_theta
"""

from __future__ import annotations

import json
import math
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from rnnlab.config.stored import from_dict
from rnnlab.data.corpus import load
from rnnlab.runs.folder import read_metrics
from rnnlab.studies.report.entries import Entry, read
from rnnlab.studies.report.tables import markdown_table

HERE = Path(__file__).parent
MOSTLY = 0.5  # of the minibatches
TITLES = {"sample": "Slack Water (shipped)", "time_machine": "The Time Machine"}


@dataclass
class Cell:
    """The runs of one text, learning rate and radius; they differ in their seeds."""

    figures: list[float]  # of the runs that learned
    diverged: int
    stalled: int
    clipped: float  # mean share of minibatches whose gradient was scaled down

    @property
    def runs(self) -> int:
        return len(self.figures) + self.diverged + self.stalled

    @property
    def mean(self) -> float | None:
        """Over all seeds; none if one of them did not learn."""
        return statistics.fmean(self.figures) if len(self.figures) == self.runs else None

    def __str__(self) -> str:
        if self.mean is not None:
            return f"{self.mean:.2f}"
        went = {"diverged": self.diverged, "stalled": self.stalled}
        return ", ".join(f"{n} of {self.runs} {how}" for how, n in went.items() if n)


Cells = dict[tuple[str, float, str], Cell]  # by text, lr, and radius as it is shown


def radius(entry: Entry) -> str:
    return "none" if entry.settings["clip"] == "none" else f"{entry.settings['theta']:g}"


def unigram(entry: Entry) -> float:
    """The perplexity of a model that knows how often each token occurs, and nothing else."""
    tokens = load(from_dict(entry.result.config).dataset).train
    shares = np.bincount(tokens) / len(tokens)
    return math.exp(-sum(p * math.log(p) for p in shares if p > 0))


def gather(entries: list[Entry], floors: dict[str, float]) -> Cells:
    groups: dict[tuple[str, float, str], list[Entry]] = {}
    for entry in entries:
        key = (entry.settings["dataset"], float(entry.settings["lr"]), radius(entry))
        groups.setdefault(key, []).append(entry)
    return {key: cell(own, floors[key[0]]) for key, own in groups.items()}


def cell(entries: list[Entry], floor: float) -> Cell:
    ends = [entry.figure for entry in entries if entry.figure is not None]
    shares = [line["clipped_fraction"] for e in entries for line in read_metrics(e.folder)]
    return Cell(
        figures=[end for end in ends if end < floor],
        diverged=sum(entry.result.status == "diverged" for entry in entries),
        stalled=sum(end >= floor for end in ends),
        clipped=statistics.fmean(shares) if shares else math.nan,
    )


def draw(cells: Cells, texts: list[str], rates: list[float], radii: list[str]) -> Figure:
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    for axes, text in zip(figure.subplots(1, len(texts), sharey=True), texts, strict=True):
        own = [[cells[text, rate, r] for r in radii] for rate in rates]
        logs = [[math.log(c.mean) if c.mean else math.nan for c in row] for row in own]
        axes.set_facecolor("#d9d9d9")
        axes.imshow(logs, cmap="viridis_r", aspect="auto", origin="lower", vmin=0, vmax=2.8)
        for y, row in enumerate(own):
            for x, c in enumerate(row):
                ink = "white" if c.mean and c.mean > 4 else "#222222"
                axes.text(x, y, str(c).replace(", ", "\n"), ha="center", va="center",
                          fontsize=8, color=ink)  # fmt: skip
        axes.set_xticks(range(len(radii)), radii)
        axes.set_yticks(range(len(rates)), [f"{rate:g}" for rate in rates])
        axes.set(xlabel="theta", title=TITLES[text])
    figure.axes[0].set_ylabel("lr")
    return figure


def findings(cells: Cells, texts: list[str], rates: list[float], radii: list[str]) -> Iterator[str]:
    """What the figures answer, in sentences."""
    for text in texts:
        without = {rate: cells[text, rate, "none"] for rate in rates}
        lost = [f"{rate:g} ({c})" for rate, c in without.items() if c.mean is None]
        learned = {rate: c.mean for rate, c in without.items() if c.mean is not None}
        clipped = {
            (rate, r): mean
            for rate in rates
            for r in radii
            if r != "none" and (mean := cells[text, rate, r].mean) is not None
        }
        (best_rate, best_radius), best = min(clipped.items(), key=lambda item: item[1])
        yield (
            f"**{TITLES[text]}.** Without clipping, training goes wrong at lr "
            + (", ".join(lost) if lost else "none of those tried")
            + (
                f"; the best that remains is {min(learned.values()):.2f} at lr "
                f"{min(learned, key=learned.__getitem__):g}. "
                if learned
                else ". "
            )
            + f"With it, the best is {best:.2f} at lr {best_rate:g}, theta {best_radius}, and "
            f"{len(clipped)} of {len(rates) * (len(radii) - 1)} settings learn with every seed."
        )


def update_length(cells: Cells) -> str:
    """A clipped update of SGD is lr theta long: how long may it be?"""
    clipped = {key: own for key, own in cells.items() if key[2] != "none" and own.clipped > MOSTLY}
    lengths = {key: key[1] * float(key[2]) for key in clipped}
    learn = [lengths[key] for key, own in clipped.items() if own.mean is not None]
    fail = [lengths[key] for key, own in clipped.items() if own.mean is None]
    return (
        "**Both.** A clipped update is lr x theta long. Where most minibatches are clipped, every "
        f"setting with lr x theta up to {max(n for n in learn if n < min(fail)):g} learns with "
        f"every seed, and none from {min(n for n in fail if n > max(learn)):g} on: theta is a "
        "second learning rate, and what clipping buys is a large lr, at a small theta."
        if max(learn) < min(fail)
        else "**Both.** lr x theta, the length of a clipped update, does not tell who learns."
    )


def page(cells: Cells, entries: list[Entry], floors: dict[str, float]) -> str:
    texts, rates, radii = axes_of(cells)
    first = entries[0].result
    commands = (__doc__ or "").splitlines()[2:]
    parts = [
        "# Where does training fail without clipping, and what does theta buy?",
        "A tanh RNN with 128 hidden units, batch 32, 35 steps, 300 epochs of plain SGD with "
        "sequential partitioning, on the first 10,000 characters of two texts. A run has "
        "*diverged* if loss, gradient or weights were no longer finite, and *stalled* if its "
        "last perplexity is no better than that of the characters' frequencies alone ("
        + ", ".join(f"{floors[text]:.2f} for {TITLES[text]}" for text in texts)
        + "). Training perplexity, mean over "
        f"{max(c.runs for c in cells.values())} seeds; one that did not learn voids the mean.",
        "This page, results.json and the figure are written by `summarise.py`:",
        "\n".join(f"    {line}" for line in commands),
        *findings(cells, texts, rates, radii),
        update_length(cells),
        "![perplexity over lr and theta](heatmap.svg)",
    ]
    for text in texts:
        rows = [[f"{rate:g}", *(str(cells[text, rate, r]) for r in radii)] for rate in rates]
        parts.append(f"## {TITLES[text]}\n\n{markdown_table(['lr', *heads(radii)], rows)}")
    shares = [
        [TITLES[text], f"{rate:g}", *(share(cells[text, rate, r]) for r in radii if r != "none")]
        for text in texts
        for rate in rates
    ]
    parts.append(
        "## Share of minibatches that were clipped\n\n"
        + markdown_table(["text", "lr", *heads(radii)[1:]], shares)
    )
    versions = first.versions
    parts.append(
        f"{len(entries)} runs with rnnlab {versions['rnnlab']}, torch {versions['torch']}, engine "
        f"{first.engine}, {first.precision}, on {first.device} ({first.host['cpus']} cores), in "
        f"stacks of up to {max(len(entry.result.stack) for entry in entries)}."
    )
    return "\n\n".join(parts) + "\n"


def heads(radii: list[str]) -> list[str]:
    return ["no clipping" if r == "none" else f"theta {r}" for r in radii]


def share(own: Cell) -> str:
    return f"{own.clipped:.0%}"


def axes_of(cells: Cells) -> tuple[list[str], list[float], list[str]]:
    """Texts, learning rates, and radii from none through the large to the small."""
    texts, rates, radii = (list(dict.fromkeys(key[i] for key in cells)) for i in range(3))
    radii.sort(key=lambda r: math.inf if r == "none" else float(r), reverse=True)
    return texts, sorted(rates), radii


def rows(entries: list[Entry]) -> list[dict[str, Any]]:
    kept = ("config_id", "status", "perplexity", "best_perplexity", "epochs", "error")
    names = ("dataset", "clip", "theta", "lr", "seed")
    return [
        {name: entry.settings[name] for name in names}
        | {name: getattr(entry.result, name) for name in kept}
        for entry in entries
    ]


def main(folder: Path) -> None:
    entries, _ = read(folder)
    if not entries:
        sys.exit(f"{folder} has no runs in it: see the commands at the head of this file.")
    by_text = {entry.settings["dataset"]: entry for entry in entries}
    floors = {text: unigram(entry) for text, entry in by_text.items()}
    cells = gather(entries, floors)
    lines = ",\n".join(json.dumps(row) for row in rows(entries))
    (HERE / "results.json").write_text(f"[\n{lines}\n]\n")
    (HERE / "README.md").write_text(page(cells, entries, floors))
    draw(cells, *axes_of(cells)).savefig(HERE / "heatmap.svg")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
