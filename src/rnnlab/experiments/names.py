"""The names that an experiment's file may use: of settings, of figures, and products of such."""

from __future__ import annotations

from rnnlab.config.names import all_keys, groups, kind_in_words, type_of
from rnnlab.config.schema import GROUPS
from rnnlab.config.synonyms import did_you_mean
from rnnlab.experiments.reading import Node
from rnnlab.experiments.rows import AT, FIGURES
from rnnlab.studies.report.spreadsheet import TEXTS


def known_name(node: Node, name: str = "") -> str:
    """A setting's or a figure's, or a product of numbers; raises ConfigError for another one."""
    name = name or node.text()
    for part in (parts := name.split("*")):
        _require_known(node, part)
        if len(parts) > 1:
            _require_number(node, part)
    return name


def number_name(node: Node) -> str:
    """The same of what is a number."""
    name = known_name(node)
    for part in name.split("*"):
        _require_number(node, part)
    return name


def _require_known(node: Node, part: str) -> None:
    found = AT.fullmatch(part)
    own = found[2] if found else part
    if not _is_known(own, is_length=bool(found)):
        hint = did_you_mean(own, [*FIGURES, *all_keys()]) or f"figures are {', '.join(FIGURES)}"
        node.refuse(f"{part} is no setting and no figure; {hint}")


def _is_known(name: str, is_length: bool) -> bool:
    return (
        name in FIGURES
        or _is_foreign(name)
        or (is_length and name.isdecimal())
        or name in all_keys()
    )


def _is_foreign(name: str) -> bool:
    """Of a choice of somebody's own, perhaps."""
    return name.partition(".")[0] in GROUPS and "." in name


def _require_number(node: Node, part: str) -> None:
    if not AT.fullmatch(part) and (kind := _kind(part)) and not kind.endswith("number"):
        node.refuse(f"{part} is {kind}, and no number")


def _kind(name: str) -> str:
    """In words; empty of what is unknown here."""
    if name in FIGURES:
        return "a text" if name in TEXTS else "a number"
    if name in groups():
        return "a choice"
    kind = type_of(name)
    return kind_in_words(kind) if kind else ""
