"""A value as a word of a command line, which Hydra and OmegaConf read as that very value.

Imports neither, so that a run's folder can be written without them.
"""

from __future__ import annotations

import re
from typing import Any

from rnnlab.config.identity import as_typed

# texts that Hydra reads as they stand
BARE = re.compile(r"(?!(null|true|false|nan|inf)$)[a-z/][\w./:-]*", re.ASCII | re.IGNORECASE)


def as_override(name: str, value: Any) -> str:
    return f"{name}={as_word(value)}"


def key_of(word: str) -> str:
    """The name that an override is for."""
    return word.partition("=")[0].lstrip("+")


def is_override(word: str) -> bool:
    """NAME=VALUE, and no flag."""
    return "=" in word and not word.startswith("-")


def as_word(value: Any) -> str:
    """A text that would be read as something else is in quotes."""
    match value:
        case str():
            return value if BARE.fullmatch(value) else quoted(value)
        case list() | tuple():
            return f"[{','.join(map(as_word, value))}]"
        case dict():
            return f"{{{','.join(f'{as_word(k)}:{as_word(v)}' for k, v in value.items())}}}"
    return as_typed(value)


def quoted(text: str) -> str:
    """In Hydra's quotes, and no interpolation of OmegaConf's."""
    return in_quotes(re.sub(r"(\\*)\$\{", r"\1\1\\${", text))


def in_quotes(text: str) -> str:
    """As Hydra escapes: backslashes count only before a quote."""
    escaped = re.sub(r'(\\*)"', r'\1\1\\"', text)
    ending = "\\" * (len(text) - len(text.rstrip("\\")))
    return f'"{escaped}{ending}"'
