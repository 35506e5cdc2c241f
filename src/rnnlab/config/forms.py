"""The forms of an override that are allowed: Hydra's answers to the others are for programmers."""

from __future__ import annotations

import shlex

from hydra.core.override_parser.types import Override

from rnnlab._common.errors import require
from rnnlab.config.names import all_keys, groups
from rnnlab.config.schema import GROUPS

NEEDED = {*GROUPS, "size"}  # groups that every job has a choice of


def require_form(override: Override) -> None:
    """Raise ConfigError for one that Hydra would answer with a riddle, or with a traceback."""
    given, key = str(override.input_line), override.key_or_group
    value, is_choice = given.partition("=")[2], key in groups()
    require(bool(key), given, "there is no name before the =; type NAME=VALUE")
    if override.is_hydra_override() or not (is_choice or key in all_keys()):
        return
    can_lack = is_choice and key not in NEEDED
    if override.is_delete():
        require(can_lack, given, f"every job needs a value of it; type {key}=VALUE")
        return
    require(bool(value), given, f"it has no value; type {key}=VALUE")
    rule = f"a name has no @ here; type {shlex.quote(f'{key}={value}')}"
    require(override.package is None, given, rule)
    if is_choice and not override.is_sweep_override() and override.value() is None:
        rule = f"every job needs one; {key} is one of {', '.join(groups()[key])}"
        away = shlex.quote(f"~{key}")
        require(False, given, f"leave it out, or type {away}" if can_lack else rule)
