"""Stacks as actors of a Ray cluster, by Ray core.

An actor lives by its name and not by the study that made it, which can end and be begun again.
"""

from __future__ import annotations

import logging
import os
import secrets
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnlab._common.errors import ConfigError
from rnnlab._common.program import python_path
from rnnlab.config.backends import RaySettings
from rnnlab.runs.ownership import QUEUED_AS
from rnnlab.studies.executors import Task
from rnnlab.studies.executors.worker import STOP, stop_asked_in, train

NAMESPACE = "rnnlab"


@dataclass
class Actor:
    """An actor by its name, and what its work comes to where this process has asked for it."""

    name: str
    actor: Any
    answer: Any = None


class Ray:
    """An Executor whose tasks wait for what they want of a cluster."""

    slots = sys.maxsize

    def __init__(self, study: Path, settings: RaySettings) -> None:
        import ray

        self.study, self.settings, self.ray = study, settings, ray
        if not ray.is_initialized():
            quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
            try:
                ray.init(settings.address, namespace=NAMESPACE, **quiet)
            except (ConnectionError, ValueError, RuntimeError) as error:
                said = str(error).splitlines()[0].rstrip(".")
                address = f"hydra.launcher.ray.address={settings.address}"
                raise ConfigError(f"backend=ray with {address} is not there: {said}.") from None

    def start(self, task: Task) -> Actor:
        name, wanted = f"rnnlab-{secrets.token_hex(6)}", self.settings
        options = self.ray.remote(Worker).options(
            name=name,
            namespace=NAMESPACE,
            lifetime="detached",
            num_cpus=wanted.cpus,
            num_gpus=wanted.gpus,
            resources=wanted.resources,
            runtime_env={"env_vars": {"PYTHONPATH": python_path()}},
        )
        actor: Any = options.remote(name, max(1, int(wanted.cpus)))
        return Actor(name, actor, actor.train.remote(task.seen_from_elsewhere()))

    def poll(self, handle: Actor) -> str | None:
        ended = f"{handle.name} ended before its jobs"
        if handle.answer is None:
            return None if self._find(handle.name) else ended
        if not self.ray.wait([handle.answer], timeout=0)[0]:
            return None
        with suppress(self.ray.exceptions.RayError):  # what came of it is in the folders
            self.ray.get(handle.answer)
        return ended

    def stop(self, handle: Actor) -> None:  # noqa: ARG002
        (self.study / STOP).touch()

    def kill(self, handle: Actor) -> None:
        with suppress(self.ray.exceptions.RayError):
            self.ray.kill(handle.actor)

    def name(self, handle: Actor) -> str:
        return f"ray {handle.name}"

    def adopt(self, name: str) -> Actor | None:
        kind, _, own = name.partition(" ")
        actor = self._find(own) if kind == "ray" else None
        return Actor(own, actor) if actor else None

    def _find(self, name: str) -> Any | None:
        try:
            return self.ray.get_actor(name, NAMESPACE)
        except ValueError:
            return None


class Worker:
    """A process of the cluster."""

    def __init__(self, name: str, threads: int) -> None:
        os.environ[QUEUED_AS] = f"ray {name}"
        self.threads = threads

    def train(self, task: Task) -> None:
        import ray
        import torch

        from rnnlab._common import interrupts

        sys.orig_argv = task.typed
        torch.set_num_threads(self.threads)
        interrupts.also_stop_when(stop_asked_in(task.study))
        train(task)
        ray.actor.exit_actor()
