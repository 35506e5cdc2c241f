"""A command line's words as Hydra is to read them: a text keeps what was typed.

Hydra's grammar has no é and no ( ) outside quotes, and makes numbers of 2024_01 and 0.50. So the
value of a knob that is a text gets Hydra's quotes, once, before Hydra sees the words or anybody
notes them. What Hydra means to read stays: quotes, ${...}, functions, a,b as two values. The name
of something that is there, in the folder where the command is typed, is that name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from rnnlab._common.errors import require
from rnnlab.config.names import Texts, texts
from rnnlab.config.words import in_quotes, quoted

FOLDERS = ("hydra.run.dir", "hydra.sweep.dir", "hydra.sweep.subdir", "hydra.job.name")
WORD = re.compile(r"(?P<key>\+{0,2}(?P<name>[\w.]+))=(?P<value>.+)", re.DOTALL)
FUNCTION = re.compile(
    r"(choice|range|interval|glob|sort|shuffle|tag|int|float|str|bool|json_str|extend_list)"
    r"\s*\(.*\)",
    re.DOTALL,
)
QUOTED = re.compile(r"""\s*(['"])(?:\\.|(?!\1).)*?\1\s*(?=[,\]}]|$)""", re.DOTALL)
WHOLE = re.compile(r"\\.|\$\{[^}]*\}", re.DOTALL)  # a comma that is escaped; ${...}


def typed(words: Sequence[str]) -> list[str]:
    """The same words, with quotes where Hydra would refuse or change a text.

    Raises ConfigError for one that no file of a run could hold.
    """
    for word in words:
        rule = "it has a byte that is no character in UTF-8; name it otherwise"
        require(word.encode(errors="ignore").decode() == word, word, rule)
    kinds = texts() | dict.fromkeys(FOLDERS, Texts())
    return [_word(word, kinds) for word in words]


def _word(word: str, kinds: dict[str, Texts]) -> str:
    match = WORD.fullmatch(word)
    if not match or match["name"] not in kinds:
        return word
    value, kind = match["value"], kinds[match["name"]]
    if not (kind.is_list or kind.is_choice) and _is_there(value):
        value = value if _read(value) == value and "${" not in value else quoted(value)
    elif FUNCTION.fullmatch(value):
        pass
    elif kind.is_list:
        value = ",".join(_list(part) for part in split(value))
    else:
        value = ",".join(_text(part, kind) for part in split(value))
    return f"{match['key']}={value}"


def _list(value: str) -> str:
    """[a,b], each a text. What is no list, and a list in it, is for Hydra's types to refuse."""
    if not re.fullmatch(r"\[.*\]", value, re.DOTALL):
        return value
    parts = (part.strip() for part in split(value[1:-1]))
    return f"[{','.join(p if p.startswith(('[', '{')) else _text(p, Texts()) for p in parts)}]"


def _text(value: str, kind: Texts) -> str:
    """One text: as it is where Hydra reads one in it, or a null or several choices that may be."""
    read = _read(value)
    stays = isinstance(read, str) or (read is None and kind.may_be_null)
    return value if stays or (kind.is_choice and isinstance(read, list)) else in_quotes(value)


def _read(value: str) -> object:
    """What Hydra makes of it; the error where it makes nothing of it."""
    try:
        return OverridesParser.create().parse_override(f"text={value}").value()
    except HydraException as error:
        return error


def _is_there(value: str) -> bool:
    """A file or a folder of that name."""
    try:
        return Path(value).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # no name of a file
        return False


def split(value: str, brackets: str = "[{") -> list[str]:
    """At commas outside quotes, brackets and ${...}; a quote opens only where a text begins."""
    closing = brackets.translate(str.maketrans("[{(", "]})"))
    parts, start, at, depth, begins = [], 0, 0, 0, True
    while at < len(value):
        if whole := (begins and QUOTED.match(value, at)) or WHOLE.match(value, at):
            at, begins = whole.end(), False
            continue
        character = value[at]
        depth += (character in brackets) - (character in closing)
        if character == "," and depth <= 0:
            parts.append(value[start:at])
            start = at + 1
        begins = character in f",{brackets}" or (begins and character.isspace())
        at += 1
    return [*parts, value[start:]]
