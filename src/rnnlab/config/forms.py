"""An override's parts, and which forms are allowed: Hydra's own answers are for programmers."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Iterable, Mapping

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException

from rnnlab._common.errors import not_allowed, require
from rnnlab.config.names import all_keys, groups
from rnnlab.config.schema import GROUPS

NEEDED = {*GROUPS, "size"}  # groups that every job has a choice of


def require_forms(overrides: Iterable[Override]) -> None:
    """Raise ConfigError for one that Hydra would answer with a riddle, or with a traceback."""
    choices, names = groups(), {*all_keys()}
    for override in overrides:
        rule = "there is no name before the =; type NAME=VALUE"
        require(bool(override.key_or_group), str(override.input_line), rule)
        if override.key_or_group in names and not override.is_hydra_override():
            _require_form(override, choices)


def _require_form(override: Override, choices: Mapping[str, list[str]]) -> None:
    given, key = str(override.input_line), override.key_or_group
    value, is_choice = given.partition("=")[2], key in choices
    can_lack = is_choice and key not in NEEDED
    if override.is_delete():
        require(can_lack, given, f"every job needs a value of it; type {key}=VALUE")
        return
    require(bool(value), given, f"it has no value; type {key}=VALUE")
    rule = f"a name has no @ here; type {shlex.quote(f'{key}={value}')}"
    require(override.package is None, given, rule)
    if is_choice and not override.is_sweep_override() and override.value() is None:
        rule = f"every job needs one; {key} is one of {', '.join(choices[key])}"
        away = shlex.quote(f"~{key}")
        raise not_allowed(given, f"leave it out, or type {away}" if can_lack else rule)


def given_as(key: str, overrides: list[str]) -> Override | None:
    """The override that sets this knob; None where a file does."""
    for word in overrides:
        if name_of(word) == key:
            with contextlib.suppress(HydraException):
                return OverridesParser.create().parse_override(word)
    return None


def name_of(word: str) -> str:
    """Of lr=3, +lr=3 and ~lr."""
    return word.partition("=")[0].lstrip("+~").partition("@")[0]


def value_of(given: Override | None) -> str:
    """As it was typed."""
    return str(given.input_line).partition("=")[2] if given else ""
