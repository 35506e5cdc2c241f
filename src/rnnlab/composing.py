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
from omegaconf import DictConfig, read_write

from rnnlab.explain import all_keys, groups


class Composer:
    """compose(overrides) as given, and the same for overrides that only set values on it."""

    def __init__(self, compose: Callable[[list[str]], DictConfig]) -> None:
        self.compose = compose
        self.bases: dict[tuple[str, ...], DictConfig] = {}
        self.settable = set(all_keys()) - set(groups())

    def __call__(self, overrides: Sequence[str]) -> DictConfig:
        """A config of its own for these overrides; raises what Hydra raises."""
        parsed = [_parsed(override) for override in overrides]
        values = [override for override in parsed if self._sets_a_value(override)]
        choices = tuple(str(o.input_line) for o in parsed if not self._sets_a_value(o))
        if choices not in self.bases:
            self.bases[choices] = self.compose(list(choices))
        composed = copy.deepcopy(self.bases[choices])
        ConfigLoaderImpl._apply_overrides_to_config(values, composed)
        if "hydra" in composed:
            with read_write(composed.hydra):
                own = [o.input_line for o in parsed if not o.is_hydra_override()]
                composed.hydra.overrides.task = own
        return composed

    def _sets_a_value(self, override: Override) -> bool:
        plain = override.type == OverrideType.CHANGE and not override.is_sweep_override()
        return plain and override.package is None and override.key_or_group in self.settable


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
        self.kept: dict[tuple[str, ...], DictConfig] = {}

    def load_sweep_config(
        self, master_config: DictConfig, sweep_overrides: Sequence[str]
    ) -> DictConfig:
        if self.composer is None:
            self.composer = Composer(lambda own: self.loader.load_sweep_config(master_config, own))
        composed = self.kept[tuple(sweep_overrides)] = self.composer(sweep_overrides)
        return composed

    def take(self, master_config: DictConfig, sweep_overrides: Sequence[str]) -> DictConfig:
        """The config that load_sweep_config made, or would make; the caller may change it."""
        known = self.kept.pop(tuple(sweep_overrides), None)
        if known is None:
            self.load_sweep_config(master_config, sweep_overrides)
            known = self.kept.pop(tuple(sweep_overrides))
        return known

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)
