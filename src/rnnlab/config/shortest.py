"""A config -> the fewest words of a command line that compose to it."""

from __future__ import annotations

import re
from typing import Any, cast

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Quote, QuotedString
from omegaconf import OmegaConf

from rnnlab.config.compose import composing, to_config
from rnnlab.config.identity import as_typed, by_value, flat
from rnnlab.config.names import groups
from rnnlab.config.schema import GROUPS, Config

NAME = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*", re.ASCII)  # a dotted one
SIMPLE = re.compile(r"[\w./~-]+", re.ASCII)  # texts that may need no quotes


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
                words.append(f"+{name}={_quoted(value)}")
            elif by_value(value) != by_value(given[name]):
                words.append(f"{name}={_quoted(value)}")
        composed = to_config(hydra.compose("config", words))
    return words if composed.as_dict() == wanted else None


def _composed(words: list[str]) -> dict[str, Any]:
    """Values by dotted names; ??? where there is none yet."""
    composed = OmegaConf.to_container(hydra.compose("config", words), enum_to_str=True)
    return flat(cast(dict[str, Any], composed))


def _quoted(value: Any) -> str:
    """As Hydra reads it: a text that it would take for something else is in quotes."""
    match value:
        case str():
            is_simple = SIMPLE.fullmatch(value) and _read(value) == value
            return value if is_simple else QuotedString(value, Quote.double).with_quotes()
        case list():
            return f"[{','.join(map(_quoted, value))}]"
        case dict():
            return f"{{{','.join(f'{_quoted(k)}:{_quoted(v)}' for k, v in value.items())}}}"
    return as_typed(value)


def _read(text: str) -> Any:
    return OverridesParser.create().parse_override(f"text={text}").value()
