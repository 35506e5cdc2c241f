"""Your own text."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rnnlab._common.choices import choice, knob
from rnnlab._common.errors import require
from rnnlab.data.source import Source, absolute, path_of, read_file, require_size


@choice("text")
@dataclass(frozen=True, kw_only=True)
class Text(Source):
    """A UTF-8 file, or a folder of .txt files in the order of their names."""

    path: str = knob("the file or folder")

    def read(self) -> bytes:
        """A file, or a folder's files with a line end between them."""
        path = path_of("dataset.path", self.path)
        require(path.exists(), f"dataset.path={path}", "there is no such file or folder")
        files = sorted(path.glob("*.txt")) if path.is_dir() else [path]
        require(bool(files), f"dataset.path={path}", "the folder has no .txt file in it")
        texts, size = [], 0
        for file in files:
            texts.append(read_file(file))
            require_size(path, size := size + len(texts[-1]))
        return b"\n".join(texts)

    def placed(self, home: Path) -> Text:
        return replace(self, path=absolute(self.path, home))

    @property
    def place(self) -> str:
        return self.path
