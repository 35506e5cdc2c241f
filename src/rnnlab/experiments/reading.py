"""What is written in a file, each value with its place: whatever is wrong is told with its line."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import yaml

from rnnlab.config.synonyms import did_you_mean
from rnnlab.config.yaml_text import decoded, names_and_values, once, refuse

CONSTANTS: dict[str, Any] = {"true": True, "false": False, "null": None, "~": None, "": None}


@dataclass(frozen=True)
class Node:
    """A value of a file of names and values."""

    path: Path
    name: str
    number: int  # of its line, from 1
    node: yaml.Node

    @classmethod
    def of(cls, path: Path) -> Node:
        """The whole file; raises ConfigError where it is none of names and values."""
        text = decoded(path)
        root = cls(path, "the file", 1, names_and_values(path, text))
        for token in yaml.scan(text):
            if isinstance(token, yaml.AliasToken):
                refuse(path, token.start_mark.line + 1, f"*{token.value} is not read; write it out")
        return root

    def refuse(self, why: str) -> NoReturn:
        """Raise ConfigError with the place."""
        refuse(self.path, self.number, why)

    @property
    def is_mapping(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    def items(self) -> dict[str, Node]:
        """Whatever names it has, with their values."""
        if not isinstance(self.node, yaml.MappingNode):
            self.refuse(f"{self.name} is made of names and values; write NAME: VALUE in each line")
        own = once(self.path, self.node).items()
        return {name: Node(self.path, name, number, node) for name, (number, node) in own}

    def fields(self, needed: str, optional: str = "") -> dict[str, Node]:
        """Exactly these names, or some of the optional ones."""
        known, found = f"{needed} {optional}".split(), self.items()
        for name, node in found.items():
            if name not in known:
                hint = did_you_mean(name, known) or f"there are {', '.join(known)}"
                node.refuse(f"{name} is no part of {self.name}; {hint}")
        for name in needed.split():
            if name not in found:
                self.refuse(f"{self.name} has no {name}; it takes {', '.join(needed.split())}")
        return found

    def each(self) -> list[Node]:
        """A list of one or more; what stands alone is a list of one."""
        if not isinstance(self.node, yaml.SequenceNode):
            return [self]
        own = self.node.value
        if not own:
            self.refuse(f"{self.name} is an empty list; write at least one, or leave it out")
        return [Node(self.path, self.name, each.start_mark.line + 1, each) for each in own]

    def value(self) -> Any:
        """A text, a number, true, false or null."""
        if not isinstance(self.node, yaml.ScalarNode):
            self.refuse(f"{self.name} is a single value")
        written: str = self.node.value
        if self.node.style:  # in quotes, or a paragraph
            return written.strip()
        if written.lower() in CONSTANTS:
            return CONSTANTS[written.lower()]
        if written.lower().lstrip("+-") == "nan":
            self.refuse(f"{self.name} is nan, which is no number; a text stands in quotes")
        for kind in (int, float):
            try:
                return kind(written)
            except ValueError:
                continue
        return written

    def text(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode) or not self.node.value.strip():
            self.refuse(f"{self.name} is a text; one with : or # stands in quotes")
        return self.node.value.strip()

    def texts(self) -> tuple[str, ...]:
        return tuple(node.text() for node in self.each())

    def number_value(self) -> float:
        value = self.value()
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(f"{self.name} is a number, and not {value}")
        return float(self.node.value)  # of an integer beyond all floats infinity

    def amount(self) -> float:
        """A finite number above zero."""
        value = self.number_value()
        if not 0 < value < math.inf:
            self.refuse(f"{self.name} is a finite number above 0, and not {value:g}")
        return value

    def count(self) -> int:
        """A whole number above zero."""
        value = self.amount()
        if value != round(value):
            self.refuse(f"{self.name} is a whole number, and not {value:g}")
        return round(value)

    def require_room(self, above: float, below: float) -> None:
        """Refuse bounds with no number between them."""
        if above >= below:
            self.refuse(f"no number is above {above:g} and below {below:g}")

    def one_of(self, known: list[str]) -> str:
        text = self.text()
        if text not in known:
            hint = did_you_mean(text, known) or f"there are {', '.join(known)}"
            self.refuse(f"{text} is no {self.name}; {hint}")
        return text
