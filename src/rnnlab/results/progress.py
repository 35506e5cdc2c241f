"""What is seen while another process trains: its own lines, or in a notebook a bar."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rnnlab.runs.folder import RESULT, last_metrics
from rnnlab.runs.result import Result

PAUSE = 0.5  # seconds between two looks


@contextmanager
def shown_while(folder: Path) -> Iterator[int | None]:
    """Gives what the process' stdout is; in a notebook that is nothing, and a bar is drawn here."""
    if not _in_notebook():
        yield None if _has_descriptor() else subprocess.DEVNULL
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
    ended = threading.Event()
    with Progress(*columns) as progress:
        task = progress.add_task("beginning", total=1.0)

        def look() -> None:
            while not ended.wait(PAUSE):
                share, words = _state(folder)
                progress.update(task, completed=share, description=words)

        looking = threading.Thread(target=look)
        looking.start()
        try:
            yield subprocess.DEVNULL
        finally:
            ended.set()
            looking.join()
            share, words = _state(folder)
            progress.update(task, completed=share, description=words)


def _state(folder: Path) -> tuple[float, str]:
    """The share of all epochs that is trained, and in words how far it is."""
    results = {path.parent: Result.find(path.parent) for path in folder.rglob(RESULT)}
    known = {run: result for run, result in results.items() if result and result.config}
    if not known:
        return 0.0, "beginning"
    shares, perplexities = [], []
    for run, result in known.items():
        last = last_metrics(run) or {"epoch": 0, "perplexity": None}
        is_over = result.has_ended
        shares.append(1.0 if is_over else last["epoch"] / result.config["num_epochs"])
        perplexities.append(last["perplexity"])
    best = min((value for value in perplexities if value is not None), default=None)
    figure = "" if best is None else f", perplexity {best:.4g}"
    ended = sum(result.has_ended for result in known.values())
    jobs = f"{ended} of {len(known)} jobs" if len(known) > 1 else f"{shares[0]:.0%}"
    return sum(shares) / len(shares), f"{jobs}{figure}"


def _in_notebook() -> bool:
    """Where there is no terminal, but a kernel whose output is shown as HTML."""
    shell = sys.modules.get("IPython")
    return bool(shell) and type(shell.get_ipython()).__name__ == "ZMQInteractiveShell"


def _has_descriptor() -> bool:
    """stdout is something that another process can write to."""
    try:
        return sys.stdout.fileno() >= 0
    except (AttributeError, OSError, ValueError):
        return False
