"""Turns a composition error into one sentence: what was given, what is allowed, what to type."""

import dataclasses
import difflib
from pathlib import Path

import hydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException, MissingConfigException, OverrideParseException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, OmegaConfBaseException, ValidationError

from rnnlab.schema import NODES, conf_dir

KINDS = {"Float": "a number", "Integer": "a whole number", "Boolean": "true or false"}


def explain(error: Exception, overrides: list[str]) -> str:
    """One sentence for the terminal."""
    cause = error.__cause__ if isinstance(error, HydraException) and error.__cause__ else error
    match cause:
        case MissingConfigException(missing_cfg_file=str(missing)):
            group, _, choice = missing.rpartition("/")
            return _bad_choice(group, choice)
        case ConfigKeyError(full_key=str(key)):
            return _bad_key(key, overrides)
        case ValidationError(full_key=str(key), msg=str(message)):
            return _bad_value(key, message, overrides)
        case OverrideParseException(override=override):
            return (
                f"{override} cannot be read: an override is KEY=VALUE, "
                "and a value with spaces or commas goes in quotes, as in 'KEY=\"a b\"'."
            )
    return _first_line(cause)


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
        *(f"  {line}" for line in OmegaConf.to_yaml(_compose([])).splitlines()),
        "",
        "--cfg job prints the composed config without running it; --hydra-help lists Hydra's flags.",
    ]
    return "\n".join(lines)


def _bad_choice(group: str, choice: str) -> str:
    known = groups().get(group)
    if known is None:
        return f"{group}={choice} is not allowed: there is no group {group}."
    nearest = _nearest(choice, known) or known[:1]
    return (
        f"{group}={choice} is not allowed: {group} is one of {', '.join(known)}; "
        f"type for example {group}={nearest[0]}."
    )


def _bad_key(key: str, overrides: list[str]) -> str:
    group, _, field = key.partition(".")
    owners = [
        path.rpartition("/")[2]
        for path, schema in NODES.items()
        if path.startswith(f"schema/{group}/")
        and field in {known.name for known in dataclasses.fields(schema)}
    ]
    if owners:
        return f"{key} is not a value of this {group}: it belongs to {group}={' or '.join(owners)}."
    known = _keys(_compose(_group_overrides(overrides))) + list(groups())
    nearest = _nearest(key, known)
    hint = f"the nearest are {', '.join(nearest)}" if nearest else "python run.py --help lists all"
    return f"{key} is not a name in the config: {hint}."


def _bad_value(key: str, message: str, overrides: list[str]) -> str:
    given = next(
        (o.input_line for o in _parsed(overrides) if o.key_or_group.split("@")[0] == key), key
    )
    kind = next((text for name, text in KINDS.items() if f"converted to {name}" in message), None)
    if kind:
        return f"{given} is not allowed: {key} is {kind}."
    if "expected one of [" in message:
        allowed = message.split("expected one of [")[1].split("]")[0]
        return f"{given} is not allowed: {key} is one of {allowed}."
    return f"{given} is not allowed: {message.splitlines()[0]}."


def _compose(overrides: list[str]) -> DictConfig:
    hydra.core.global_hydra.GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(version_base="1.3", config_dir=conf_dir()):
        return hydra.compose("config", overrides)


def _group_overrides(overrides: list[str]) -> list[str]:
    """The valid choices among the overrides: they decide which keys exist."""
    known = groups()
    return [
        override.input_line or ""
        for override in _parsed(overrides)
        if str(override.value()) in known.get(override.key_or_group, [])
    ]


def _parsed(overrides: list[str]) -> list[Override]:
    return OverridesParser.create().parse_overrides(overrides)


def _keys(node: DictConfig, prefix: str = "") -> list[str]:
    keys = []
    for key in node:
        child = node._get_node(key)
        is_node = isinstance(child, DictConfig) and not child._is_none()
        keys += _keys(child, f"{prefix}{key}.") if is_node else [f"{prefix}{key}"]
    return keys


def _nearest(name: str, known: list[str]) -> list[str]:
    """Up to three known names like this one; a known key's last part may be what was meant."""
    last_parts = {key.rpartition(".")[2]: key for key in known}
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    close += [last_parts[n] for n in difflib.get_close_matches(name, last_parts, n=3, cutoff=0.75)]
    return list(dict.fromkeys(close))[:3]


def _first_line(error: BaseException) -> str:
    message = error.msg if isinstance(error, OmegaConfBaseException) and error.msg else str(error)
    return message.splitlines()[0] if message else type(error).__name__
