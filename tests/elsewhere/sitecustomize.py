"""Python, with this folder on its PYTHONPATH, as it is elsewhere: ELSEWHERE="python3.14 windows".

    python3.14   argparse reads a help text when it is given, not when it is shown
    spawn        no affinity, sessions and forkserver: the names are taken away
    windows      and no signals but Ctrl-C, as far as Python's names go
    cores=16     so many cores, whatever there are

Only what is in Python is taken away: files and locks are this system's.
"""

import argparse
import multiprocessing.reduction
import os
import signal
from typing import Any

UNIX = ("getuid", "sysconf", "getpgid", "killpg", "getpgrp")
SIGNALS = ("SIGKILL", "SIGHUP", "SIGQUIT", "SIGUSR1", "SIGSTOP", "pthread_sigmask")


def python_3_14() -> None:
    parsers: Any = argparse.ArgumentParser
    add_argument = parsers.add_argument

    def check_help(parser: Any, action: argparse.Action) -> None:
        try:
            if action.help and "%" in action.help:
                parser._get_formatter()._expand_help(action)
        except (ValueError, TypeError, KeyError) as error:
            raise ValueError("badly formed help string") from error

    def add_and_check(parser: Any, *names: str, **options: Any) -> argparse.Action:
        action = add_argument(parser, *names, **options)
        parser._check_help(action)
        return action

    if not hasattr(parsers, "_check_help"):
        parsers._check_help, parsers.add_argument = check_help, add_and_check


def without(module: Any, *names: str) -> None:
    for name in names:
        if hasattr(module, name):
            delattr(module, name)


def spawn() -> None:
    without(os, "sched_getaffinity", "setsid")
    multiprocessing.reduction.HAVE_SEND_HANDLE = False  # get_all_start_methods asks for it


def windows() -> None:
    spawn()
    without(os, *UNIX)
    without(signal, *SIGNALS)


for word in os.environ.get("ELSEWHERE", "").split():
    match word.partition("="):
        case "python3.14", _, _:
            python_3_14()
        case "spawn", _, _:
            spawn()
        case "windows", _, _:
            windows()
        case "cores", _, number:
            os.sched_getaffinity = lambda process, number=int(number): {*range(number)}
            os.cpu_count = lambda number=int(number): number
        case _:
            raise SystemExit(f"ELSEWHERE={word}?")
