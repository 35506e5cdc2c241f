"""A command line -> Config, by Hydra; one or many. A DictConfig goes no further than `to_config`.

Hydra takes a tenth of a second to compose a config. The jobs of a study mostly differ in values:
each combination of choices is composed once, and values are set on copies of it.

Importing this module registers the schema nodes that conf/*.yaml name in their defaults lists,
and the resolvers used there.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, cast, get_type_hints

import hydra
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict, read_write
from omegaconf.errors import OmegaConfBaseException

from rnnlab._common.choices import registered
from rnnlab._common.errors import ConfigError, require
from rnnlab._common.program import training
from rnnlab.config import schema, yaml_files
from rnnlab.config._hydra import (
    completed,
    initialized,
    is_composing,
    is_plain,
    read_files_with,
    register_resolver,
    seen_by_resolvers,
    to_yaml,
)
from rnnlab.config.folder_names import job_folder, now_and_id, run_folder
from rnnlab.config.names import all_keys, conf_dir, groups, without_file
from rnnlab.config.schema import Config
from rnnlab.config.stored import PATHS, paths_in
from rnnlab.config.words import as_override, key_of
from rnnlab.data.source import absolute
from rnnlab.nn.own_cell import OwnCell

FLOAT_BITS = 1024  # of the largest floats


def composing(folder: str | None = None, own: str | None = None) -> AbstractContextManager[None]:
    """hydra.compose finds conf/ in this block, or another folder, and one's own folder besides.

    While a command's jobs train it does already.
    """
    for name, cell in registered("model").items():
        if issubclass(cell, OwnCell):  # which came after all others were handed to Hydra
            ConfigStore.instance().store(group="model", name=name, node=_writable(cell))
    if is_composing():
        return nullcontext()
    return initialized(folder or conf_dir(), own)


def compose(overrides: list[str]) -> Config:
    """The config that a command line with these overrides describes."""
    with composing():
        for override in overrides:
            _parsed(override)
        return to_config(hydra.compose("config", overrides))


def completions(words: list[str]) -> list[str]:
    """What the last of these overrides may go on to be."""
    with composing():
        return completed(words)


def values_of(words: Sequence[str]) -> dict[str, Any]:
    """Values by their names, of overrides that give a name one value; raises ConfigError."""
    values = {}
    for word in words:
        override = _parsed(word)
        rule = "resume and reproduce take one value of a name that is there, as NAME=VALUE"
        require(is_plain(override), word, rule)
        values[override.key_or_group] = override.value()
    return values


def absolute_word(word: str, home: Path) -> str:
    """A path's override as stored.with_paths gives it, of a job that cannot be composed too."""
    if key_of(word) not in PATHS:
        return word
    try:
        value = _parsed(word).value()
    except HydraException:
        return word
    return as_override(key_of(word), absolute(value, home)) if isinstance(value, str) else word


class Composer:
    """Configs of many overrides, each as compose(overrides) gives it, Hydra's own part included.

    compose is asked once for each combination of choices, and for overrides whose order counts.
    """

    def __init__(self, compose: Callable[[list[str]], DictConfig]) -> None:
        self.compose = compose
        self.bases: dict[tuple[str, ...], tuple[DictConfig, DictConfig]] = {}
        self.groups = set(groups())
        self.settable = set(all_keys()) - self.groups

    def config(self, overrides: Sequence[str], number: int | None = None) -> Config:
        """Of the job with this number; raises ConfigError, and what Hydra and OmegaConf raise."""
        task, (_, whole) = self.task(overrides), self._base(overrides)[0]
        if "${hydra:" in str(task):
            whole.hydra.job.num = "???" if number is None else number
            seen_by_resolvers(whole)
            OmegaConf.set_readonly(whole.hydra, False)
        return to_config(task)

    def task(self, overrides: Sequence[str]) -> DictConfig:
        """Without Hydra's part; the caller may change it."""
        (task, _), values = self._base(overrides)
        return _set(copy.deepcopy(task), values)

    def whole(self, overrides: Sequence[str]) -> DictConfig:
        """With Hydra's part; the caller may change it."""
        (_, whole), values = self._base(overrides)
        composed = _set(copy.deepcopy(whole), values)
        return with_overrides(composed, overrides)

    def hydras(self, overrides: Sequence[str]) -> DictConfig:
        """Hydra's part, which the caller may not change."""
        return self._base(overrides)[0][1].hydra

    def unresolved(self, overrides: Sequence[str], node: str, name: str) -> str:
        """What stands at a name of Hydra's part, interpolations as they were written."""
        (_, whole), _ = self._base(overrides)
        return str(cast(Any, OmegaConf.to_container(OmegaConf.select(whole, node)))[name])

    def _base(
        self, overrides: Sequence[str]
    ) -> tuple[tuple[DictConfig, DictConfig], list[Override]]:
        """What Hydra has composed (without and with its part), and the values to set on it."""
        parsed = [_parsed(override) for override in overrides]
        values = [own for own in parsed if is_plain(own) and own.key_or_group in self.settable]
        choices = [own for own in parsed if is_plain(own) and own.key_or_group in self.groups]
        if len(values) + len(choices) < len(parsed):  # their order counts
            return self._split(self.compose(list(overrides))), []
        key = tuple(str(override.input_line) for override in choices)
        if key not in self.bases:
            self.bases[key] = self._split(self.compose(list(key)))
        return self.bases[key], values

    @staticmethod
    def _split(whole: DictConfig) -> tuple[DictConfig, DictConfig]:
        OmegaConf.set_readonly(whole.hydra, False)
        return without_hydra(whole), whole


def with_overrides(whole: DictConfig, overrides: Sequence[str]) -> DictConfig:
    """The same, that says of itself that it was composed from these."""
    for name, value in composed_from(whole.hydra, overrides).items():
        OmegaConf.update(whole, f"hydra.{name}", value, merge=False)
    return whole


def composed_from(hydras: DictConfig, overrides: Sequence[str]) -> dict[str, Any]:
    """What Hydra's part says of overrides, by the names in it."""
    words: dict[str, Any] = {"overrides.task": list(overrides)}
    if not OmegaConf.is_interpolation(hydras.job, "override_dirname"):  # as in Hydra 1.4
        words["job.override_dirname"] = ",".join(overrides)
    return words


def without_hydra(whole: DictConfig) -> DictConfig:
    """A copy for the task."""
    task = copy.deepcopy(whole)
    with read_write(task), open_dict(task):
        del task["hydra"]
    return task


def as_saved(task: DictConfig, hydras: Mapping[str, Any], config: Config) -> dict[str, str]:
    """A job's config and Hydra's part, as Hydra saves them: texts by their files' names.

    Paths are those of the config, which are seen from everywhere.
    """
    for name, value in paths_in(config).items():
        OmegaConf.update(task, name, value)
    return {"config.yaml": to_yaml(contents(task)), "hydra.yaml": to_yaml({"hydra": hydras})}


def contents(composed: Any) -> dict[str, Any]:
    """Its dicts, lists and values, interpolations as they were written."""
    return cast(dict[str, Any], OmegaConf.to_container(composed, enum_to_str=True))


def to_config(composed: DictConfig) -> Config:
    """Frozen dataclasses from a composed config.

    Raises ConfigError for a value out of range, or one that the command line has to give.
    """
    missing = sorted(OmegaConf.missing_keys(composed))
    if missing:
        raise ConfigError(
            f"{', '.join(missing)} is missing: this choice needs it; add {missing[0]}=VALUE."
        )
    try:
        return cast(Config, OmegaConf.to_object(composed))
    except dataclasses.FrozenInstanceError as error:  # +NAME=VALUE added what no dataclass has
        name = str(error).split("'")[1]
        raise ConfigError(
            f"{name} is not a name in the config, and + cannot add it; "
            f"{training('--help')} lists all."
        ) from None
    except OmegaConfBaseException as error:  # wraps what __post_init__ raised
        if isinstance(error.__cause__, ConfigError):
            raise error.__cause__ from None
        raise


@cache  # jobs share most of their overrides
def _parsed(override: str) -> Override:
    """Raises ConfigError for a whole number that OmegaConf could not make a float of."""
    (parsed,) = OverridesParser.create().parse_overrides([override])  # names the one it cannot read
    number = parsed.value()
    fits = not isinstance(number, int) or number.bit_length() < FLOAT_BITS
    require(fits, f"{override[:60]}...", "no knob has so large a value")
    return parsed


def _set(composed: DictConfig, values: list[Override]) -> DictConfig:
    for override in values:
        OmegaConf.update(composed, override.key_or_group, override.value(), merge=True)
    return composed


def _writable(node_type: type) -> DictConfig:
    """OmegaConf makes a frozen dataclass read-only; until composition ends YAML has to set it."""
    node = OmegaConf.structured(node_type)
    OmegaConf.set_readonly(node, False)
    for name, kind in get_type_hints(node_type).items():
        if dataclasses.is_dataclass(kind):
            node[name] = kind  # each of its own fields is missing now
            OmegaConf.set_readonly(node[name], None)
    OmegaConf.set_readonly(node, None)
    return node


def register() -> None:
    """Hand the choices that are known now to Hydra."""
    for path, node_type in schema.nodes().items():
        group, _, name = path.rpartition("/")
        ConfigStore.instance().store(group=group, name=name, node=_writable(node_type))
    for (group, name), choice in without_file().items():
        ConfigStore.instance().store(group=group, name=name, node=_writable(choice))
    for function in (now_and_id, run_folder, job_folder):
        changes = function is not job_folder  # each time it is asked
        register_resolver(f"rnnlab.{function.__name__}", function, use_cache=changes)
    read_files_with(yaml_files.read)


register()
