"""Run folders -> one table, one page: report.html (self-contained), report.md, results.csv.

Reads files only, so it works on a study that is still running and on any folder of runs. Whatever
comes from texts and configs is escaped.
"""

from __future__ import annotations

import csv
import html
import io
import json
import math
import shlex
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rnnlab.config import ConfigError, require
from rnnlab.files import write_atomically
from rnnlab.results import Result
from rnnlab.tracking import METRICS

PAPER = {"facecolor": "white", "alpha": 0.7, "linewidth": 0, "pad": 1.5}  # under a number
# 97.5 % points of Student's t for 1, 2, ... degrees of freedom
STUDENT = (
    12.71,
    4.30,
    3.18,
    2.78,
    2.57,
    2.45,
    2.36,
    2.31,
    2.26,
    2.23,
    2.20,
    2.18,
    2.16,
    2.14,
    2.13,
)


@dataclass(frozen=True)
class Entry:
    """One run's folder: its result, its settings by dotted names, its curve."""

    folder: Path
    result: Result
    settings: dict[str, Any]
    curve: list[tuple[int, float]]

    @property
    def figure(self) -> float | None:
        """Held out where text is held out, else of training."""
        own = self.result
        return own.perplexity if own.val_perplexity is None else own.val_perplexity


def write_report(home: Path) -> Path:
    """Write the three files into `home`, and return the page's path; ConfigError without runs."""
    entries, skipped = read(home)
    require(bool(entries), f"a report of {home}", "it has no run's folder in it")
    swept = changed_names(entries)
    write_atomically(home / "results.csv", to_csv(entries, swept))
    write_atomically(home / "report.md", to_markdown(home, entries, swept))
    write_atomically(home / "report.html", to_html(home, entries, swept, skipped))
    return home / "report.html"


# --- reading ---------------------------------------------------------------------------------


def read(home: Path) -> tuple[list[Entry], list[str]]:
    """Every run below `home`, by its number, and what could not be read."""
    entries, skipped = [], []
    for path in home.rglob("result.json"):
        folder = path.parent
        try:
            result = Result.read(folder)
            entries.append(Entry(folder, result, flat(result.config), _curve(folder)))
        except ConfigError as error:
            skipped.append(str(error))
    return sorted(entries, key=lambda entry: _order(entry.folder)), skipped


def _order(folder: Path) -> tuple[float, str]:
    number = folder.name.partition("_")[0]
    return (float(number) if number.isdecimal() else math.inf, folder.name)


def _curve(folder: Path) -> list[tuple[int, float]]:
    points = []
    try:
        for line in (folder / METRICS).read_text(encoding="utf-8").splitlines():
            values = json.loads(line)
            points.append((int(values["epoch"]), float(values["perplexity"])))
    except (OSError, ValueError, KeyError, TypeError):
        pass  # a line that is being written; what came before it is shown
    return points


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Dotted names; a choice stands under its group's own name."""
    found = {}
    for name, value in values.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}".removesuffix(".name")] = value
    return found


def changed_names(entries: list[Entry]) -> list[str]:
    """Settings that differ between the runs."""
    names = dict.fromkeys(name for entry in entries for name in entry.settings)
    return [
        name for name in names if len({repr(entry.settings.get(name)) for entry in entries}) > 1
    ]


# --- figures ---------------------------------------------------------------------------------


def interval(figures: list[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % confidence interval (Student's t)."""
    mean = statistics.fmean(figures)
    if len(figures) < 2:
        return mean, math.nan
    t = STUDENT[len(figures) - 2] if len(figures) - 2 < len(STUDENT) else 1.96
    return mean, t * statistics.stdev(figures) / math.sqrt(len(figures))


def over_seeds(entries: list[Entry], swept: list[str]) -> list[tuple[dict[str, Any], list[float]]]:
    """Completed runs that differ in nothing but their seed, best mean first."""
    groups: dict[str, tuple[dict[str, Any], list[float]]] = {}
    for entry in entries:
        if entry.result.status != "completed" or entry.figure is None:
            continue
        settings = {name: entry.settings.get(name) for name in swept if name != "seed"}
        groups.setdefault(repr(settings), (settings, []))[1].append(entry.figure)
    return sorted(groups.values(), key=lambda group: statistics.fmean(group[1]))


def curves_figure(entries: list[Entry], swept: list[str]) -> Figure:
    figure = Figure(figsize=(7.5, 4), layout="constrained")
    axes = figure.add_subplot()
    drawn = [entry for entry in entries if entry.curve]
    for entry in drawn:
        label = ", ".join(f"{name}={entry.settings.get(name)}" for name in swept)
        axes.plot(
            *zip(*entry.curve, strict=True), linewidth=1, label=label if len(drawn) < 13 else None
        )
    axes.set(xlabel="epoch", ylabel="perplexity")
    _logarithmic(axes)
    axes.grid(alpha=0.3)
    if 1 < len(drawn) < 13:
        axes.legend(fontsize=7, frameon=False)
    return figure


def effects_figure(entries: list[Entry], swept: list[str]) -> Figure | None:
    """Every completed run's figure over each swept setting."""
    done = [e for e in entries if e.result.status == "completed" and e.figure is not None]
    if not done or not swept:
        return None
    figure = Figure(figsize=(2.6 * len(swept), 2.8), layout="constrained")
    for axes, name in zip(
        figure.subplots(1, len(swept), sharey=True, squeeze=False)[0], swept, strict=True
    ):
        values = sorted({repr(e.settings.get(name)) for e in entries}, key=_numeric)
        for place, value in enumerate(values):
            own = [e.figure for e in done if repr(e.settings.get(name)) == value]
            axes.plot([place] * len(own), own, "o", color="#1f5fa8", alpha=0.5, markersize=4)
        axes.set(xlabel=name)
        _logarithmic(axes)
        axes.set_xticks(range(len(values)), [value.strip("'") for value in values])
    figure.axes[0].set_ylabel("perplexity")
    return figure


def _logarithmic(axes: Axes) -> None:
    """With plain numbers beside it."""
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: f"{value:.3g}")


def heat_map(entries: list[Entry], swept: list[str]) -> Figure | None:
    """Mean perplexity over lr and theta, where both were swept."""
    if not {"lr", "theta"} <= set(swept):
        return None
    rates, radii = (sorted({e.settings[name] for e in entries}) for name in ("lr", "theta"))
    figure = Figure(figsize=(1.6 + 0.9 * len(radii), 1.2 + 0.6 * len(rates)), layout="constrained")
    axes: Axes = figure.add_subplot()
    cells = [[_mean(entries, rate, radius) for radius in radii] for rate in rates]
    logs = [[math.log(c) if c is not None else math.nan for c in row] for row in cells]
    axes.imshow(logs, cmap="viridis_r", aspect="auto", origin="lower")
    for y, row in enumerate(cells):
        for x, cell in enumerate(row):
            shown = "no figure" if cell is None else f"{cell:.3g}"
            axes.text(x, y, shown, ha="center", va="center", fontsize=8, bbox=PAPER)
    axes.set_xticks(range(len(radii)), [f"{radius:g}" for radius in radii])
    axes.set_yticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    axes.set(xlabel="theta", ylabel="lr", title="perplexity, mean over the rest")
    return figure


def _mean(entries: list[Entry], rate: float, radius: float) -> float | None:
    """None if a run of the cell did not complete: a mean of the others would flatter it."""
    own = [e for e in entries if (e.settings["lr"], e.settings["theta"]) == (rate, radius)]
    figures = [e.figure for e in own if e.result.status == "completed" and e.figure is not None]
    return statistics.fmean(figures) if figures and len(figures) == len(own) else None


def _numeric(shown: str) -> tuple[float, str]:
    try:
        return float(shown), ""
    except ValueError:
        return math.inf, shown


# --- writing ---------------------------------------------------------------------------------


def to_csv(entries: list[Entry], swept: list[str]) -> str:
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    columns = ["folder", *swept, "status", "perplexity", "val_perplexity", "best_perplexity"]
    writer.writerow([*columns, "epochs", "tokens_per_second", "wall_seconds", "config_id", "error"])
    for entry in entries:
        own = entry.result
        writer.writerow(
            [entry.folder.name, *(entry.settings.get(name) for name in swept)]
            + [own.status, own.perplexity, own.val_perplexity, own.best_perplexity, own.epochs]
            + [own.tokens_per_second, own.wall_seconds, own.config_id, own.error]
        )
    return file.getvalue()


def tables(entries: list[Entry], swept: list[str]) -> Iterable[tuple[str, list[list[str]]]]:
    """(title, rows with their head) of every table of the report."""
    head = ["run", *swept, "status", "perplexity", "held out", "epochs"]
    ranked = sorted(entries, key=lambda e: (e.result.status != "completed", e.figure or math.inf))
    yield (
        "Runs, best first",
        [head]
        + [
            [e.folder.name, *(str(e.settings.get(name)) for name in swept), e.result.status]
            + [_shown(e.result.perplexity), _shown(e.result.val_perplexity), str(e.result.epochs)]
            for e in ranked
        ],
    )
    if "seed" in swept:
        names = [name for name in swept if name != "seed"]
        rows = [
            [*(str(settings[name]) for name in names), str(len(figures)), _with_interval(figures)]
            for settings, figures in over_seeds(entries, swept)
        ]
        yield (
            "Over seeds: mean and 95 % confidence interval",
            [[*names, "seeds", "perplexity"], *rows],
        )
    troubled = [e for e in entries if e.result.status != "completed"]
    if troubled:
        rows = [[e.folder.name, e.result.status, e.result.error or ""] for e in troubled]
        yield "Not completed", [["run", "status", "reason"], *rows]
    texts = [
        [e.folder.name, prefix, text]
        for e in ranked[:10]
        for prefix, text in e.result.samples.items()
    ]
    if texts:
        yield "What the ten best write", [["run", "prefix", "text"], *texts]


def best_command(entries: list[Entry]) -> str:
    """How to train the best run again, alone."""
    done = [e for e in entries if e.result.status == "completed" and e.figure is not None]
    if not done:
        return "(no run has completed)"
    best = min(done, key=lambda e: e.figure or math.inf)
    path = best.folder / ".hydra" / "overrides.yaml"
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return f"rnnlab reproduce {shlex.quote(str(best.folder))}"
    overrides = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    return "python run.py " + " ".join(shlex.quote(override) for override in overrides)


def to_markdown(home: Path, entries: list[Entry], swept: list[str]) -> str:
    parts = [f"# {home.name}", _summary(entries), f"Best: `{best_command(entries)}`"]
    for title, (head, *rows) in tables(entries, swept):
        lines = [f"## {title}", "", _line(head), "|" + "---|" * len(head), *map(_line, rows)]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _line(cells: list[str]) -> str:
    safe = (html.escape(cell, quote=False).replace("|", "\\|").replace("\n", " ") for cell in cells)
    return f"| {' | '.join(safe)} |"


STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; color: #222 }
body { padding: 0 1rem } code { background: #f2f2f2; padding: 0.1rem 0.3rem }
table { border-collapse: collapse; margin: 0.5rem 0 1.5rem }
td, th { padding: 0.2rem 0.7rem; text-align: left; vertical-align: top }
th { border-bottom: 2px solid #888 } td { border-bottom: 1px solid #ddd }
svg { max-width: 100%; height: auto }
"""


def to_html(home: Path, entries: list[Entry], swept: list[str], skipped: list[str]) -> str:
    """One file: pictures are inside it, and nothing is fetched from anywhere."""
    parts = [f"<h1>{html.escape(home.name)}</h1>", f"<p>{html.escape(_summary(entries))}</p>"]
    parts.append(f"<p>Best: <code>{html.escape(best_command(entries))}</code></p>")
    pictures = {
        "Perplexity while training": curves_figure(entries, swept),
        "What each setting does": effects_figure(entries, swept),
        "Learning rate and clipping": heat_map(entries, swept),
    }
    for title, figure in pictures.items():
        if figure:
            parts.append(f"<h2>{title}</h2>{_svg(figure)}")
    for title, (head, *rows) in tables(entries, swept):
        cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>"
            for row in rows
        )
        parts.append(f"<h2>{html.escape(title)}</h2><table><tr>{cells}</tr>{body}</table>")
    parts += [f"<p>Not read: {html.escape(sentence)}</p>" for sentence in skipped]
    head = f'<meta charset="utf-8"><title>{html.escape(home.name)}</title><style>{STYLE}</style>'
    return f"<!doctype html><html lang=en><head>{head}</head><body>{''.join(parts)}</body></html>\n"


def _svg(figure: Figure) -> str:
    file = io.StringIO()
    figure.savefig(file, format="svg")
    return file.getvalue().partition("?>")[2].partition('dtd">')[2]


def _summary(entries: list[Entry]) -> str:
    statuses = [entry.result.status for entry in entries]
    counted = ", ".join(f"{statuses.count(s)} {s}" for s in dict.fromkeys(statuses))
    return f"{len(entries)} runs: {counted}."


def _shown(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.4g}"


def _with_interval(figures: list[float]) -> str:
    mean, half = interval(figures)
    return f"{mean:.4g}" if math.isnan(half) else f"{mean:.4g} ± {half:.2g}"
