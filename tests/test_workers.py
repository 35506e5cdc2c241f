"""A study's worker processes: where they start, what they leave, and how they end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commands import Started, finish, run, start
from rnnlab._common.files import locked
from rnnlab._common.machine import start_method
from rnnlab.runs.result import Result
from rnnlab.studies.executors.server import remove_leftovers

pytestmark = pytest.mark.attack(4, "code in the current folder; killed studies and their workers")

SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "dataset.max_tokens=600"]
SMALL += ["log.sample_length=5"]
TWO = "hydra.launcher.workers=2"  # whatever the machine has
STUDY = ["-m", TWO, *SMALL, "lr=0.3,1", "sweep=S"]
LONG = [*STUDY, "num_epochs=1000000"]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def training(process: Started) -> set[int]:
    """The process ids of the workers, when both jobs have trained an epoch."""

    def begun() -> bool:
        assert process.poll() is None, process.communicate()
        return sum(path.stat().st_size > 0 for path in Path("S").glob("*/metrics.jsonl")) == 2

    wait_for(begun)
    return {Result.read(path.parent).process for path in Path("S").glob("*/result.json")}


def has_gone(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    return False


def statuses() -> list[str]:
    return [Result.read(path.parent).status for path in Path("S").glob("*/result.json")]


# --- the folder that a study is started in ----------------------------------------------------


def test_a_study_imports_nothing_from_the_folder_it_is_started_in():
    """Python puts the current folder before its own modules in programs started with -c."""
    for name in ("random", "json", "signal", "socket", "selectors", "tempfile", "torch"):
        Path(f"{name}.py").write_text("open('RAN', 'w').close()\nraise RuntimeError('run')\n")
    one = ["num_epochs=1", "size=tiny", "dataset.max_tokens=3000", "batch_size=4", "num_steps=8"]
    status, _, err = run("-m", TWO, "lr=1,2", *one, "sweep=S")
    assert (status, err) == (0, "")
    assert not Path("RAN").exists()


# --- the temporary folder ---------------------------------------------------------------------

needs_server = pytest.mark.skipif(start_method() != "forkserver", reason="nothing is left there")


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty TMPDIR with a name that is short enough for sockets."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setenv("TMPDIR", str(folder))
    yield folder
    shutil.rmtree(folder)


def left_by_a_kill(temporary: Path) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="rnnlab-", dir=temporary))
    inside = Path(tempfile.mkdtemp(prefix="pymp-", dir=folder))
    (folder / ".lock").touch()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(inside / "listener-abcdefgh"))
    return folder


@needs_server
def test_what_a_killed_study_left_is_removed_by_the_next(temporary):
    process = start(*LONG)
    workers = training(process)
    process.kill()
    process.communicate()
    wait_for(lambda: all(map(has_gone, workers)))
    assert [path.name[:7] for path in temporary.iterdir()] == ["rnnlab-"]
    assert run("-m", TWO, *SMALL, "lr=0.3,1", "num_epochs=1", "sweep=T")[0] == 0
    assert not [*temporary.iterdir()]


@needs_server
def test_only_the_folders_of_killed_studies_are_removed(temporary):
    """Not a folder in use, nor one that has anything else in it, is called or made otherwise."""
    gone, held, other, open_to_all, elsewhere = (left_by_a_kill(temporary) for _ in range(5))
    (other / "notes.txt").touch()
    open_to_all.chmod(0o755)
    moved = elsewhere.rename(temporary / "study-abcdefgh")
    (temporary / "rnnlab-linkedto").symlink_to(moved)
    for name in ("rnnlab-baseline", "pymp-abcdefgh"):
        (temporary / name).mkdir(mode=0o700)
    (temporary / "rnnlab-baseline" / ".lock").touch()  # of a study that has not begun
    filled = left_by_a_kill(temporary)
    (next(filled.glob("pymp-*")) / "notes.txt").touch()
    before = {*temporary.rglob("*")} - {gone, *gone.rglob("*")}
    with locked(held):
        remove_leftovers(temporary)
    assert {*temporary.rglob("*")} == before


@needs_server
def test_a_temporary_folder_with_a_long_name_is_used_as_it_is(temporary, monkeypatch):
    """A socket's path has about a hundred bytes: one more folder in it would be too much."""
    long = temporary / ("x" * (64 - len(str(temporary))))
    long.mkdir()
    monkeypatch.setenv("TMPDIR", str(long))
    process = start(*LONG)
    training(process)
    assert [path.name[:5] for path in long.iterdir()] == ["pymp-"]
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 130


# --- the end ----------------------------------------------------------------------------------


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_stop_ends_a_study_whose_workers_hang(second):
    study = [*STUDY, "num_epochs=300"]
    process = start(*study)
    workers = training(process)
    for worker in workers:
        os.kill(worker, signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    time.sleep(1)
    assert process.poll() is None  # it waits for them
    process.send_signal(second)
    try:
        process.wait(timeout=10)
    finally:
        for worker in workers:
            if not has_gone(worker):
                os.kill(worker, signal.SIGKILL)
    assert process.returncode == 130
    assert statuses() == ["running"] * 2
    status, _, err = run(*study)
    assert (status, err) == (0, "")
    assert statuses() == ["completed"] * 2


ORPHAN = """
import os, signal
from pathlib import Path
from rnnlab.config.compose import compose
from rnnlab.studies.executors import Task
from rnnlab.studies.executors.local import Local

folder = Path("run").absolute()
task = Task({folder: compose(["size=tiny", "dataset.max_tokens=3000"])})
print(Local().start(task).process.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_worker_whose_study_is_gone_touches_no_folder():
    study = subprocess.run(
        [sys.executable, "-c", ORPHAN], stdout=subprocess.PIPE, text=True, check=False
    )
    assert study.returncode == -signal.SIGKILL
    wait_for(lambda: has_gone(int(study.stdout)))
    assert not Path("run").exists()


def test_a_hangup_of_all_its_processes_saves_every_job():
    """As when a terminal is closed. Workers are replaced by nobody: their server is still there."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)  # these tests may run under nohup
    process = subprocess.Popen(
        [sys.executable, "-m", "rnnlab", "train", *LONG],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    signal.signal(signal.SIGHUP, before)
    training(process)
    os.killpg(process.pid, signal.SIGHUP)
    assert finish(process)[0] == 130
    assert statuses() == ["interrupted"] * 2


def test_a_hangup_that_is_ignored_stays_so():
    """What nohup does; before a run has begun, and then."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    process = start(*STUDY, "num_epochs=300", anew=True)  # a child of this process
    signal.signal(signal.SIGHUP, before)
    while not Path("S").exists():
        assert process.poll() is None, process.communicate()
        process.send_signal(signal.SIGHUP)
        time.sleep(0.05)
    training(process)
    process.send_signal(signal.SIGHUP)
    status, _, err = finish(process)
    assert (status, err) == (0, "")
    assert statuses() == ["completed"] * 2
