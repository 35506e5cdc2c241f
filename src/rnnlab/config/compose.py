"""Hands the typed schema of config.py to Hydra, and a composed config back as its dataclasses.

Importing this module registers the schema nodes that conf/*.yaml name in their defaults lists,
and the resolvers used there. A DictConfig goes no further than `to_config`.
"""

import dataclasses
import secrets
from datetime import datetime
from pathlib import Path
from typing import Any, cast

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from rnnlab._common.errors import ConfigError
from rnnlab.config import schema as config


def conf_dir() -> str:
    """The folder of YAML files: the checkout's, or the copy that travels in the wheel."""
    package = Path(__file__).resolve().parents[1]
    installed = package / "conf"
    return str(installed if installed.is_dir() else package.parents[1] / "conf")


def to_config(composed: DictConfig) -> config.Config:
    """Frozen dataclasses from a composed config.

    Raises ConfigError for a value out of range, or one that the command line has to give.
    """
    missing = sorted(OmegaConf.missing_keys(composed))
    if missing:
        raise ConfigError(
            f"{', '.join(missing)} is missing: this choice needs it; add {missing[0]}=VALUE."
        )
    try:
        return cast(config.Config, OmegaConf.to_object(composed))
    except dataclasses.FrozenInstanceError as error:  # +NAME=VALUE added what no dataclass has
        name = str(error).split("'")[1]
        raise ConfigError(
            f"{name} is not a name in the config, and + cannot add it; "
            "python run.py --help lists all."
        ) from None
    except OmegaConfBaseException as error:  # wraps what __post_init__ raised
        if isinstance(error.__cause__, ConfigError):
            raise error.__cause__ from None
        raise


def _writable(schema: type) -> DictConfig:
    """OmegaConf makes a frozen dataclass read-only; until composition ends YAML has to set it."""
    node = OmegaConf.structured(schema)
    for key in node:
        child = node._get_node(key)
        if OmegaConf.is_config(child):
            OmegaConf.set_readonly(child, None)
    OmegaConf.set_readonly(node, None)
    return node


def _now_and_id() -> str:
    """2026-11-23_14-05-59_3f9a1c: sorts by time; the random part keeps two runs apart."""
    return f"{datetime.now():%Y-%m-%d_%H-%M-%S}_{secrets.token_hex(3)}"


def job_folder(number: int, overrides: str) -> str:
    """3_lr=0.5,seed=1: a single folder name, whatever characters the overrides have."""
    safe = "".join(c if c.isalnum() or c in "=,._+-" else "-" for c in str(overrides))
    return f"{number}_{safe}"[:120]


def _help() -> str:
    from rnnlab.config.mistakes import help_text

    return help_text()


def register() -> None:
    for path, schema in config.nodes().items():
        group, _, name = path.rpartition("/")
        ConfigStore.instance().store(group=group, name=name, node=_writable(schema))
    resolvers: dict[str, Any] = {"now_and_id": _now_and_id, "job_folder": job_folder}
    for name, function in resolvers.items():
        OmegaConf.register_new_resolver(f"rnnlab.{name}", function, use_cache=True, replace=True)
    OmegaConf.register_new_resolver("rnnlab.help", _help, replace=True)


register()
