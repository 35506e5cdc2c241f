"""A config -> the fewest words of a command line that compose to it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

import hydra

from rnnlab._common.errors import ConfigError
from rnnlab.config.compose import Composer, composing, contents
from rnnlab.config.identity import by_value, flat
from rnnlab.config.names import groups
from rnnlab.config.schema import GROUPS, Config
from rnnlab.config.words import as_override

NAME = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*", re.ASCII)  # a dotted one
Words = list[str]


def shortest(configs: Iterable[Config]) -> list[Words | None]:
    """Of each: choices, then the values that are not those which the choices bring.

    None where there are no such words: for a choice out of a folder of the user's own, a cell
    whose name is another code's now, or a text with ${ in it, which Hydra would compute.
    """
    with composing():
        words = Shortest()
        return [words.of(config) for config in configs]


class Shortest:
    """Composes each combination of choices once."""

    def __init__(self) -> None:
        self.composer = Composer(lambda words: hydra.compose("config", words, True))
        self.given = cache(self._given)
        self.choices = groups()

    def of(self, config: Config) -> Words | None:
        wanted = config.as_dict()
        chosen = {group: wanted[group]["name"] for group in GROUPS}
        values = flat(wanted)
        known = all(name in self.choices[group] for group, name in chosen.items())
        if not known or "${" in str(wanted) or not all(map(NAME.fullmatch, values)):
            return None
        usual = self.given()
        choices = [f"{group}={name}" for group, name in chosen.items() if usual[group] != name]
        given, words = self.given(*choices), [*choices]
        for name, value in values.items():
            if name not in given:
                words.append(f"+{as_override(name, value)}")
            elif by_value(value) != by_value(given[name]):
                words.append(as_override(name, value))
        try:
            return words if self.composer.config(words).as_dict() == wanted else None
        except ConfigError:  # another code of a cell's name
            return None

    def _given(self, *choices: str) -> dict[str, Any]:
        """Values by dotted names; ??? where there is none yet."""
        return flat(contents(self.composer.task(choices)))
