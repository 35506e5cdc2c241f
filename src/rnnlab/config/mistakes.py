"""Turns a composition error into one sentence: what was given, what is allowed, what to type."""

import dataclasses
import difflib
from collections.abc import Sequence
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    OmegaConfBaseException,
    ValidationError,
)

from rnnlab._common.errors import ConfigError
from rnnlab._common.program import training
from rnnlab.config.names import all_keys, groups, in_words, is_list, type_of
from rnnlab.config.schema import nodes


def explain(error: BaseException, overrides: list[str]) -> str:
    """One sentence for the terminal."""
    cause = _cause(error)
    match cause:
        case ConfigError():
            return str(cause)  # a line for each mistake of a study
        case MissingConfigException(missing_cfg_file=str(missing), options=options):
            group, _, choice = missing.rpartition("/")
            return _bad_choice(group, choice, groups().get(group) or options)
        case ConfigKeyError(full_key=str(key)) | ConfigAttributeError(full_key=str(key)):
            return _bad_key(key)
        case ValidationError(full_key=str(key)) if key:
            return _bad_value(key, overrides)
        case OverrideParseException(override=override):
            return (
                f"{override} cannot be read: an override is KEY=VALUE, "
                "and a value with spaces or commas goes in quotes, as in 'KEY=\"a b\"'."
            )
        case OSError(filename=name, strerror=said):
            return f"{name or 'Writing'}: {said or cause}."
        case ValueError(__cause__=OSError() as reason):  # a log that cannot be opened
            return explain(reason, overrides)
    message = _first_line(cause)
    if message.startswith("Ambiguous value for argument"):
        _, given, *_ = message.split("'")
        return f"{given} has several values: add -m to train a job for each."
    if message.startswith("Multiple values for"):
        return f"{message.split()[3].rstrip('.')} is chosen already: leave out the +."
    return message if isinstance(cause, HydraException | OmegaConfBaseException) else f"{message}."


def _cause(error: BaseException) -> BaseException:
    """What Hydra's exception was raised from, or while what of OmegaConf's was handled."""
    if not isinstance(error, HydraException):
        return error
    handled = error.__context__ if isinstance(error.__context__, OmegaConfBaseException) else None
    return error.__cause__ or handled or error


def _bad_choice(group: str, choice: str, known: Sequence[str] | None) -> str:
    if not known:
        return f"{group}={choice} is not allowed: there is no group {group}."
    nearest = _nearest(choice, list(known)) or known
    return (
        f"{group}={choice} is not allowed: {group} is one of {', '.join(known)}; "
        f"type for example {group}={nearest[0]}."
    )


def _bad_key(key: str) -> str:
    group, _, field = key.partition(".")
    schemas = {
        path.rpartition("/")[2]: schema
        for path, schema in nodes().items()
        if path.startswith(f"schema/{group}/")
    }
    owners = [choice for choice, schema in schemas.items() if field in _fields(schema)]
    if owners:
        return f"{key} belongs to {group}={' or '.join(owners)}, not to the {group} chosen here."
    if key.startswith("optimizer.options."):
        return f"{key} is new in optimizer.options: add it with +{key}=VALUE."
    nearest = _nearest(key, all_keys())
    hint = f"the nearest are {', '.join(nearest)}" if nearest else f"{training('--help')} lists all"
    return f"{key} is not a name in the config: {hint}."


def _fields(schema: Any) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(schema)}


def _bad_value(key: str, overrides: list[str]) -> str:
    """What the type of the knob wants instead."""
    given, kind = _given(key, overrides), type_of(key)
    if given and given.value() is None:
        rule = f"{key} needs a value"
    elif dataclasses.is_dataclass(kind):
        rule = f"{key} holds several values; --help lists them"
    elif given and isinstance(given.value(), list) and is_list(kind):
        rule = "it is a list of texts"  # each knob that is a list is one
    else:
        rule = f"{key} is {in_words(kind, key)}"
    return f"{given.input_line if given else key} is not allowed: {rule}."


def _given(key: str, overrides: list[str]) -> Override | None:
    """The override that sets this knob; None where a file does."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    return next((override for override in parsed if override.key_or_group == key), None)


def _nearest(name: str, known: list[str]) -> list[str]:
    """Up to three known names like this one; a known key's last part may be what was meant."""
    last_parts = {key.rpartition(".")[2]: key for key in known}
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    close += [last_parts[n] for n in difflib.get_close_matches(name, last_parts, n=3, cutoff=0.75)]
    return list(dict.fromkeys(close))[:3]


def _first_line(error: BaseException) -> str:
    message = error.msg if isinstance(error, OmegaConfBaseException) and error.msg else str(error)
    return message.splitlines()[0] if message else type(error).__name__
