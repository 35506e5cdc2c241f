"""Many jobs' configs, as Hydra composes them, at a fraction of the time.

Hydra takes a tenth of a second to compose a config, and does so more than once for every job. The
jobs of a study mostly differ in values: each combination of choices is composed once, and values
are set on copies of it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.errors import HydraException
from omegaconf import DictConfig, read_write
from omegaconf.errors import OmegaConfBaseException

from rnnlab.config.mistakes import all_keys, groups


class Composer:
    """compose(overrides) as given, and the same for overrides that only set values on it."""

    def __init__(self, compose: Callable[[list[str]], DictConfig]) -> None:
        self.compose = compose
        self.bases: dict[tuple[str, ...], DictConfig] = {}
        self.groups = set(groups())
        self.settable = set(all_keys()) - self.groups

    def __call__(self, overrides: Sequence[str]) -> DictConfig:
        """A config of its own for these overrides; raises what Hydra raises."""
        parsed = [_parsed(override) for override in overrides]
        values = [override for override in parsed if self._sets_a_value(override)]
        choices = [override for override in parsed if self._chooses(override)]
        if len(values) + len(choices) < len(parsed):  # their order counts
            return self.compose(list(overrides))
        key = tuple(str(override.input_line) for override in choices)
        if key not in self.bases:
            self.bases[key] = self.compose(list(key))
        composed = copy.deepcopy(self.bases[key])
        ConfigLoaderImpl._apply_overrides_to_config(values, composed)
        if "hydra" in composed:
            with read_write(composed.hydra):
                own = [o.input_line for o in parsed if not o.is_hydra_override()]
                composed.hydra.overrides.task = own
        return composed

    def _sets_a_value(self, override: Override) -> bool:
        return _is_plain(override) and override.key_or_group in self.settable

    def _chooses(self, override: Override) -> bool:
        is_group = _is_plain(override) and override.key_or_group in self.groups
        return is_group or override.is_hydra_override()


def _is_plain(override: Override) -> bool:
    plain = override.type == OverrideType.CHANGE and not override.is_sweep_override()
    return plain and override.package is None


@cache  # jobs share most of their overrides
def _parsed(override: str) -> Override:
    return OverridesParser.create().parse_override(override)


class StudyLoader:
    """Hydra's loader, whose load_sweep_config is a Composer.

    A sweeper composes every job to see whether it can be, and throws the config away: it is kept
    for the launcher, which asks for it next.
    """

    def __init__(self, loader: ConfigLoader) -> None:
        self.loader = loader
        self.composer: Composer | None = None
        self.kept: dict[tuple[str, ...], DictConfig | Exception] = {}

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: Sequence[str]) -> None:
        """What cannot be composed is the launcher's to tell, of all jobs at once."""
        if self.composer is None:
            self.composer = Composer(lambda own: self.loader.load_sweep_config(master_config, own))
        try:
            self.kept[tuple(sweep_overrides)] = self.composer(sweep_overrides)
        except (HydraException, OmegaConfBaseException) as error:
            self.kept[tuple(sweep_overrides)] = error

    def take(self, master_config: DictConfig, sweep_overrides: Sequence[str]) -> DictConfig:
        """The config that load_sweep_config made, or would make; the caller may change it."""
        if tuple(sweep_overrides) not in self.kept:
            self.load_sweep_config(master_config, sweep_overrides)
        known = self.kept.pop(tuple(sweep_overrides))
        if isinstance(known, Exception):
            raise known
        return known

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)
