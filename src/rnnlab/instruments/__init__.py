"""Diagnostics of a model in training: each is a file of `known`, imported once it is asked for."""

from __future__ import annotations

import importlib
import json
import pkgutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from rnnlab._common.choices import registered
from rnnlab._common.errors import require

if TYPE_CHECKING:
    from rnnlab.instruments.instrument import Instrument

OFF, LIGHT, FULL = LEVELS = ("off", "light", "full")
NAMES = tuple(module.name for module in pkgutil.iter_modules([f"{__path__[0]}/known"]))


def checked(wanted: Any) -> str | tuple[str, ...]:
    """A level, or a list of names; raises ConfigError for anything else."""
    if wanted is False:  # what YAML makes of off
        return OFF
    if isinstance(wanted, str) and wanted in LEVELS:
        return wanted
    is_list = isinstance(wanted, list | tuple) and len(wanted) > 0
    rule = f"it is {', '.join(LEVELS)}, or a list of {', '.join(NAMES)}"
    given = f"[{','.join(map(_typed, wanted))}]" if is_list else _typed(wanted)
    known = is_list and all(name in NAMES for name in wanted)
    hint = f"; type 'instruments=[{wanted}]'" if wanted in NAMES else ""
    require(known, f"instruments={given}", rule + hint)
    return tuple(wanted)


def _typed(value: Any) -> str:
    """As YAML has it: null, and not None."""
    return value if isinstance(value, str) else json.dumps(value, default=str)


def named(name: str) -> Instrument:
    """The one of that name."""
    importlib.import_module(f"{__name__}.known.{name}")
    return registered("instrument")[name]


def chosen(wanted: str | Sequence[str]) -> list[Instrument]:
    """None for off, the cheap ones for light, all for full, or those of a list of names."""
    if wanted == OFF:
        return []
    found = [named(name) for name in (NAMES if wanted in LEVELS else wanted)]
    return [each for each in found if wanted != LIGHT or each.is_light]
