"""rnnlab.train and rnnlab.study: the command line from Python, with its checks, folders and files.

A process of its own trains, so that a notebook's memory and its Ctrl-C stay what they are: an
interrupt is passed on, and returns when all is saved.
"""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rnnlab._common.errors import ConfigError, require
from rnnlab._common.program import TRAINS, python_path
from rnnlab.config.folder_names import now_and_id, run_folder
from rnnlab.config.words import as_override, as_word, is_override, key_of
from rnnlab.data.source import cache_folder
from rnnlab.results.load import load
from rnnlab.results.progress import shown_while
from rnnlab.results.run import Run
from rnnlab.results.study import Study

COMPLETED, FAILED, INTERRUPTED = 0, 1, 130  # exit statuses
IMPORTS = """import torch
from torch import exp, maximum, relu, sigmoid, tanh
from torch.nn.functional import logsigmoid
"""
Step = Callable[..., Any]


def train(words: Iterable[str], cell: Step | None, values: dict[str, Any]) -> Run:
    given = [*_words(words, cell), *(as_override(name, each) for name, each in values.items())]
    folder = Path(_given(given, "hydra.run.dir") or f"outputs/runs/{run_folder(given)}")
    _run([*_without(given, "hydra.run.dir"), f"hydra.run.dir={as_word(str(folder))}"], folder)
    return load(folder)[0]


def study(
    words: Iterable[str], cell: Step | None, values: dict[str, Any], command: str = ""
) -> Study:
    """`command` is the one that trains it, where it is no plain study: it goes on with it too."""
    given = [*_words(words, cell), *(_swept(name, each) for name, each in values.items())]
    folder = Path(_given(given, "sweep") or f"outputs/sweeps/{now_and_id()}")
    _run(["-m", *_without(given, "sweep"), f"sweep={folder}"], folder, command)
    return load(folder)


def _run(words: list[str], folder: Path, command: str = "") -> None:
    """Raises ConfigError for a mistake, KeyboardInterrupt after one that has been saved."""
    with (
        shown_while(folder) as out,
        _started(words, out, command) as process,
        _interrupts_to(process),
    ):
        said = _told(process)
    if process.returncode == INTERRUPTED:
        raise KeyboardInterrupt
    if process.returncode not in (COMPLETED, FAILED) or not folder.exists():
        raise ConfigError(said.strip() or f"training ended with exit status {process.returncode}.")
    if said:
        print(said, end="", file=sys.stderr)


def _started(words: list[str], out: int | None, command: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "rnnlab", "train", *words],
        stdout=out,
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": python_path(), TRAINS: command},
        text=True,
        errors="replace",
        start_new_session=True,  # an interrupt reaches it once, from here
    )


def _told(process: subprocess.Popen[str]) -> str:
    """What it has complained of, once it has ended."""
    lines: list[str] = []
    assert process.stderr
    reader = threading.Thread(target=lines.extend, args=[process.stderr])
    reader.start()
    process.wait()
    reader.join()
    return "".join(lines)


@contextmanager
def _interrupts_to(process: subprocess.Popen[str]) -> Iterator[None]:
    """Ctrl-C, which the process does not get by itself: it saves, and then it ends."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def pass_on(*_: object) -> None:
        process.send_signal(signal.SIGINT)

    before = signal.signal(signal.SIGINT, pass_on)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _words(words: Iterable[str], cell: Step | None) -> list[str]:
    given = [*words]
    for word in given:
        require(is_override(word), word, "type NAME=VALUE, as on the command line")
    return [*given, f"model={as_word(str(_file_of(cell)))}"] if cell else given


def _swept(name: str, value: Any) -> str:
    """Of several values one word, a value each."""
    if isinstance(value, list | tuple | range):
        require(len(value) > 0, f"{name}={value!r}", "a study takes at least one value of it")
        return f"{name}={','.join(map(as_word, value))}"
    return as_override(name, value)


def _file_of(step: Step) -> Path:
    """A function's code as a file, which runs as model=FILE does; raises ConfigError."""
    try:
        code = textwrap.dedent(inspect.getsource(step))
    except (OSError, TypeError):
        rule = "its code is not to be found; give it as a file, model=./mycell.py"
        raise ConfigError(f"cell={step!r} is not allowed: {rule}.") from None
    named = code.replace(f"def {step.__name__}(", "def step(", 1)
    folder = Path(tempfile.mkdtemp(dir=_made(cache_folder() / "typed")))
    file = folder / f"{step.__name__.strip('_<>') or 'step'}.py"
    file.write_text(f"{IMPORTS}\n\n{named}", encoding="utf-8")
    return file


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _given(words: Iterable[str], name: str) -> str:
    return next((word.partition("=")[2] for word in words if key_of(word) == name), "")


def _without(words: Iterable[str], name: str) -> list[str]:
    return [word for word in words if key_of(word) != name]
