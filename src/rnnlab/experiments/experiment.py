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

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from rnnlab._common.errors import require
from rnnlab.config.synonyms import did_you_mean
from rnnlab.config.words import is_override, key_of
from rnnlab.experiments.claims import Claim
from rnnlab.experiments.figures import Reported, shown
from rnnlab.experiments.plot import Plot
from rnnlab.experiments.quantities import Condition, Quantity, conditions, known_name, quantity
from rnnlab.experiments.reading import Node

FILE = "experiment.yaml"
PROGRAMS = (("python", "run.py"), ("rnnlab", "train"))
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
        figures = tuple(map(known_name, fields["figures"].each()))
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
        return cls(
            folder,
            **{name: fields[name].text() for name in ("title", "question", "finding")},
            commands=tuple(map(_words, fields["commands"].each())),
            claims=tuple(claims),
            minutes=cost["minutes"].number_value(),
            jobs=round(cost["jobs"].number_value()),
            tables=tuple(Table.of(*own) for own in fields["tables"].items().items()),
            figures={name: shown(node) for name, node in figures.items()},
            miniature=fields["miniature"].texts() if "miniature" in fields else (),
            paper=Paper.of(fields["paper"]) if "paper" in fields else None,
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


def _words(node: Node) -> tuple[str, ...]:
    """Those of a command that trains a study; raises ConfigError for another one."""
    program, words = (typed := shlex.split(node.text()))[:2], typed[2:]
    if tuple(program) not in PROGRAMS or "-m" not in words:
        node.refuse("a command trains a study; write python run.py -m NAME=VALUE,VALUE")
    for word in words:
        if word != "-m" and (not is_override(word) or key_of(word) == "sweep"):
            node.refuse(f"{word} is no setting; the commands' words are NAME=VALUE")
    return tuple(word for word in words if word != "-m")


def with_words(commands: Sequence[Sequence[str]], others: Sequence[str]) -> list[list[str]]:
    """The commands with other words in the place of those of the same name."""
    for word in others:
        require(is_override(word), word, "type NAME=VALUE, as on the command line")
    new = {key_of(word): word for word in others}
    return [
        [*(new.get(key_of(word), word) for word in command)]
        + [word for name, word in new.items() if name not in map(key_of, command)]
        for command in commands
    ]


def study_folder(name: str, commands: Sequence[Sequence[str]]) -> Path:
    """Where these are trained; other commands have another folder, so that no run is mistaken."""
    mark = sha256(json.dumps([*map(list, commands)]).encode()).hexdigest()[:8]
    return Path("outputs/experiments") / f"{name}_{mark}"
