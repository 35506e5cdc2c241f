"""Files that are something else."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

from forgings.forger import Forger, forging

WRITTEN = ["result.json", "metrics.jsonl", "samples.txt", "run.log", "perplexity.svg", ".lock"]
WRITTEN += ["checkpoints", "checkpoints/last.safetensors", "checkpoints/next.safetensors"]
WRITTEN += ["checkpoints/best.safetensors", ".hydra", ".hydra/overrides.yaml", ".hydra/config.yaml"]
REPORTED = ["report.html", "report.md", "results.csv", "commands.jsonl", "multirun.yaml", ".lock"]


@forging
def kind(by: Forger) -> str:
    """A file or folder becomes something else, or there is something where one will be written."""
    named = [by.run / name for name in WRITTEN] + [by.sent / name for name in REPORTED]
    there = [path for path in by.sent.rglob("*") if path.parent.is_dir()]
    named += [path for path in there if path.name.startswith("events")] * 3
    path = by.rng.choice(sorted(there) if by.rng.random() < 0.2 and there else named)
    if by.sent / "commands.jsonl" in named and by.rng.random() < 0.05:
        path = by.sent / by.rng.choice(["3_seed=3", "0", "optimization_results.yaml"])
    way = by.rng.choice(list(KINDS))
    becomes(by, path, way)
    by.touched.append(path)
    return f"{path.relative_to(by.sent)} becomes {way}"


def becomes(by: Forger, path: Path, way: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = path.exists() and not path.is_symlink()
    if way == "mode 000":
        if kept:
            path.chmod(0)
        return
    if way == "a link to what it was, elsewhere" and kept:
        moved = by.canary / "moved" / path.name
        moved.parent.mkdir(exist_ok=True)
        shutil.move(path, moved)
        path.symlink_to(moved)
        return
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    KINDS[way](by, path)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def _full_folder(path: Path) -> None:
    path.mkdir()
    (path / "file").write_text("full")


KINDS: dict[str, Callable[[Forger, Path], Any]] = {
    "a link to a canary": lambda by, path: path.symlink_to(by.canary / "note.txt"),
    "a relative link": lambda by, path: path.symlink_to(
        os.path.relpath(by.canary / "note.txt", path.parent)
    ),
    "a link to a folder": lambda by, path: path.symlink_to(by.canary),
    "a link to nothing yet": lambda by, path: path.symlink_to(by.canary / "new"),
    "a link to what it was, elsewhere": lambda by, path: path.symlink_to(by.canary / "note.txt"),
    "a link to /dev/zero": lambda by, path: path.symlink_to("/dev/zero"),
    "a link to /dev/tty": lambda by, path: path.symlink_to("/dev/tty"),
    "a link to itself": lambda by, path: path.symlink_to(path.name),
    "a link to its folder": lambda by, path: path.symlink_to("."),
    "a link to all": lambda by, path: path.symlink_to("/"),
    "a FIFO": lambda by, path: os.mkfifo(path),
    "a socket": lambda by, path: os.mknod(path, stat.S_IFSOCK | 0o600),
    "a folder": lambda by, path: path.mkdir(),
    "a full folder": lambda by, path: _full_folder(path),
    "an empty file": lambda by, path: path.write_bytes(b""),
    "sparse": lambda by, path: _sparse(path),
    "a hard link": lambda by, path: os.link(by.canary / "note.txt", path),
    "mode 000": lambda by, path: path.chmod(0),
}
