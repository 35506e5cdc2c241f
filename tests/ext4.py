"""Cut the power of a run on a real ext4: its image is copied while the run stands still.

tests/ext4.py 10, for so many cuts; needs root, loop devices and mkfs.ext4. Mounting a copy
replays its journal, as after a power cut of a disk that keeps what it was given. What disk.py
takes from POSIX is more pessimistic; here is what one file system does.
"""

from __future__ import annotations

import filecmp
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

from cases import CASES, quickly
from crashes import Start, jobs_of, line, reasons, row_of, visit
from disk import State, Tree, read_tree

CASE = "many epochs"
MEGABYTES = 32


def train(home: Path) -> None:
    with quickly():
        CASES[CASE]().train(home)


def is_possible() -> bool:
    tools = ("mkfs.ext4", "mount", "umount")
    return (
        os.geteuid() == 0 and Path("/dev/loop-control").exists() and all(map(shutil.which, tools))
    )


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[Path]:
    place.mkdir()
    subprocess.run(["mount", "-o", "loop", str(image), str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


def cuts(scratch: Path, moments: int, seed: int = 0) -> Iterator[State]:
    """What is found after a cut at random moments of a run, begun again when it has ended."""
    image, rng = scratch / "disk", random.Random(seed)
    with image.open("wb") as file:
        file.truncate(MEGABYTES << 20)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    with mounted(image, scratch / "mounted") as root:
        home, found = root / "home", 0
        duration = time_of(home)
        while found < moments:
            process = started(home)
            while found < moments:
                process.join(rng.uniform(0, duration / 3))
                if process.exitcode is not None:
                    break
                live = copied(process, image, home, scratch / "copy")
                with mounted(scratch / "copy", scratch / "again") as again:
                    tree = read_tree(again / "home")
                found += 1
                yield State(tree, found, found, "a moment", live)
            process.kill()
            process.join()


def time_of(home: Path) -> float:
    """Seconds that the case takes there, from its folder's first file on."""
    process, began = started(home), time.monotonic()
    process.join()
    assert process.exitcode == 0
    return time.monotonic() - began


def started(home: Path) -> BaseProcess:
    """Once its result.json is there."""
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir()
    subprocess.run(["sync", "-f", str(home)], check=True)
    process = get_context("spawn").Process(target=train, args=(home,), daemon=True)
    process.start()
    while not (home / "run" / "result.json").exists():
        assert process.exitcode is None
        time.sleep(0.001)
    return process


def copied(process: BaseProcess, image: Path, home: Path, copy: Path) -> Tree:
    """Copy the image, which the kernel may go on to write, while the process stands still."""
    assert process.pid
    os.kill(process.pid, signal.SIGSTOP)
    os.waitpid(process.pid, os.WUNTRACED)
    shutil.copyfile(image, copy)
    while not filecmp.cmp(image, copy, shallow=False):
        shutil.copyfile(image, copy)
    live = read_tree(home)
    os.kill(process.pid, signal.SIGCONT)
    return live


def main(moments: int) -> int:
    if not is_possible():
        print("left out: it needs root, loop devices and mkfs.ext4")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder, "whole")
        whole.mkdir()
        train(whole)
        jobs = jobs_of(read_tree(whole))
        pairs = [
            (state, visit(Start(CASE, state.tree, whole, jobs)))
            for state in cuts(Path(folder), moments)
        ]
    row = row_of(CASE, "cut on ext4", 0, pairs)
    print(line(row), *reasons([row]), sep="\n")
    return int(any(wrong for _, wrong in row.wrong))


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if sys.argv[1:] else 10))
