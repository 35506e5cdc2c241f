"""What a report says in words: tables, sentences, and how to train the best again."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from rnnlab.runs.result import Status
from rnnlab.studies.report.entries import Entry
from rnnlab.studies.report.escaping import in_markdown
from rnnlab.studies.report.ranking import HELD_OUT, TRAINING, Group, Ranking

Best = list[tuple[str, str]]  # what is best, and how to train it
MOST_BEST = 3  # texts whose best is named
ASKED = """dataset dataset.max_tokens sampler model optimizer lr num_hiddens num_layers batch_size
    num_steps num_epochs""".split()
EXCESS = "nats above the floor"
NAMED = 6  # runs that did not complete
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
    excess = [EXCESS] if any(entry.floor for entry in entries) else []
    usual = " ".join(f"{name}={ranking.commonest[name]}" for name in ranking.others)
    note = f"Where no other setting is named: {usual}" if usual else ""

    def settings_of(entry: Entry) -> list[str]:
        unusual = [n for n in ranking.others if entry.setting(n) != ranking.commonest[n]]
        return [*map(entry.setting, ranking.columns), *(entry.words(unusual) for _ in others)]

    yield Table(
        f"Runs, best first by {ranking.measure}",
        ["run", *ranking.columns, *others, *seed, "status", TRAINING, *held_out]
        + [*excess, "epochs"],
        [
            [e.name, *settings_of(e), *map(e.setting, seed), e.result.status, shown(e.training)]
            + [*(shown(e.held_out) for _ in held_out), *(shown(e.excess) for _ in excess)]
            + [str(e.result.epochs)]
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
    lengths = sorted({int(length) for entry in entries for length in entry.result.lengths})
    if lengths:
        yield Table(
            "At other lengths: perplexity, nats above the floor, share of answers that are right",
            ["run", *ranking.columns, *(str(length) for length in lengths)],
            [
                [e.name, *map(e.setting, ranking.columns)]
                + [_at_length(e.result.lengths.get(str(length), {})) for length in lengths]
                for e in ranking.runs
                if e.result.lengths
            ],
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


def best(ranking: Ranking) -> Best:
    """Of each text the best settings, and the command that trains them."""
    from rnnlab.studies.report.commands import commands  # and Hydra

    groups = ranking.best[:MOST_BEST]
    ended = [[e for e in group.entries if e.result.status.is_final] for group in groups]
    found = [
        (f"Best{_of_text(ranking, group)}: {_with_next(ranking, group)}", command)
        for group, command in zip(groups, commands(ended), strict=True)
    ]
    return found or [("Best", "(no run has completed)")]


def _of_text(ranking: Ranking, group: Group) -> str:
    text = group.entries[0].result.dataset.get("name")
    return f" of {text}" if len(ranking.texts) > 1 else ""


def _with_next(ranking: Ranking, group: Group) -> str:
    """And how far the next best is behind."""
    text = group.entries[0].text
    own = [g for g in ranking.groups if g.entries[0].text == text and g.mean < math.inf]
    if len(own) < 2:
        return ranking.described(group)
    words, behind = ranking.brief(own[1].entries[0]), own[1].mean - group.mean
    gap = f"{behind:.2g} more" if behind else "the same"
    return f"{ranking.described(group)}; next is {words} with {own[1]}, {gap}"


def shared(ranking: Ranking) -> str:
    """What a reader would ask first, where it is the same in all runs."""
    known = [entry for entry in ranking.entries if entry.is_known]
    names = [name for name in ASKED if known and all(name in entry.settings for entry in known)]
    same = [name for name in names if len({entry.setting(name) for entry in known}) == 1]
    return known[0].words(same) if same else ""


def differences(ranking: Ranking) -> list[str]:
    """Of two runs, what they differ in: lr: 1 and 3."""
    if len(ranking.entries) != 2:
        return []
    pairs = [
        (name, *(e.setting(name) or "none" for e in ranking.entries)) for name in ranking.names
    ]
    return [f"{name}: {first} and {second}" for name, first, second in pairs]


def troubles(ranking: Ranking) -> list[str]:
    """What did not complete, a sentence for each kind: 2 diverged: lr=30; lr=30 theta=10."""
    found: dict[str, list[str]] = {}
    for entry in ranking.entries:
        if entry.result.status in (Status.diverged, Status.failed, Status.interrupted):
            words = ranking.brief(entry) or entry.name
            found.setdefault(entry.result.status, []).append(words)
    return [
        f"{len(own)} {status}: {_listed([*dict.fromkeys(own)])}" for status, own in found.items()
    ]


def _listed(words: list[str]) -> str:
    more = f"; and {len(words) - NAMED} settings more" if len(words) > NAMED else ""
    return "; ".join(words[:NAMED]) + more


def _at_length(found: dict[str, float | None]) -> str:
    return ", ".join(shown(value) for value in found.values() if value is not None)


def shown(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.4g}"


def markdown_table(head: list[str], rows: list[list[str]]) -> str:
    """Cells are escaped: they come from texts and configs."""
    return "\n".join([_line(head), "|" + "---|" * len(head), *map(_line, rows)])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(map(in_markdown, cells))} |"
