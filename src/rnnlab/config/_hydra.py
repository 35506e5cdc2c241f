"""Every name of Hydra and OmegaConf that they do not document, with why; no other file has one.

Hydra's documentation shows main, initialize_config_dir, compose and, in its example plugins, the
interfaces Launcher and Sweeper with run_job's companions in hydra.core.utils and OverridesParser.
"""

import copy
from argparse import Action, ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hydra
import omegaconf
import yaml
from hydra._internal.core_plugins import file_config_source
from hydra._internal.core_plugins.basic_launcher import BasicLauncher
from hydra._internal.sources_registry import SourcesRegistry
from hydra._internal.utils import get_args_parser
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from hydra.plugins.completion_plugin import DefaultCompletionPlugin
from hydra.plugins.config_source import ConfigResult
from omegaconf import DictConfig, OmegaConf
from omegaconf._utils import get_omega_conf_dumper

__all__ = [
    "OF_HYDRA",
    "VERSION_BASE",
    "BasicLauncher",  # hydra/launcher=stacked runs other programs' jobs as hydra/launcher=basic
    "completed",  # a completion plugin has its words from the environment, and prints
    "get_args_parser",  # what hydra.main will read of the command line, before it begins
    "initialized",
    "is_composing",
    "is_plain",
    "parse_swept",
    "read_files_with",
    "register_resolver",
    "seen_by_resolvers",
    "to_yaml",
]

OF_HYDRA = "hydra._internal."  # its own launcher and sweeper begin so

# 1.3 warns where version_base is left out, 1.4 where it is given
VERSION_BASE: dict[str, Any] = (
    {"version_base": "1.3"} if hydra.__version__.startswith("1.3") else {}
)


def _leave_lazy_help_alone() -> None:
    """Hydra 1.3 gives its parser a help that becomes a text when it is shown.

    Python 3.14's parsers read it before, and would refuse to be made.
    """
    parsers: Any = ArgumentParser
    check: Callable[[ArgumentParser, Action], None] = parsers._check_help

    def check_texts(parser: ArgumentParser, action: Action) -> None:
        if isinstance(action.help, str):
            check(parser, action)

    parsers._check_help = check_texts


if VERSION_BASE and hasattr(ArgumentParser, "_check_help"):
    _leave_lazy_help_alone()


def register_resolver(name: str, function: Callable[..., Any], **options: Any) -> None:
    """2.4 warns of 2.3's name; 2.3 has an older function under 2.4's."""
    is_old = omegaconf.__version__.startswith("2.3")
    register: Any = OmegaConf.register_new_resolver if is_old else OmegaConf.register_resolver
    register(name, function, replace=True, **options)


def parse_swept(overrides: list[str]) -> list[Override]:
    """With the loader that glob(*) asks for the choices of a group."""
    return OverridesParser.create(GlobalHydra.instance().config_loader()).parse_overrides(overrides)


def is_composing() -> bool:
    """hydra.main or initialize_config_dir has begun: a second beginning is an error."""
    return GlobalHydra.instance().is_initialized()


def completed(words: list[str]) -> list[str]:
    """What `run.py -sc query=bash` prints for these words."""
    loader = GlobalHydra.instance().config_loader()
    return DefaultCompletionPlugin(loader)._query("config", " ".join(words))


def is_plain(override: Override) -> bool:
    """KEY=VALUE and no more: no +, ~ or @package, and a single value."""
    plain = override.type == OverrideType.CHANGE and override.package is None
    return plain and not override.is_sweep_override()


def seen_by_resolvers(composed: DictConfig) -> DictConfig:
    """From here on ${hydra:...} and HydraConfig.get() mean this config, as in Hydra's run_job."""
    HydraConfig.instance().set_config(composed)
    return composed


_Libyaml: Any = getattr(yaml, "CDumper", yaml.Dumper)  # a PyYAML can be built without it


class _Dumper(_Libyaml):
    """Which texts OmegaConf quotes."""

    yaml_representers = get_omega_conf_dumper().yaml_representers


def to_yaml(container: Any) -> str:
    """As OmegaConf.to_yaml, ten times as fast, of what to_container gave; rare letters escaped."""
    style: Any = {"default_flow_style": False, "allow_unicode": True, "sort_keys": False}
    return yaml.dump(container, Dumper=_Dumper, **style)


class FileConfigSource(file_config_source.FileConfigSource):
    """Hydra's own, which reads as `read` does; the registry takes it by its name."""

    read: Callable[[Path, str], Any]  # a file of a group -> its .config and .header

    def load_config(self, config_path: str) -> ConfigResult:
        path = Path(self.path, self._normalize_file_name(config_path))
        file = type(self).read(path, config_path.rpartition("/")[0])
        return ConfigResult(
            config=copy.deepcopy(file.config),
            path=f"{self.scheme()}://{self.path}",
            provider=self.provider,
            header=self._get_header_dict(file.header),
        )


def read_files_with(read: Callable[[Path, str], Any]) -> None:
    """From here on Hydra's YAML files are read so."""
    FileConfigSource.read = staticmethod(read)
    SourcesRegistry.instance().types["file"] = FileConfigSource


@contextmanager
def initialized(folder: str, own: str | None = None) -> Iterator[None]:
    """hydra.compose finds the files of these folders here, as hydra.main does with --config-dir."""
    with hydra.initialize_config_dir(config_dir=folder, **VERSION_BASE):
        if own:
            loader: Any = GlobalHydra.instance().config_loader()
            searched = loader.get_search_path()
            last = SearchPathQuery(provider="schema")
            searched.prepend(provider="command-line", path=f"file://{own}", anchor=last)
            loader.repository.initialize_sources(searched)
        yield
