"""What differs from system to system: how many cores there are, and how processes begin.

Windows has no signals but Ctrl-C and Ctrl-Break, no sessions and no fork; a process is asked to end
by what it reads (studies/executors/local.py), and made to by Process.kill, everywhere.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import ceil
from pathlib import Path

GROUPS = Path("/proc/self/cgroup")  # the control groups of this process; Linux's alone
LIMITS = Path("/sys/fs/cgroup")
FROM_TERMINALS = ("SIGINT", "SIGHUP", "SIGBREAK")


def cores() -> int:
    """That this process may use: its affinity's, and no more than its container's quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    there = len(affinity(0)) if affinity else os.cpu_count() or 1
    return max(1, min([there, *map(ceil, _quotas())]))


def _quotas() -> Iterator[float]:
    """Seconds of all cores together that its control groups let it have in a second."""
    with suppress(OSError):
        for line in GROUPS.read_text(encoding="utf-8").splitlines():
            _, controllers, group = line.split(":", 2)
            root = LIMITS / "cpu" if "cpu" in controllers.split(",") else LIMITS
            for place in (root / group.strip("/"), *(root / group.strip("/")).parents):
                if place.is_relative_to(root):
                    yield from _quota(place)


def _quota(group: Path) -> Iterator[float]:
    """Of one group, where it has one, in the second and in the first version of such files."""
    for names in (["cpu.max"], ["cpu.cfs_quota_us", "cpu.cfs_period_us"]):
        with suppress(OSError, ValueError):  # "max" is none
            words = [(group / name).read_text(encoding="utf-8") for name in names]
            quota, period = map(int, " ".join(words).split())
            if quota > 0:  # -1 is none
                yield quota / period


def start_method() -> str:
    """forkserver, which imports torch once for all processes; spawn, where that is not safe.

    On macOS torch's libraries do not outlive a fork.
    """
    has_server = "forkserver" in multiprocessing.get_all_start_methods()
    return "forkserver" if has_server and sys.platform != "darwin" else "spawn"


@contextmanager
def starting_apart() -> Iterator[None]:
    """What is started inside does not hear the terminal, and imports nothing from this folder.

    Ctrl-C is for this process to answer, which hears it afterwards. Python's servers are started
    with python -c, which looks in the current folder for every module first.
    """
    safe_path = os.environ.get("PYTHONSAFEPATH")
    os.environ["PYTHONSAFEPATH"] = "1"
    has_masks = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _from_terminals()) if has_masks else ()
    try:
        yield
    finally:
        if has_masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        del os.environ["PYTHONSAFEPATH"]
        if safe_path is not None:
            os.environ["PYTHONSAFEPATH"] = safe_path


@contextmanager
def without_output() -> Iterator[None]:
    """What is started inside holds no terminal and no pipe of this process open."""
    kept = {number: os.dup(number) for number in (1, 2)}
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        for number in kept:
            os.dup2(nowhere, number)
        yield
    finally:
        for number, own in kept.items():
            os.dup2(own, number)
            os.close(own)
        os.close(nowhere)


def is_alive(process: int) -> bool:
    """True too where that cannot be asked: on Windows the question would be Ctrl-C."""
    if sys.platform == "win32" or process <= 0:
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True


def leave_terminal() -> None:
    """In a process that was started apart: only what is sent to itself reaches it from now on."""
    for number in _from_terminals():
        signal.signal(number, signal.SIG_IGN)  # what has come meanwhile too
    if hasattr(os, "setsid"):
        os.setsid()
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _from_terminals())


def _from_terminals() -> list[signal.Signals]:
    return [getattr(signal, name) for name in FROM_TERMINALS if hasattr(signal, name)]
