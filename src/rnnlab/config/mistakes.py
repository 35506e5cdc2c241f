"""Turns a composition error into one sentence: what was given, what is allowed, what to type."""

from __future__ import annotations

import dataclasses
import re
import shlex
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    GrammarParseError,
    InterpolationResolutionError,
    OmegaConfBaseException,
    ValidationError,
)

from rnnlab._common.choices import registered
from rnnlab._common.errors import ConfigError
from rnnlab._common.program import training
from rnnlab.config import yaml_files
from rnnlab.config.forms import given_as, name_of, value_of
from rnnlab.config.names import all_keys, groups, in_words, is_list, kind_in_words, owners, type_of
from rnnlab.config.synonyms import did_you_mean, meant
from rnnlab.config.words import quoted
from rnnlab.config.wrong_choices import bad_file, riddle


def explain(error: BaseException, overrides: list[str]) -> str:
    """One sentence for the terminal."""
    cause = _cause(error)
    match cause:
        case ConfigError():
            return _placed(str(cause), overrides)  # a line for each mistake of a study
        case MissingConfigException(missing_cfg_file=str(missing), options=options):
            return bad_file(missing, options or [], overrides)
        case ConfigKeyError(full_key=str(key)) | ConfigAttributeError(full_key=str(key)):
            return _bad_key(key, overrides)
        case ValidationError(full_key=str(key)) if key:
            return _bad_value(key, overrides, cause)
        case InterpolationResolutionError() | GrammarParseError():
            return _bad_interpolation(cause, overrides)
        case OverrideParseException(override=override):
            return _unreadable(override)
        case FileExistsError(filename=name) | NotADirectoryError(filename=name) if name:
            return f"{name} cannot be a folder: there is a file in its way; type another one."
        case OSError(filename=name, strerror=said):
            return f"{name or 'Writing'}: {said or cause}."
        case ValueError(__cause__=OSError() as reason):  # a log that cannot be opened
            return explain(reason, overrides)
    message = _first_line(cause)
    if several := re.match("Ambiguous value for argument '(.*)'", message):
        return _several(several[1])
    if answer := riddle(message, overrides):
        return answer
    return message if message.endswith(".") else f"{message}."


def _cause(error: BaseException) -> BaseException:
    """What Hydra's exception was raised from, or while what of OmegaConf's was handled."""
    if not isinstance(error, HydraException):
        return error
    handled = error.__context__ if isinstance(error.__context__, OmegaConfBaseException) else None
    return error.__cause__ or handled or error


def _first_line(error: BaseException) -> str:
    message = error.msg if isinstance(error, OmegaConfBaseException) and error.msg else str(error)
    return message.splitlines()[0] if message else type(error).__name__


def _placed(sentence: str, overrides: list[str]) -> str:
    """The same after the line of the file whose value is refused, where none was typed."""
    match = re.match(r"([\w.]+)=(\S*) is not allowed", sentence)
    if not match or given_as(match[1], overrides):
        return sentence
    lines = [line for line in yaml_files.lines_of(match[1]) if _is_same(line.value, match[2])]
    return f"{lines[0]}: {sentence}" if lines else sentence


def _is_same(written: str, shown: str) -> bool:
    try:
        return written == shown or f"{float(written):g}" == shown
    except ValueError:
        return False


def _bad_key(key: str, overrides: list[str]) -> str:
    names = [name_of(word) for word in overrides]
    key = next((name for name in names if name.startswith(f"{key}.")), key)
    given = given_as(key, overrides)
    for wrong in yaml_files.misplaced():
        if f"{key}.".startswith(f"{wrong.package}."):
            return str(wrong)
    lines = [] if given else yaml_files.lines_of(key)
    where, written = (f"{lines[0]}: ", lines[0].value) if lines else ("", value_of(given))
    group = key.partition(".")[0]
    if lines and yaml_files.lacks_schema(lines[0].path):
        name = next(iter(owners(key)), next(iter(registered(group))))
        first = f"defaults: [/schema/{group}/{name}@_here_]"
        return f"{where}write {first} first: it says which {group} this is a variant of."
    if choices := owners(key):
        owner = f"{group}={' or '.join(choices)}"
        return f"{where}{key} belongs to {owner}, not to the {group} chosen here."
    if key.startswith("optimizer.options."):
        return f"{where}{key} is new in optimizer.options: add it with +{key}=VALUE."
    if key.startswith("hydra.") and not key.startswith("hydra.sweeper."):
        return f"{where}{key} is not a name of Hydra's: --cfg hydra lists them."
    if key.startswith("hydra.sweeper."):
        return f"{where}{key} is not a name of this sweeper: is hydra/sweeper=optuna missing?"
    if words := as_typed_here(key, written, overrides):
        name = words[-1].partition("=")[0]
        to_do = f"write {name}: {written}" if where else f"type {shlex.join(words)}"
        return f"{where}{key} is not a name in the config: here it is {name}; {to_do}."
    hint = did_you_mean(key, all_keys()) or f"{training('--help')} lists all."
    return f"{where}{key} is not a name in the config: {hint}"


def as_typed_here(word: str, value: str, overrides: list[str]) -> list[str]:
    """The words for what another program calls so; none where it is not known."""
    name = meant(word, all_keys())
    if not name:
        return []
    is_switch = value.lower() in ("", "true", "false", "yes", "no", "none", "null")
    if is_switch and not (value and type_of(name) is bool):
        value = "VALUE"
    group, choices = name.partition(".")[0], owners(name)
    chosen = value_of(given_as(group, overrides))
    needs_choice = 0 < len(choices) < len(groups().get(group, [])) and chosen not in choices
    return [*([f"{group}={choices[0]}"] if needs_choice else []), f"{name}={value}"]


def _bad_value(key: str, overrides: list[str], error: ValidationError) -> str:
    """What the type of the knob wants instead."""
    key = key.partition("[")[0]
    given, kind = given_as(key, overrides), type_of(key)
    lines = [] if given else yaml_files.lines_of(key)
    about = [line for line in lines if f"'{line.value}'" in str(error.msg)] or lines
    where = f"{about[0]}: " if about else ""
    shown = given.input_line if given else f"{key}: {about[0].value}".rstrip() if about else key
    if (given and given.value() is None) or (about and about[0].value in yaml_files.NULLS):
        rule = f"{key} needs a value"
    elif dataclasses.is_dataclass(kind):
        rule = f"{key} holds several values; --help lists them"
    elif given and isinstance(given.value(), list) and is_list(kind):
        rule = f"it is {kind_in_words(kind)}"
    elif kind is None:
        rule = _first_line(error).removesuffix(".")
    elif where and is_list(kind):
        rule = f"it is a list; write {key.rpartition('.')[2]}: [a, b]"
    else:
        rule = f"{key} is {in_words(kind, key)}"
    if "${hydra:" in str(shown):
        rule += ", and Hydra gives none here"
    return f"{where}{shown} is not allowed: {rule}."


def _bad_interpolation(error: OmegaConfBaseException, overrides: list[str]) -> str:
    """What ${...} could not be, and what to type for a $ that is one."""
    message = re.sub(r"^\w+ raised while resolving interpolation: ", "", _first_line(error))
    message = message.strip('".')
    given = [word for word in overrides if "${" in word]
    lines = [] if given else yaml_files.lines_of(str(error.full_key))
    shown = given[0] if given else f"{lines[0]}: {lines[0].value}" if lines else error.full_key
    escape = shlex.quote(r"\${") if given else r"\${"
    return f"{shown} is not allowed: {message}; a text's own ${{ is typed {escape}."


def _unreadable(word: str) -> str:
    """What is no override at all, or has a value that Hydra's grammar lacks."""
    name, sign, value = word.partition("=")
    if not sign:
        if name in all_keys():
            return f"{name} has no value: type {name}=VALUE, without spaces."
        parts = re.fullmatch(r"([\w.-]+)\s*[:\s]\s*(.+)", word)
        meaning = as_typed_here(parts[1], parts[2], []) if parts else []
        example = shlex.join(meaning or ["lr=1"])
        return f"{word} cannot be read: an override is NAME=VALUE; type for example {example}."
    kind = type_of(name.lstrip("+~"))
    if kind in (int, float, bool):
        return f"{word} cannot be read: {name} is {in_words(kind, name)}."
    safe = shlex.quote(f"{name}={quoted(value)}")
    return f"{word} cannot be read; a text with signs of Hydra's goes in quotes: {safe}."


def _several(word: str) -> str:
    """lr=0.1,1 without -m; lr=0,5 and num_epochs=1,000 are one number elsewhere."""
    number = re.fullmatch(r"([\w.]+)=(\d+),(\d+)", word)
    name, hint = word.partition("=")[0], ""
    if is_list(type_of(name)):
        value = word.partition("=")[2]
        hint = f", or type {shlex.quote(f'{name}=[{value}]')} for one list"
    elif number:
        point = "" if type_of(name) is int else "."
        hint = f", or type {name}={number[2]}{point}{number[3]} for one number"
    elif type_of(name) is str:
        text = _as_one_text(word)
        hint = f", or type {shlex.quote(f'{name}={quoted(text)}')} for one text"
    return f"{word} has several values: add -m to train a job for each{hint}."


def _as_one_text(word: str) -> str:
    """a,b without the quotes that its values have."""
    swept: Any = OverridesParser.create().parse_override(word).value()
    return ",".join(getattr(value, "text", str(value)) for value in swept.list)
