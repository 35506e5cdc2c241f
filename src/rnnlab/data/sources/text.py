"""Your own text."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rnnlab._common.choices import choice, knob
from rnnlab._common.errors import require
from rnnlab.data.source import Source, read_file


@choice("text")
@dataclass(frozen=True, kw_only=True)
class Text(Source):
    """A UTF-8 file, or a folder of .txt files in the order of their names."""

    path: str = knob("the file or folder")

    def read(self) -> bytes:
        """A file, or a folder's files with a line end between them."""
        path = Path(self.path).expanduser()
        require(path.exists(), f"dataset.path={path}", "there is no such file or folder")
        files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
        require(bool(files), f"dataset.path={path}", "the folder has no .txt file in it")
        return b"\n".join(read_file(file) for file in files)

    @property
    def place(self) -> str:
        return self.path
