"""experiment.yaml: all that a person writes of an experiment.

title       what it is called, and the question that it answers
question
finding     the answer, true where the claims hold; {NAME} is a claim's figure, {NAME.below} a
            bound of it
commands    of its study, as they are typed: python run.py -m lr=1,3 seed=0,1,2
claims      by name: says, value, above, below (quantities.py)
cost        minutes (on two cores) and jobs
tables      by title: by (settings, a row for each of their values), figures or across (a
            setting, a column for each of its values) with one figure, where
figures     by file name: curves, effects, heatmap with what it shows, or a plot (plot.py)
miniature   words in the place of those of the commands, for a test of seconds
paper       of somebody else: source, differs, and rows by what they are of: printed, here
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rnnlab.config.synonyms import did_you_mean
from rnnlab.experiments.claims import Claim
from rnnlab.experiments.commands import settings_of, words_of
from rnnlab.experiments.conditions import Condition, conditions
from rnnlab.experiments.figures import Reported, shown
from rnnlab.experiments.names import known_name, number_name
from rnnlab.experiments.plot import Plot
from rnnlab.experiments.quantities import Quantity, quantity
from rnnlab.experiments.reading import Node

FILE = "experiment.yaml"
NEEDED = "title question finding commands claims cost tables"
OPTIONAL = "figures miniature paper"
PLACE = re.compile(r"\{([\w-]+)(?:\.(above|below))?\}")  # of a figure in the finding


@dataclass(frozen=True)
class Table:
    title: str
    by: tuple[str, ...]
    figures: tuple[str, ...]
    across: str = ""
    where: tuple[Condition, ...] = ()

    @classmethod
    def of(cls, title: str, node: Node) -> Table:
        fields = node.fields("by figures", "across where")
        figures = tuple(map(number_name, fields["figures"].each()))
        if "across" in fields and len(figures) > 1:
            node.refuse(f"the table {title} has one figure across a setting, and not several")
        return cls(
            title,
            tuple(map(known_name, fields["by"].each())),
            figures,
            known_name(fields["across"]) if "across" in fields else "",
            conditions(fields["where"]) if "where" in fields else (),
        )


@dataclass(frozen=True)
class Paper:
    """What is compared with."""

    source: str
    differs: str
    rows: Mapping[str, tuple[str, Quantity]]  # what is printed there, and what it is here

    @classmethod
    def of(cls, node: Node) -> Paper:
        fields = node.fields("source differs", "rows")
        rows = {}
        for name, own in (fields["rows"].items() if "rows" in fields else {}).items():
            row = own.fields("printed here")
            rows[name] = row["printed"].text(), quantity(row["here"])
        return cls(fields["source"].text(), fields["differs"].text(), rows)


@dataclass(frozen=True)
class Experiment:
    folder: Path
    title: str
    question: str
    finding: str
    commands: tuple[tuple[str, ...], ...]  # the words of each
    claims: tuple[Claim, ...]
    minutes: float
    jobs: int
    tables: tuple[Table, ...]
    figures: Mapping[str, Reported | Plot]
    miniature: tuple[str, ...] = ()
    paper: Paper | None = None
    lines: Mapping[str, int] = field(default_factory=dict)  # of the words of both, from 1

    @classmethod
    def read(cls, folder: Path) -> Experiment:
        """Raises ConfigError, with file and line, for whatever is wrong in its file."""
        fields = Node.of(folder / FILE).fields(NEEDED, OPTIONAL)
        cost = fields["cost"].fields("minutes jobs")
        claims = [Claim.of(*own) for own in fields["claims"].items().items()]
        figures = fields["figures"].items() if "figures" in fields else {}
        for name in ("commands", "claims"):
            if not fields[name].node.value:
                fields[name].refuse(f"there are no {name}; write at least one")
        _require_known_places(fields["finding"], claims)
        commands = {node: words_of(node) for node in fields["commands"].each()}
        small = fields["miniature"].each() if "miniature" in fields else []
        miniature = {node: settings_of(node, [node.text()]) for node in small}
        return cls(
            folder,
            **{name: fields[name].text() for name in ("title", "question", "finding")},
            commands=tuple(commands.values()),
            claims=tuple(claims),
            minutes=cost["minutes"].amount(),
            jobs=cost["jobs"].count(),
            tables=tuple(Table.of(*own) for own in fields["tables"].items().items()),
            figures={name: shown(node) for name, node in figures.items()},
            miniature=tuple(word for words in miniature.values() for word in words),
            paper=Paper.of(fields["paper"]) if "paper" in fields else None,
            lines={w: node.number for node, own in (commands | miniature).items() for w in own},
        )

    @property
    def name(self) -> str:
        return self.folder.name


def _require_known_places(finding: Node, claims: Sequence[Claim]) -> None:
    own = {claim.name: claim for claim in claims}
    for name, side in PLACE.findall(finding.text()):
        if name not in own:
            hint = did_you_mean(name, [*own]) or f"there are {', '.join(own)}"
            finding.refuse(f"{{{name}}} is no claim; {hint}")
        if side and not getattr(own[name], side):
            finding.refuse(f"{{{name}.{side}}} is no bound: the claim {name} has none {side}")
