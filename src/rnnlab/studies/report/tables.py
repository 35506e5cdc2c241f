"""What a report says in words: tables, sentences, and how to train the best again."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass

from rnnlab._common.console import one_line
from rnnlab._common.errors import ConfigError
from rnnlab._common.program import training
from rnnlab.config.shortest import shortest
from rnnlab.config.stored import from_dict
from rnnlab.runs.result import Status
from rnnlab.studies.report.entries import Entry
from rnnlab.studies.report.escaping import in_markdown
from rnnlab.studies.report.ranking import HELD_OUT, TRAINING, Group, Ranking

MOST_BEST = 3  # texts whose best is named
FIRST = 10  # runs whose texts are shown


@dataclass(frozen=True)
class Table:
    title: str
    head: list[str]
    rows: list[list[str]]
    note: str = ""


def tables(ranking: Ranking) -> Iterable[Table]:
    entries, seed = ranking.entries, [name for name in ranking.names if name == "seed"]
    others = ["other settings"] if ranking.others else []
    held_out = [HELD_OUT] if any(entry.holds_out for entry in entries) else []
    usual = " ".join(f"{name}={ranking.commonest[name]}" for name in ranking.others)
    note = f"Where no other setting is named: {usual}" if usual else ""

    def settings_of(entry: Entry) -> list[str]:
        unusual = [n for n in ranking.others if entry.setting(n) != ranking.commonest[n]]
        return [*map(entry.setting, ranking.columns), *(entry.words(unusual) for _ in others)]

    yield Table(
        f"Runs, best first by {ranking.measure}",
        ["run", *ranking.columns, *others, *seed, "status", TRAINING, *held_out, "epochs"],
        [
            [e.name, *settings_of(e), *map(e.setting, seed), e.result.status, shown(e.training)]
            + [*(shown(e.held_out) for _ in held_out), str(e.result.epochs)]
            for e in ranking.runs
        ],
        note,
    )
    if seed:
        yield Table(
            "Over seeds: mean and 95 % confidence interval",
            [*ranking.columns, *others, "seeds", ranking.measure],
            [
                [*settings_of(group.entries[0]), str(len(group.values)), str(group)]
                for group in ranking.groups
                if group.values
            ],
            note,
        )
    troubled = [
        [e.name, e.result.status, e.result.error or ""]
        for e in entries
        if e.result.status != Status.completed
    ]
    if troubled:
        yield Table("Not completed", ["run", "status", "reason"], troubled)
    texts = [
        [entry.name, prefix, text]
        for entry in ranking.runs[:FIRST]
        for prefix, text in entry.result.samples.items()
    ]
    if texts:
        yield Table("What the best write", ["run", "prefix", "text"], texts)


def overview(ranking: Ranking) -> str:
    statuses = [entry.result.status for entry in ranking.entries]
    counted = ", ".join(f"{statuses.count(s)} {s}" for s in dict.fromkeys(statuses))
    return f"{len(statuses)} runs: {counted}. {ranking.rule}"


def best(ranking: Ranking) -> list[tuple[str, str]]:
    """Of each text the best settings, and the command that trains them."""
    found = []
    for group in ranking.best[:MOST_BEST]:
        text = group.entries[0].result.dataset.get("name")
        of = f" of {text}" if len(ranking.texts) > 1 else ""
        found.append((f"Best{of}: {ranking.described(group)}", command(group)))
    return found or [("Best", "(no run has completed)")]


def command(group: Group) -> str:
    """What trains its runs again that came to their end, in words that are safe to paste."""
    ended = [entry for entry in group.entries if entry.result.status.is_final]
    first = ended[0]
    try:
        words = shortest(from_dict(first.result.config))
    except ConfigError:  # a choice that is not known here
        words = None
    if words is not None and "".join(words).isprintable():
        seeds = sorted({entry.result.seed for entry in ended})
        if len(seeds) > 1:
            words = [word for word in words if not word.startswith("seed=")]
            words = ["-m", *words, f"seed={','.join(map(str, seeds))}"]
        return training(*words)
    folder = str(first.folder.absolute())
    if not folder.isprintable():
        return f"(the name of the best run's folder cannot be typed: {one_line(first.folder.name)})"
    return shlex.join(["rnnlab", "reproduce", folder])


def shown(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.4g}"


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    """Cells are escaped: they come from texts and configs."""
    return "\n".join([_line(head), "|" + "---|" * len(head), *map(_line, rows)])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(map(in_markdown, cells))} |"
