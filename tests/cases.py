"""What crashes.py kills: runs and studies in miniature, and how a user goes on with each."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch
from matplotlib.figure import Figure

from disk import Recording
from recorder import recording
from rnnlab._common.errors import ConfigError
from rnnlab.config.compose import compose
from rnnlab.config.schema import Config
from rnnlab.runs import figures, stack, surroundings
from rnnlab.runs.folder import has_checkpoint
from rnnlab.runs.preflight import Corpora, check
from rnnlab.runs.result import Status
from rnnlab.runs.resume import resume, resume_stack
from rnnlab.studies import launch, loop
from rnnlab.studies.command import Change, Command
from rnnlab.studies.executors import Task, worker
from rnnlab.studies.job import Asked, Job

SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "dataset.max_tokens=300"]
SMALL += ["dataset.val_fraction=0.1", "log.sample_length=5", "log.sample_every=2"]
SMALL += ["log.val_every=2", "checkpoint.seconds=0", "optimizer=momentum"]
ROOT = Path("/")  # what paths are seen from, whatever a copy is called


@dataclass(frozen=True)
class Case:
    """Something that trains below a folder, and how a user goes on with it.

    `go_on` says whether there was nothing to go on with, and it began anew.
    """

    train: Callable[[Path], None]
    go_on: Callable[[Path], bool]
    begun: tuple[str, ...] = ()  # folders that are there, and on the disk, before


def configs(num_epochs: Sequence[int], *more: str) -> list[Config]:
    return [
        small(*more, f"seed={seed}", f"num_epochs={epochs}")
        for seed, epochs in enumerate(num_epochs)
    ]


@cache
def small(*overrides: str) -> Config:
    return compose([*SMALL, *overrides])


def a_run(num_epochs: int) -> Case:
    """With a checkpoint after each epoch; its folder is as new as Hydra's."""
    config = small("checkpoint.every=1", f"num_epochs={num_epochs}")

    def train(home: Path) -> None:
        (home / "run").mkdir()
        stack.run(config, home / "run")

    return Case(train, lambda home: resumed_or_begun(home / "run", config))


def resumed_or_begun(folder: Path, config: Config) -> bool:
    """resume=FOLDER num_epochs=N; or begun there, where the answer is that nothing has."""
    try:
        resume(folder, {"num_epochs": config.num_epochs})
        return False
    except ConfigError as error:
        if "it has no result.json" not in str(error):
            raise
    work(Task({folder: config}))
    return True


def a_stack() -> Case:
    """Three lanes of different lengths."""
    jobs = configs((2, 6, 4), "checkpoint.every=2", "sampler=random")
    names = [f"{k}" for k in range(3)]

    def go_on(home: Path) -> bool:
        """As verify-resume does."""
        folders = [home / name for name in names]
        if begins := not all(map(has_checkpoint, folders)):
            work(Task(dict(zip(folders, jobs, strict=True))))
        else:
            resume_stack(folders)
        return begins

    def train(home: Path) -> None:
        stack.run_stack(jobs, [home / name for name in names])

    return Case(train, go_on, tuple(names))


def an_interrupted_run() -> Case:
    """Stopped in the middle of an epoch, and made longer when it goes on."""
    short, long = (small("checkpoint.every=2", f"num_epochs={epochs}") for epochs in (6, 8))

    def train(home: Path) -> None:
        with stopping_after(23):
            assert stack.run(short, home / "run").status == Status.interrupted
        resume(home / "run", {"num_epochs": 8})

    return Case(train, lambda home: resumed_or_begun(home / "run", long), ("run",))


def a_study() -> Case:
    """Three jobs in two shapes; its command is typed again."""
    own = [("lr=0.5", "num_hiddens=8"), ("lr=1", "num_hiddens=8"), ("lr=1", "num_hiddens=12")]
    jobs = [(job, small(*job, "checkpoint.every=2", "num_epochs=4")) for job in own]

    def train(home: Path) -> None:
        asked = [Asked(overrides, config, check(config, Corpora())) for overrides, config in jobs]
        command = Command([], home=ROOT, again=["-m", "lr=0.5,1"])
        launch.launch(launch.Batch(home / "study", 0, asked, command, lanes=2), Records())

    return Case(train, lambda home: bool(train(home)))


def a_longer_study() -> Case:
    """Of two epochs, and lengthened when it is complete; resume=study num_epochs=4 goes on."""
    own = [("seed=0", "num_epochs=2"), ("seed=1", "num_epochs=2")]
    jobs = [(job, small(*job, "checkpoint.every=2")) for job in own]

    def train(home: Path, change: Change | None = None) -> None:
        asked = [Asked(overrides, config, check(config, Corpora())) for overrides, config in jobs]
        command = Command([], home=ROOT, again=["-m", "seed=0,1"], change=change)
        launch.launch(launch.Batch(home / "study", 0, asked, command, lanes=1), Records())

    def longer(home: Path) -> bool:
        return bool(train(home, Change({"num_epochs": 4}, ROOT)))

    def both(home: Path) -> None:
        train(home)
        longer(home)

    return Case(both, longer)


CASES: dict[str, Callable[[], Case]] = {
    "a run": lambda: a_run(6),
    "a stack of three": a_stack,
    "a study": a_study,
    "interrupted, made longer": an_interrupted_run,
    "a study, made longer": a_longer_study,
    "two epochs": lambda: a_run(2),  # for pytest
    "many epochs": lambda: a_run(200),  # for ext4.py
}


# --- what stands in for rnnlab's own ---------------------------------------------------------


class Here:
    """An executor that trains a task in this process when it is first asked for it."""

    slots = 1

    def start(self, task: Task) -> Task:
        return task

    def poll(self, handle: Task) -> str:
        worker.train(handle)
        return "has trained"

    def stop(self, handle: Task) -> None: ...

    def name(self, handle: Task) -> None: ...


class Records:
    """A study's, without Hydra."""

    def folder_name(self, overrides: tuple[str, ...], number: int, own: str) -> str:  # noqa: ARG002
        return f"{number}_{','.join(overrides)}"

    def note(self, sweep: Path, changed: Mapping[str, Any]) -> None: ...

    def begin(self, job: Job) -> dict[str, str]:
        return {"config.yaml": json.dumps(job.config.as_dict()), "hydra.yaml": "hydra: {}\n"}


def work(task: Task) -> None:
    """What a study's worker does with a task; raises what it would write down of a failure."""

    def failed(_: Path, said: str) -> None:
        raise RuntimeError(said)

    with patch.object(worker, "note_failure", failed):
        worker.train(task)


@contextmanager
def stopping_after(minibatches: int) -> Iterator[None]:
    asked = count()
    requests = contextlib.nullcontext(lambda: next(asked) >= minibatches)
    with patch.object(stack, "stop_requests", lambda: requests):
        yield


@contextmanager
def in_this_process(executor: Any) -> Iterator[None]:
    """Studies train by this executor, without pictures and pauses."""
    with ExitStack() as patches:
        for module, name, value in (
            (figures, "perplexity_figure", lambda *_: Figure(figsize=(1, 1))),
            (loop, "POLL_SECONDS", 0),
            (launch, "executor_of", lambda *_: executor),
            (launch, "cores", lambda: 1),
        ):
            patches.enter_context(patch.object(module, name, value))
        yield


@contextmanager
def quickly() -> Iterator[None]:
    """Without pictures, pauses, other processes and a terminal: they take longer than training."""
    git, versions, threads = (
        surroundings.git_state(),
        surroundings.versions(),
        torch.get_num_threads(),
    )
    with ExitStack() as patches:
        torch.set_num_threads(1)
        patches.callback(torch.set_num_threads, threads)
        patches.enter_context(patch.dict(os.environ, SOURCE_DATE_EPOCH="0"))  # equal pictures
        patches.enter_context(in_this_process(Here()))
        for module, name, value in (
            (surroundings, "git_state", lambda: git),
            (surroundings, "versions", lambda: versions),
            (logging.getLogger("rnnlab"), "propagate", False),  # to pytest's handlers
        ):
            patches.enter_context(patch.object(module, name, value))
        patches.enter_context(contextlib.redirect_stdout(io.StringIO()))
        patches.enter_context(contextlib.redirect_stderr(io.StringIO()))
        yield


def record(case: Case, home: Path) -> Recording:
    for name in case.begun:
        (home / name).mkdir()
    with quickly(), recording(home) as recorded:
        case.train(home)
    return recorded
