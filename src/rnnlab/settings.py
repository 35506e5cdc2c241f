"""A config's values by the dotted names that one types, and what was typed."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from yaml import YAMLError


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted names; a choice stands under its group's own name."""
    found = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}".removesuffix(".name")] = value
    return found


def differing(all_settings: Iterable[dict[str, Any]]) -> list[str]:
    """The names that all of these have, and whose values are not the same in all.

    What only some have comes with a choice, and the choice is named.
    """
    given = list(all_settings)
    names = [name for name in given[0] if all(name in each for each in given)] if given else []
    return [name for name in names if len({repr(each[name]) for each in given}) > 1]


def changed(all_overrides: Sequence[Sequence[str]]) -> list[str]:
    """What of its overrides each job does not share with all others; all of a job alone."""
    common = set.intersection(*map(set, all_overrides)) if all_overrides else set()
    return [
        " ".join([o for o in overrides if o not in common] or overrides)
        for overrides in all_overrides
    ]


def number_of(folder: Path, otherwise: int) -> int:
    """The number that a job's folder begins with."""
    digits = re.match(r"\d+", folder.name)
    return int(digits[0]) if digits else otherwise


def overrides_of(folder: Path) -> tuple[str, ...] | None:
    """The overrides that a job's folder was made with; None where that cannot be read."""
    try:
        return tuple(map(str, OmegaConf.load(folder / ".hydra" / "overrides.yaml")))
    except (OSError, YAMLError):
        return None
