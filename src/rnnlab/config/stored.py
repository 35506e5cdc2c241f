"""A config as result.json has it, and the words that change it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnnlab._common.errors import ConfigError, not_allowed
from rnnlab._common.typed import read_as
from rnnlab.config import own_cells  # noqa: F401  (finds the cells that stored configs name)
from rnnlab.config.identity import flat
from rnnlab.config.names import in_words, type_of
from rnnlab.config.schema import Config
from rnnlab.config.synonyms import did_you_mean
from rnnlab.config.words import as_override, key_of

PATHS = ("dataset.path", "dataset.root", "init_from")


def from_dict(values: Any) -> Config:
    """The config that Config.as_dict described; raises ConfigError for anything else.

    Only data: no interpolation is resolved, no file is read.
    """
    try:
        return read_as(Config, values)
    except (TypeError, RecursionError) as error:
        raise ConfigError(f"a stored config is not allowed: {error}.") from None


def changed(config: Config, changes: Mapping[str, Any], home: Path | None = None) -> Config:
    """The config with dotted names set to other values, paths seen from `home`, or from here.

    Raises ConfigError for a name that it does not have, and for a value that the name cannot have.
    """
    values = config.as_dict()
    for name, value in changes.items():
        group, _, key = name.rpartition(".")
        place = values.get(group) if group else values
        if not isinstance(place, dict) or key not in place or isinstance(place[key], dict):
            hint = did_you_mean(name, [*flat(values)])
            raise ConfigError(
                f"{name}={value} is not allowed: a run has no such value to change. {hint}".strip()
            )
        place[key] = value
        _require_type(name, value, values)
    return from_dict(values).placed(home or Path.cwd())


def _require_type(name: str, value: Any, values: dict[str, Any]) -> None:
    try:
        read_as(Config, values)
    except TypeError:
        kind = in_words(type_of(name), name)
        raise not_allowed(f"{name}={value}", f"{name} is {kind}") from None


def merged(words: Sequence[str], config: Config, names: Iterable[str]) -> list[str]:
    """Overrides with these of the config's values, each in the place that it has, or at the end."""
    values = flat(config.as_dict())
    new = {name: as_override(name, values[name]) for name in names}
    kept = [new.pop(key_of(word), word) for word in words]
    return [*kept, *new.values()]


def with_paths(words: Sequence[str], config: Config) -> list[str]:
    """Overrides whose paths are the config's, which are seen from everywhere."""
    given = {key_of(word) for word in words}
    return merged(words, config, [name for name in paths_in(config) if name in given])


def paths_in(config: Config) -> dict[str, str]:
    """Those that it has, by their names."""
    values = flat(config.as_dict())
    return {name: values[name] for name in PATHS if values.get(name)}
