"""Turns a composition error into one sentence: what was given, what is allowed, what to type."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
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
from rnnlab.config import yaml_files
from rnnlab.config.names import all_keys, folders, groups, in_words, is_list, owners, type_of
from rnnlab.config.schema import GROUPS
from rnnlab.config.synonyms import meant, nearest
from rnnlab.config.typed_words import quoted


def explain(error: BaseException, overrides: list[str]) -> str:
    """One sentence for the terminal."""
    cause = _cause(error)
    match cause:
        case ConfigError():
            return _placed(str(cause), overrides)  # a line for each mistake of a study
        case MissingConfigException(missing_cfg_file=str(missing), options=options):
            return _bad_file(missing, options or [], overrides)
        case ConfigKeyError(full_key=str(key)) | ConfigAttributeError(full_key=str(key)):
            return _bad_key(key, overrides)
        case ValidationError(full_key=str(key)) if key:
            return _bad_value(key, overrides, cause)
        case InterpolationResolutionError() | GrammarParseError():
            return _bad_interpolation(cause, overrides)
        case OverrideParseException(override=override):
            return _unreadable(override)
        case OSError(filename=name, strerror=said):
            return f"{name or 'Writing'}: {said or cause}."
        case ValueError(__cause__=OSError() as reason):  # a log that cannot be opened
            return explain(reason, overrides)
    message = _first_line(cause)
    if several := re.match("Ambiguous value for argument '(.*)'", message):
        return _several(several[1])
    if riddle := _riddle(message, overrides):
        return riddle
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


RIDDLES = {  # of Hydra
    r"Multiple values for (.*?)\. To override": "{0} is chosen already: {way}.",
    "Invalid overriding of (.*?):": "{0} is chosen already: {way}.",
    r"Could not append to config\. An item is already at '(.*)'": "+{0} is not allowed: {0} has a "
    "value already; leave out the +.",
    "force-add of config groups is not supported: '(.*)'": "{0} is not allowed: a choice is made "
    "without ++.",
    "(?:Could not|Invalid Defaults List) override '/?([^':]*)[':]": "{0} is in no defaults list: "
    "{new}.",
    "Could not delete '(.*?)'. No match in the defaults list": "~{0} is not allowed: {0} is in no "
    "defaults list.",
    "Override '(.*?) : .*' is defined before": "override /{0} is written at the end of the "
    "defaults list.",
    r"Could not delete from config\. '(.*?)' does not exist": "~{0} is not allowed: {0} is not a "
    "name in the config.",
    "Sweep parameters '(.*)' requires --multirun": "{1} has several values: add -m to train a job "
    "for each.",
    "Merge error: .* is not a subclass of .*Settings. value: (.*)": "it holds several values; "
    "write each in a line of its own below it.",
}


def _riddle(message: str, overrides: list[str]) -> str | None:
    """What Hydra could have said."""
    for pattern, sentence in RIDDLES.items():
        if match := re.search(pattern, message):
            name = match[1].rpartition("/")[2].partition("@")[0]  # - sampler: x in experiment/
            where = _in_defaults(match[1], overrides) or _in_defaults(name, overrides)
            way = f"write override /{name}: CHOICE" if where else "leave out the +"
            new = f"the groups are {', '.join(groups())}"
            if name in groups():
                new = way if where else f"type +{name}={_value(_given(name, overrides))}"
            if "Merge" in pattern:
                key = next(
                    key for key in ("log", "checkpoint", *GROUPS) if yaml_files.lines_of(key)
                )
                where = f"{yaml_files.lines_of(key)[0]}: {key}: {match[1]} is not allowed: "
            return where + sentence.format(name, match[1], way=way, new=new)
    return None


def _in_defaults(about: str, overrides: list[str]) -> str:
    """FILE, line 3: where a defaults list says it, and no override does."""
    for line in yaml_files.defaults():
        key = line.key.lstrip("/")
        if about in (key, f"{key}/{line.value}") and not _given(key, overrides):
            return f"{line}: "
    return ""


def _placed(sentence: str, overrides: list[str]) -> str:
    """The same after the line of the file whose value is refused, where none was typed."""
    match = re.match(r"([\w.]+)=(\S*) is not allowed", sentence)
    if not match or _given(match[1], overrides):
        return sentence
    lines = [line for line in yaml_files.lines_of(match[1]) if _is_same(line.value, match[2])]
    return f"{lines[0]}: {sentence}" if lines else sentence


def _is_same(written: str, shown: str) -> bool:
    try:
        return written == shown or f"{float(written):g}" == shown
    except ValueError:
        return False


def _bad_file(missing: str, options: Sequence[str], overrides: list[str]) -> str:
    """No YAML file of that name: of a choice, or of a whole config."""
    known = groups()
    if "/" not in missing:
        where = " or ".join(map(str, folders()))
        names = [file.stem for folder in folders() for file in sorted(folder.glob("*.yaml"))]
        there = f"the configs there are {', '.join(names)}" if names else "nor another config"
        return f"--config-name: there is no {missing}.yaml in {where}; {there}."
    group = next((name for name in known if missing.startswith(f"{name}/")), None)
    group = group or missing.rpartition("/")[0]
    choice = missing.removeprefix(f"{group}/")
    inner, _, name = choice.partition("/")
    if inner in known and (where := _in_defaults(f"{inner}/{name}", overrides)):
        return f"{where}write override /{inner}: {name}."  # without / it is looked for here
    return _bad_choice(group, choice, options, _in_defaults(missing, overrides))


def _bad_choice(group: str, choice: str, options: Sequence[str], where: str) -> str:
    known = groups().get(group) or options
    if not known:
        return f"{group}={choice} is not allowed: there is no group {group}."
    close = nearest(choice.lower(), known)
    example = f"type for example {group}={(close or known)[0]}"
    if where:
        example = f"write for example override /{group}: {(close or known)[0]}"
    elif group == "dataset" and ("." in choice or Path(choice).exists()):
        example = "your own text is " + shlex.join(["dataset=text", f"dataset.path={choice}"])
    elif group == "optimizer":
        example += ", or of torch.optim optimizer=torch optimizer.algorithm=NAME"
    elif group == "clip" and re.fullmatch(r"[\d.e+-]+", choice):
        example = f"the radius is theta={choice}"
    one_of = f"{group} is one of {', '.join(known)}"
    return f"{where}{group}={choice} is not allowed: {one_of}; {example}."


def _bad_key(key: str, overrides: list[str]) -> str:
    names = [_name(word) for word in overrides]
    key = next((name for name in names if name.startswith(f"{key}.")), key)
    given = _given(key, overrides)
    for wrong in yaml_files.misplaced():
        if f"{key}.".startswith(f"{wrong.package}."):
            return str(wrong)
    lines = [] if given else yaml_files.lines_of(key)
    where, written = (f"{lines[0]}: ", lines[0].value) if lines else ("", _value(given))
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
    close = nearest(key, all_keys())
    hint = f"the nearest are {', '.join(close)}" if close else "python run.py --help lists all"
    return f"{where}{key} is not a name in the config: {hint}."


def as_typed_here(word: str, value: str, overrides: list[str]) -> list[str]:
    """The words for what another program calls so; none where it is not known."""
    name = meant(word, all_keys())
    if not name:
        return []
    is_switch = value.lower() in ("", "true", "false", "yes", "no", "none", "null")
    if is_switch and not (value and type_of(name) is bool):
        value = "VALUE"
    group, choices = name.partition(".")[0], owners(name)
    needs_choice = choices and len(choices) < len(groups()[group]) and not _given(group, overrides)
    return [*([f"{group}={choices[0]}"] if needs_choice else []), f"{name}={value}"]


def _bad_value(key: str, overrides: list[str], error: ValidationError) -> str:
    """What the type of the knob wants instead."""
    key = key.partition("[")[0]
    given, kind = _given(key, overrides), type_of(key)
    lines = [] if given else yaml_files.lines_of(key)
    about = [line for line in lines if f"'{line.value}'" in str(error.msg)] or lines
    where = f"{about[0]}: " if about else ""
    shown = given.input_line if given else f"{key}: {about[0].value}".rstrip() if about else key
    if (given and given.value() is None) or (about and about[0].value in yaml_files.NULLS):
        rule = f"{key} needs a value"
    elif dataclasses.is_dataclass(kind):
        rule = f"{key} holds several values; --help lists them"
    elif given and isinstance(given.value(), list) and is_list(kind):
        rule = "it is a list of texts"  # each knob that is a list is one
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
    if number:
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


def _given(key: str, overrides: list[str]) -> Override | None:
    """The override that sets this knob; None where a file does."""
    for word in overrides:
        if _name(word) == key:
            with contextlib.suppress(HydraException):
                return OverridesParser.create().parse_override(word)
    return None


def _name(word: str) -> str:
    return word.partition("=")[0].lstrip("+~").partition("@")[0]


def _value(given: Override | None) -> str:
    return str(given.input_line).partition("=")[2] if given else ""
