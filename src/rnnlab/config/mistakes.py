"""Turns a composition error into one sentence: what was given, what is allowed, what to type."""

import dataclasses
import difflib
from collections.abc import Sequence
from pathlib import Path
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
from rnnlab.config.compose import conf_dir
from rnnlab.config.schema import nodes

KINDS = {  # what OmegaConf says of a value of the wrong type -> what the type is
    "converted to Float": "a number",
    "converted to Integer": "a whole number",
    "not a valid bool": "true or false",
}


def explain(error: Exception, overrides: list[str]) -> str:
    """One sentence for the terminal."""
    cause = error.__cause__ if isinstance(error, HydraException) and error.__cause__ else error
    match cause:
        case ConfigError():
            return str(cause)  # a line for each mistake of a study
        case MissingConfigException(missing_cfg_file=str(missing), options=options):
            group, _, choice = missing.rpartition("/")
            return _bad_choice(group, choice, groups().get(group) or options)
        case ConfigKeyError(full_key=str(key)) | ConfigAttributeError(full_key=str(key)):
            return _bad_key(key)
        case ValidationError(full_key=str(key), msg=str(message)):
            return _bad_value(key, message, overrides)
        case OverrideParseException(override=override):
            return (
                f"{override} cannot be read: an override is KEY=VALUE, "
                "and a value with spaces or commas goes in quotes, as in 'KEY=\"a b\"'."
            )
    message = _first_line(cause)
    if message.startswith("Ambiguous value for argument"):
        _, given, *_ = message.split("'")
        return f"{given} has several values: add -m to train a job for each."
    if message.startswith("Multiple values for"):
        return f"{message.split()[3].rstrip('.')} is chosen already: leave out the +."
    return message


def groups() -> dict[str, list[str]]:
    """Every config group and its choices, as the folders of conf/ say."""
    folders = sorted(path for path in Path(conf_dir()).iterdir() if path.is_dir())
    return {folder.name: sorted(file.stem for file in folder.glob("*.yaml")) for folder in folders}


def help_text() -> str:
    """What --help shows above Hydra's own flags."""
    lines = [
        "Train a recurrent language model, or with -m a study of many.",
        "",
        "  python run.py sampler=random lr=1",
        "  python run.py dataset=text dataset.path=FILE model=lstm optimizer=adam lr=0.003",
        "  python run.py -m lr=0.3,1,3 seed=0,1,2",
        "",
        "Choices (NAME=CHOICE):",
        *(f"  {group:<10} {', '.join(choices)}" for group, choices in groups().items()),
        "",
        "Values (NAME=VALUE) and their defaults:",
        *(f"  {line}" for line in _defaults().splitlines()),
        "",
        "Values of a choice (GROUP.NAME=VALUE); size sets num_hiddens and num_layers:",
        *_choice_values(),
        "",
        "Of a study (-m):",
        "  plan=true              show its jobs, stacks, memory and time; train nothing",
        "  sweep=FOLDER           its folder: a study that is there goes on, or grows",
        "  on_invalid=skip        train the valid jobs; abort, the default, trains none",
        "  resume=FOLDER          go on with a run or a study, as it was begun",
        "",
        "--cfg job prints the composed config and runs nothing; --hydra-help lists Hydra's flags.",
    ]
    return "\n".join(lines)


def _choice_values() -> list[str]:
    """A line for each choice that has values of its own."""
    lines = []
    for path, schema in nodes().items():
        _, group, *choice = path.split("/")
        names = [f"{group}.{name}" for name in _fields(schema) if name != "name"]
        if choice and names:
            lines.append(f"  {group}={choice[0]}: {', '.join(names)}")
    return lines


def _defaults() -> str:
    """conf/config.yaml's own lines for the values, comments and all."""
    text = (Path(conf_dir()) / "config.yaml").read_text(encoding="utf-8")
    return text.partition("- debug: null")[2].partition("\n\n")[2].partition("\nhydra:")[0]


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
    hint = f"the nearest are {', '.join(nearest)}" if nearest else "python run.py --help lists all"
    return f"{key} is not a name in the config: {hint}."


def all_keys() -> list[str]:
    """Every name that an override can begin with, whatever the choices."""
    keys = [*groups()]
    for path, schema in nodes().items():
        _, group, *_ = path.split("/")
        prefix = "" if group == "config" else f"{group}."
        for name, field in _fields(schema).items():
            if name == "name":  # chosen with GROUP=NAME, not set
                continue
            inner = field.type if dataclasses.is_dataclass(field.type) else None
            keys += [f"{name}.{part}" for part in _fields(inner)] if inner else [prefix + name]
    return list(dict.fromkeys(keys))


def _fields(schema: Any) -> dict[str, dataclasses.Field[Any]]:
    return {field.name: field for field in dataclasses.fields(schema)}


def _bad_value(key: str, message: str, overrides: list[str]) -> str:
    given = next(
        (o.input_line for o in _parsed(overrides) if o.key_or_group.split("@")[0] == key), key
    )
    kind = next((text for said, text in KINDS.items() if said in message), None)
    if kind:
        return f"{given} is not allowed: {key} is {kind}."
    if "is not a ListConfig" in message:
        return f"{given} is not allowed: {key} is a list; type for example {key}=[a,b]."
    if "is not a subclass of" in message:
        return f"{given} is not allowed: {key} holds several values; --help lists them."
    if "is not Optional" in message:
        return f"{given} is not allowed: {key} needs a value."
    if "expected one of [" in message:
        allowed = message.split("expected one of [")[1].split("]")[0]
        return f"{given} is not allowed: {key} is one of {allowed}."
    return f"{given} is not allowed: {message.splitlines()[0]}."


def _parsed(overrides: list[str]) -> list[Override]:
    return OverridesParser.create().parse_overrides(overrides)


def _nearest(name: str, known: list[str]) -> list[str]:
    """Up to three known names like this one; a known key's last part may be what was meant."""
    last_parts = {key.rpartition(".")[2]: key for key in known}
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    close += [last_parts[n] for n in difflib.get_close_matches(name, last_parts, n=3, cutoff=0.75)]
    return list(dict.fromkeys(close))[:3]


def _first_line(error: BaseException) -> str:
    message = error.msg if isinstance(error, OmegaConfBaseException) and error.msg else str(error)
    return message.splitlines()[0] if message else type(error).__name__
