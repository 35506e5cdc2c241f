"""Where a study's stacks train, and what is set of it: hydra.launcher.slurm.minutes=240.

Hydra reads this at every start, so it imports nothing that takes time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

BACKENDS = ("local", "slurm", "ray")


@dataclass
class SlurmSettings:
    cluster: str = "slurm"  # local: processes of this machine, to try it out
    partition: str | None = None
    minutes: int = 60  # of a task, which saves before they are over and is queued again
    cpus: int = 1
    gpus: int = 0
    more: dict[str, Any] = field(default_factory=dict)  # others of submitit's, by its names


@dataclass
class RaySettings:
    address: str = "auto"  # of the cluster; auto: the one that runs here
    cpus: float = 1
    gpus: float = 0
    resources: dict[str, float] = field(default_factory=dict)  # others that a stack wants
