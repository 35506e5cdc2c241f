"""A config -> the fewest words of a command line that compose to it."""

from __future__ import annotations

import re
from typing import Any, cast

import hydra
from omegaconf import OmegaConf

from rnnlab.config.compose import composing, to_config
from rnnlab.config.identity import by_value, flat
from rnnlab.config.names import groups
from rnnlab.config.schema import GROUPS, Config
from rnnlab.config.words import as_override

NAME = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*", re.ASCII)  # a dotted one


def shortest(config: Config) -> list[str] | None:
    """Choices, then the values that are not those which the choices bring.

    None where there are no such words: for a choice out of a folder of the user's own, or a text
    with ${ in it, which Hydra would compute.
    """
    wanted = config.as_dict()
    chosen = {group: wanted[group]["name"] for group in GROUPS}
    values = flat(wanted)
    known = all(name in groups()[group] for group, name in chosen.items())
    if not known or "${" in str(wanted) or not all(map(NAME.fullmatch, values)):
        return None
    with composing():
        usual = _composed([])
        words = [f"{group}={name}" for group, name in chosen.items() if usual[group] != name]
        given = _composed(words) if words else usual
        for name, value in values.items():
            if name not in given:
                words.append(f"+{as_override(name, value)}")
            elif by_value(value) != by_value(given[name]):
                words.append(as_override(name, value))
        composed = to_config(hydra.compose("config", words))
    return words if composed.as_dict() == wanted else None


def _composed(words: list[str]) -> dict[str, Any]:
    """Values by dotted names; ??? where there is none yet."""
    composed = OmegaConf.to_container(hydra.compose("config", words), enum_to_str=True)
    return flat(cast(dict[str, Any], composed))
