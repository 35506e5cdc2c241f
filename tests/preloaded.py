"""Processes that begin with everything imported: what a command costs beyond its imports.

`start(arguments)` is `python ARGUMENTS`, forked from a process of this session's own that imported
rnnlab, torch and matplotlib once: it takes a third of the processor's time. Nothing else differs
as long as the environment that imports depend on is the same; where it is not, or where there is
no pidfd, `start` returns None, and a process of the usual kind is wanted.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

OWN = {"XDG_CACHE_HOME", "PYTEST_CURRENT_TEST", "RNNLAB_DATA", "PWD"}  # read when they are used


class Process:
    """As subprocess.Popen, with text of both pipes."""

    def __init__(self, pid: int, out: int, err: int, status: int) -> None:
        self.pid = pid
        self.stdout, self.stderr = (os.fdopen(fd, encoding="utf-8") for fd in (out, err))
        self.status = status  # where its exit status comes from, once there is one
        self.returncode: int | None = None

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self.status, selectors.EVENT_READ)
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired("a preloaded process", timeout or 0)
            self.returncode = int(os.read(self.status, 64))
            os.close(self.status)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[str, str]:
        """What is left in both pipes until it has ended."""
        ends = time.monotonic() + (timeout or 3600)
        said = {self.stdout: b"", self.stderr: b""}
        with selectors.DefaultSelector() as selector:
            for pipe in said:
                selector.register(pipe, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0, ends - time.monotonic()))
                if not ready:
                    raise subprocess.TimeoutExpired("a preloaded process", timeout or 0)
                for key, _ in ready:
                    read = os.read(key.fd, 1 << 16)
                    said[key.fileobj] += read  # pyrefly: ignore
                    if not read:
                        selector.unregister(key.fileobj)
        self.wait(max(0, ends - time.monotonic()))
        for pipe in said:
            pipe.close()
        out, err = (each.decode() for each in said.values())
        return out, err

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)


def start(arguments: list[str], environment: dict[str, str]) -> Process | None:
    """`python ARGUMENTS` here; None if it would not be as in a process of the usual kind."""
    if not hasattr(os, "pidfd_open"):
        return None
    began_with = {name: value for name, value in environment.items() if name not in OWN}
    control = _server(tuple(sorted(began_with.items())))
    if control is None:
        return None
    pipes = [os.pipe() for _ in range(3)]
    given = {"arguments": arguments, "environment": environment, "folder": str(Path.cwd())}
    socket.send_fds(control, [json.dumps(given).encode()], [write for _, write in pipes])
    for _, write in pipes:
        os.close(write)
    return Process(int(control.recv(64)), *(read for read, _ in pipes))


_environments: list[tuple[tuple[str, str], ...]] = []  # of which this session has a server


@cache
def _server(environment: tuple[tuple[str, str], ...]) -> socket.socket | None:
    """The socket of the process to fork from, which the first environment has, and no other."""
    if _environments:
        return None
    _environments.append(environment)
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with its:
        subprocess.Popen(
            [sys.executable, str(Path(__file__)), str(its.fileno())],
            pass_fds=[its.fileno()],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
    return ours


# --- the process from which others are forked ------------------------------------------------


def serve(control: socket.socket) -> list[str]:
    """Fork one for each request until there are no more; in it, return what it is to run."""
    statuses: dict[int, tuple[int, int]] = {}  # pid and pipe, by pidfd
    selector = selectors.DefaultSelector()
    selector.register(control, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            if key.fd in statuses:
                pid, status = statuses.pop(key.fd)
                code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                with contextlib.suppress(BrokenPipeError):
                    os.write(status, str(code).encode())
                selector.unregister(key.fd)
                os.close(key.fd)
                os.close(status)
                continue
            request, pipes, _, _ = socket.recv_fds(control, 1 << 20, 3)
            if not request:
                sys.exit()
            out, err, status = pipes
            if pid := os.fork():
                os.close(out)
                os.close(err)
                watched = os.pidfd_open(pid)
                statuses[watched] = pid, status
                selector.register(watched, selectors.EVENT_READ)
                control.send(str(pid).encode())
                continue
            selector.close()
            for fd in [*statuses, status, *(pipe for _, pipe in statuses.values())]:
                os.close(fd)
            control.close()
            return _becoming(json.loads(request), out, err)


def _becoming(given: dict, out: int, err: int) -> list[str]:
    for fd, usual in ((out, 1), (err, 2)):
        os.dup2(fd, usual)
        os.close(fd)
    os.chdir(given["folder"])
    os.environ.clear()
    os.environ.update(given["environment"])
    return given["arguments"]


def preload() -> None:
    """What commands import, and what they compute once."""
    import torch

    import rnnlab.cli.commands
    import rnnlab.cli.records
    import rnnlab.cli.resume
    import rnnlab.cli.train
    import rnnlab.runs.differences
    import rnnlab.runs.resume
    import rnnlab.studies.executors.local
    import rnnlab.studies.launch
    import rnnlab.studies.preview
    import rnnlab.studies.report.page  # noqa: F401
    from rnnlab.config.compose import compose
    from rnnlab.runs.figures import perplexity_figure

    torch.set_num_threads(1)
    compose([])
    perplexity_figure([(1, 2.0)], [(1, 2.0)], "x").savefig(os.devnull, format="svg")


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    preload()
    gc.freeze()  # a collection would copy every page
    arguments = serve(socket.socket(fileno=int(sys.argv[1])))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.orig_argv = [sys.executable, *arguments]
    if arguments[0] == "-m":
        sys.argv = arguments[1:]
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = arguments
        sys.path[0] = str(Path(arguments[0]).parent)
        runpy.run_path(arguments[0], run_name="__main__")
