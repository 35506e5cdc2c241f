"""Kill a run, a stack and a study after every file operation, cut the power there, and go on.

make crashes, or tests/crashes.py run study every=9 for some of its cases and every ninth state.

Each case is trained once while its file operations are recorded (disk.py). Then for everything that
a kill or a power cut after any of them can leave, one goes on as a user would, and the end is
compared with the undisturbed one: no bit may differ, no file be left over or lacking, nothing be
refused. A quarter of an hour.
"""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

from disk import KINDS, Recording, State, Tree, put, read, recording
from rnnlab.config import compose as composing
from rnnlab.config.schema import Config
from rnnlab.runs import resume as resuming
from rnnlab.runs import stack as experiment
from rnnlab.runs import surroundings
from rnnlab.runs.compare import differences
from rnnlab.runs.composed import Composed
from rnnlab.runs.folder import EVENTS, RESULT
from rnnlab.runs.preflight import Corpora
from rnnlab.runs.result import Result
from rnnlab.studies import launch as studies
from rnnlab.studies import loop
from rnnlab.studies.command import COMMANDS, Command
from rnnlab.studies.executors import Task, local
from rnnlab.studies.job import Asked, Job

SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "log.sample_length=5"]
SMALL += ["dataset.max_tokens=600", "dataset.val_fraction=0.1", "log.val_every=2"]
SMALL += ["checkpoint.seconds=0", "checkpoint.every=2", "log.sample_every=2"]
SECONDS = 120  # longer than that is a hang
CORPORA = Corpora()


@cache
def composed(words: tuple[str, ...]) -> Config:
    return composing.compose([*words])


# --- the cases: the same is done at first, and after a crash -----------------------------------


def train_run(home: Path, epochs: int = 6) -> None:
    """Resumed where there is a result to resume, else begun in the same folder."""
    folder, overrides = home / "run", (*SMALL, f"num_epochs={epochs}", "optimizer=adam", "lr=0.01")
    if Result.find(folder):
        resuming.resume(folder, {})
    else:
        texts = {"config.yaml": "lr: 0.01\n", "hydra.yaml": "job: 1\n"}
        experiment.run(composed(overrides), folder, CORPORA, Composed(overrides, texts))


def train_stack(home: Path, epochs: Sequence[int] = (6, 3, 4)) -> None:
    configs = {
        home / f"{k}": composed((*SMALL, f"num_epochs={each}", f"seed={k}", "optimizer=momentum"))
        for k, each in enumerate(epochs)
    }
    resuming.train_stack([*configs], configs, CORPORA, ["seed"], begins=True)


def train_study(home: Path, epochs: int = 3) -> None:
    """Three jobs of two shapes."""
    common = [*SMALL, f"num_epochs={epochs}", "checkpoint.every=1"]
    asked = []
    for words in (
        ["lr=0.5", "num_hiddens=8"],
        ["lr=1", "num_hiddens=8"],
        ["lr=1", "num_hiddens=9"],
    ):
        config = composed((*common, *words))
        asked.append(Asked(tuple(words), config, CORPORA[config.dataset]))
    again = ["-m", "lr=0.5,1", "num_hiddens=8,9"]
    command = Command([], is_stacked_study=True, again=again)
    with (
        mock.patch.object(studies, "Local", InThisProcess),
        mock.patch.object(loop, "POLL_SECONDS", 0),
    ):
        studies.launch(studies.Batch(home / "S", 0, asked, command, workers=2, lanes=2), Named())


class InThisProcess:
    """An Executor that trains before start returns: the order of all file operations is one."""

    def __init__(self, slots: int) -> None:
        self.slots = slots

    def start(self, task: Task) -> str:
        return "ended" if local._train(task) else "failed"  # the one thing here that is private

    def poll(self, handle: str) -> str:
        return handle

    def stop(self, handle: str) -> None:
        pass


class Named:
    """The study's Records."""

    def folder_name(self, overrides: tuple[str, ...], number: int, own: str) -> str:  # noqa: ARG002
        return f"{number}_{','.join(overrides)}"

    def begin(self, job: Job) -> dict[str, str]:
        return {"config.yaml": f"lr: {job.config.lr}\n", "hydra.yaml": "job: 1\n"}


def interrupt_run(home: Path) -> None:
    """In the middle of its second epoch."""
    with stopped_after(17):
        train_run(home, epochs=4)


def lengthen_run(home: Path) -> None:
    resuming.resume(home / "run", {"num_epochs": 6})


@contextmanager
def stopped_after(minibatches: int) -> Iterator[None]:
    asked = count()

    @contextmanager
    def requests() -> Iterator[Callable[[], bool]]:
        yield lambda: next(asked) >= minibatches

    with mock.patch.object(experiment, "stop_requests", requests):
        yield


@dataclass(frozen=True)
class Case:
    train: Callable[[Path], None]  # is recorded, and goes on
    before: Callable[[Path], None] = lambda home: None


CASES = {
    "run": Case(train_run),
    "stack": Case(train_stack),
    "study": Case(train_study),
    "longer": Case(lengthen_run, interrupt_run),
}


# --- what comes of a crash ---------------------------------------------------------------------


@dataclass
class Verdict:
    """What was wrong with the end."""

    differing: list[str] = field(default_factory=list)
    left_over: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)


def after(state: State, case: Case, whole: Path, home: Path) -> Verdict:
    """Go on from a state, in a folder of its own, and compare."""
    put(state.tree, home)
    verdict = Verdict(unreadable=lost_commands(state.tree, whole))
    try:
        with quiet(), alarm():
            case.train(home)
        verdict.differing += compared(whole, home)
    except (Exception, SystemExit) as error:
        verdict.unreadable.append(f"{type(error).__name__}: {error}".replace(f"{home}/", ""))
        return verdict
    expected, found = names(whole), names(home)
    verdict.left_over += [name for name in found if name not in expected or found.count(name) > 1]
    verdict.differing += [f"{name} is lacking" for name in expected if name not in found]
    return verdict


def compared(whole: Path, home: Path) -> Iterator[str]:
    for result in sorted(whole.rglob(RESULT)):
        folder = result.parent.relative_to(whole)
        for difference in differences(whole / folder, home / folder):
            yield f"{folder}: {difference}"
        if (expected := tags(whole / folder)) != (found := tags(home / folder)):
            lacking, more = expected - found, found - expected
            yield f"{folder}: TensorBoard lacks {dict(lacking)}, has more of {dict(more)}"
    for path in whole.rglob(COMMANDS):
        if path.read_bytes() != (home / path.relative_to(whole)).read_bytes():
            yield f"{COMMANDS} differs"


def tags(folder: Path) -> Counter[str]:
    """Of everything in a run's event file, texts and pictures and its end included."""
    return Counter(
        value.tag
        for path in folder.glob(f"{EVENTS}*")
        for event in EventFileLoader(str(path)).Load()
        for value in event.summary.value
    )


def names(home: Path) -> list[str]:
    """Of all files and folders; an event file has the time in its name."""
    when = re.compile(rf"({re.escape(EVENTS)})\S+")
    return sorted(when.sub(r"\1TIME", path) for path in read(home) if not path.endswith(".lock"))


def lost_commands(tree: Tree, whole: Path) -> list[str]:
    """Once a job of a study has begun, the study's folder says how to go on with it."""
    begun = any(path.endswith(f"/{RESULT}") for path in tree)
    wanted = {str(path.relative_to(whole)): path.read_bytes() for path in whole.rglob(COMMANDS)}
    return [
        f"{path} is not whole"
        for path, content in wanted.items()
        if begun and tree.get(path) != content
    ]


@contextmanager
def quiet() -> Iterator[None]:
    """Says nothing, waits for no real disk, and draws nothing: a curve is a file as any other."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch.object(os, "fsync", lambda file: None))
        stack.enter_context(mock.patch.object(Figure, "savefig", draw))
        for redirect in (contextlib.redirect_stdout, contextlib.redirect_stderr):
            stack.enter_context(redirect(io.StringIO()))
        stack.enter_context(mock.patch.object(surroundings, "git_state", lambda: None))
        yield


@contextmanager
def alarm() -> Iterator[None]:
    """Raises TimeoutError in what hangs."""

    def end(number: int, frame: Any) -> None:  # noqa: ARG001
        raise TimeoutError

    signal.signal(signal.SIGALRM, end)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def draw(figure: Figure, file: Any, format: str = "") -> None:  # noqa: ARG001
    file.write("<svg/>" if isinstance(file, io.StringIO) else b"PNG")


# --- all of them -------------------------------------------------------------------------------


@dataclass
class Recorded:
    """A case, undisturbed; its folder stays as it is."""

    name: str
    case: Case
    whole: Path
    recording: Recording

    @classmethod
    def of(cls, name: str, case: Case, whole: Path) -> Recorded:
        whole.mkdir()
        with quiet():
            case.before(whole)
            with recording(whole) as recorded:
                case.train(whole)
        return cls(name, case, whole, recorded)

    def states(self) -> tuple[list[State], dict[str, int]]:
        """Those that differ, whatever their kind; and how many each kind has."""
        found: dict[Any, State] = {}
        counts = dict.fromkeys(KINDS, 0)
        for kind in KINDS:
            for state in self.recording.states(kind):
                found.setdefault(state.key, state)
                counts[kind] += 1
        return [*found.values()], counts

    def verdict(self, state: State) -> Verdict:
        with tempfile.TemporaryDirectory() as folder:
            return after(state, self.case, self.whole, Path(folder, "home"))


def verdicts(recorded: Recorded, states: list[State], processes: int) -> Iterator[Verdict]:
    """In their order. Processes are forked: a state is not sent, but numbered."""
    global _work
    _work = recorded, states
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        yield from pool.imap(_numbered, range(len(states)))


_work: tuple[Recorded, list[State]]


def _numbered(i: int) -> Verdict:
    recorded, states = _work
    return recorded.verdict(states[i])


HEAD = ["case", "file operations", *KINDS, "tried", "differing", "left over", "unreadable"]


def table(asked: Sequence[str], every: int = 1, processes: int = 2) -> tuple[list[str], int]:
    """Lines for a person, and how much went wrong."""
    torch.set_num_threads(1)
    lines, failed = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"], 0
    for name in asked or CASES:
        with tempfile.TemporaryDirectory() as folder:
            began = time.monotonic()
            recorded = Recorded.of(name, CASES[name], Path(folder, "whole"))
            states, counts = recorded.states()
            states = states[::every]
            found = [*zip(states, verdicts(recorded, states, processes), strict=True)]
            wrong = [sum(bool(getattr(v, what.name)) for _, v in found) for what in fields(Verdict)]
            failed += sum(wrong)
            columns = [len(recorded.recording.operations), *counts.values(), len(states), *wrong]
            lines.append(f"| {name} | {' | '.join(map(str, columns))} |")
            print(*explained(found), sep="\n")
            print(f"{lines[-1]} {time.monotonic() - began:.0f} s", flush=True)
    return lines, failed


def explained(found: Sequence[tuple[State, Verdict]]) -> Iterator[str]:
    """What went wrong, the same only once, with the first state that it came of."""
    alike: dict[str, list[State]] = {}
    for state, verdict in found:
        if verdict != Verdict():
            said = re.sub(r"\.[0-9a-f]{8}\b", ".TEMPORARY", str(verdict))
            alike.setdefault(said, []).append(state)
    for said, states in alike.items():
        first = states[0]
        yield f"{len(states)} times, first {first.kind} after {first.after}: {said}"


def main(asked: list[str]) -> int:
    every = [int(word.removeprefix("every=")) for word in asked if word.startswith("every=")]
    lines, failed = table([word for word in asked if word in CASES], *every)
    print("", *lines, sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
