"""A config's values by the dotted names that one types."""

from collections.abc import Iterable
from typing import Any


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
    """The names whose values are not the same in all of these."""
    given = list(all_settings)
    names = dict.fromkeys(name for settings in given for name in settings)
    return [name for name in names if len({repr(each.get(name)) for each in given}) > 1]
