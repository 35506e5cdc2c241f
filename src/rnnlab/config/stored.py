"""A config as result.json has it."""

from __future__ import annotations

from typing import Any

from rnnlab._common.errors import ConfigError
from rnnlab._common.typed import read_as
from rnnlab.config.schema import Config


def from_dict(values: Any) -> Config:
    """The config that Config.as_dict described; raises ConfigError for anything else.

    Only data: no interpolation is resolved, no file is read.
    """
    try:
        return read_as(Config, values)
    except (TypeError, RecursionError) as error:
        raise ConfigError(f"a stored config is not allowed: {error}.") from None
