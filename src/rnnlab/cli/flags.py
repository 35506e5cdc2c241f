"""Words with a dash: Hydra's flags, in any order; a value with dashes gets an answer."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from rnnlab._common.errors import ConfigError, require
from rnnlab.config._hydra import get_args_parser
from rnnlab.config.mistakes import as_typed_here

FOLDERS = {"config_dir": "--config-dir", "config_path": "--config-path"}


def in_order(words: Sequence[str]) -> list[str]:
    """Overrides, then flags: Hydra reads no override after a flag that stands among them.

    Raises ConfigError for a flag that is none of Hydra's, and for folders that are not there.
    """
    parser = get_args_parser()
    parser.error = _refuse
    arguments, unknown = parser.parse_known_intermixed_args(list(words))
    if unknown:
        raise ConfigError(_meant_by(unknown[0], arguments.overrides, words))
    folders = []
    for name, flag in FOLDERS.items():
        if given := getattr(arguments, name):
            require(Path(given).is_dir(), f"{flag}={given}", "there is no such folder")
            folders += [flag, str(Path(given).absolute())]
    overrides = Counter(arguments.overrides)
    flags = []
    for word in words:
        if overrides[word] > 0:
            overrides[word] -= 1
        else:
            flags.append(word)
    return [*arguments.overrides, *flags, *folders]


def _refuse(message: str) -> NoReturn:
    """What argparse says of a flag: its value is missing, or is none of its values."""
    raise ConfigError(f"{message.removeprefix('argument ')}; --hydra-help lists the flags.")


def _meant_by(flag: str, overrides: Sequence[str], words: Sequence[str]) -> str:
    """--lr 3, --lr=3, -lr 3: values have no dashes here."""
    name, sign, value = flag.lstrip("-").partition("=")
    after = words[words.index(flag) + 1 :]
    given = flag
    if not sign and after and after[0] in overrides and "=" not in after[0]:
        value, given = after[0], f"{flag} {after[0]}"
    if meant := as_typed_here(name, value, list(overrides)):
        return f"{given} is not allowed: a value has no dashes; type {shlex.join(meant)}."
    return f"{given} is not allowed: it is none of Hydra's flags, which --hydra-help lists."
