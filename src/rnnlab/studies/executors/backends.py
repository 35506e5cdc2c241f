"""backend=local|slurm|ray: which executor, made of its settings."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rnnlab._common.errors import ConfigError
from rnnlab._common.typed import read_as
from rnnlab.studies.executors import Executor
from rnnlab.studies.executors.local import Local

NEEDS = {"slurm": "submitit", "ray": "ray"}


def require_backend(backend: str) -> None:
    """Raise ConfigError where what it needs is not installed."""
    rule = f"backend={backend} needs {NEEDS.get(backend)}: type pip install 'rnnlab[{backend}]'"
    if backend in NEEDS and find_spec(NEEDS[backend]) is None:
        raise ConfigError(rule)


def executor_of(
    backend: str,
    study: Path,
    settings: Mapping[str, Any],
    workers: int,
    gpus: tuple[int, ...] = (),
) -> Executor[Any]:
    """Raises ConfigError where it cannot be had."""
    if backend == "slurm":
        from rnnlab.studies.executors.slurm import Slurm, SlurmSettings

        return Slurm(study, _settings(SlurmSettings, settings))
    if backend == "ray":
        from rnnlab.studies.executors.ray import Ray, RaySettings

        return Ray(study, _settings(RaySettings, settings))
    return Local(workers, gpus)


def _settings(kind: type[Any], given: Mapping[str, Any]) -> Any:
    try:
        return read_as(kind, dict(given))
    except (TypeError, ValueError) as error:
        raise ConfigError(f"hydra.launcher: {error}.") from None
