"""backend=local|slurm|ray: which executor, and what it needs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rnnlab._common.errors import ConfigError
from rnnlab.studies.executors import Executor
from rnnlab.studies.executors.local import Local

NEEDS = {  # as pyproject.toml has them
    "slurm": ("submitit", ">=1.5.4,<2"),
    "ray": ("ray", ">=2.50,<3"),
}


def require_backend(backend: str) -> None:
    """Raise ConfigError where what it needs is not installed."""
    package, bounds = NEEDS.get(backend, ("", ""))
    if package and find_spec(package) is None:
        command = f"pip install '{package}{bounds}'"
        raise ConfigError(f"backend={backend} needs {package}: type {command}")


def executor_of(
    backend: str,
    study: Path,
    settings: Any,
    workers: int,
    gpus: tuple[int, ...] = (),
) -> Executor[Any]:
    """Raises ConfigError where it cannot be had."""
    if backend == "slurm":
        from rnnlab.studies.executors.slurm import Slurm

        return Slurm(study, settings)
    if backend == "ray":
        from rnnlab.studies.executors.ray import Ray

        return Ray(study, settings)
    return Local(workers, gpus)
