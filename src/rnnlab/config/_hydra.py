"""Every name of Hydra and OmegaConf that they do not document, with why; no other file has one.

Hydra's documentation shows main, initialize_config_dir, compose and, in its example plugins, the
interfaces Launcher and Sweeper with run_job's companions in hydra.core.utils and OverridesParser.
"""

from collections.abc import Callable
from typing import Any

import hydra
import omegaconf
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.utils import get_args_parser
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf

__all__ = [
    "OF_HYDRA",
    "VERSION_BASE",
    "BasicLauncher",  # hydra/launcher=stacked runs other programs' jobs as hydra/launcher=basic
    "get_args_parser",  # what hydra.main will read of the command line, before it begins
    "is_plain",
    "parse_swept",
    "register_resolver",
    "seen_by_resolvers",
]

OF_HYDRA = "hydra._internal."  # its own launcher and sweeper begin so

# 1.3 warns where version_base is left out, 1.4 where it is given
VERSION_BASE: dict[str, Any] = (
    {"version_base": "1.3"} if hydra.__version__.startswith("1.3") else {}
)


def register_resolver(name: str, function: Callable[..., Any], **options: Any) -> None:
    """2.4 warns of 2.3's name; 2.3 has an older function under 2.4's."""
    is_old = omegaconf.__version__.startswith("2.3")
    register: Any = OmegaConf.register_new_resolver if is_old else OmegaConf.register_resolver
    register(name, function, replace=True, **options)


def parse_swept(overrides: list[str]) -> list[Override]:
    """With the loader that glob(*) asks for the choices of a group."""
    return OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(overrides)


def is_plain(override: Override) -> bool:
    """KEY=VALUE and no more: no +, ~ or @package, and a single value."""
    plain = override.type == OverrideType.CHANGE and override.package is None
    return plain and not override.is_sweep_override()


def seen_by_resolvers(composed: DictConfig) -> DictConfig:
    """From here on ${hydra:...} and HydraConfig.get() mean this config, as in Hydra's run_job."""
    HydraConfig.instance().set_config(composed)
    return composed
