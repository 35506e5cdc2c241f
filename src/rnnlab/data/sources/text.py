"""Your own text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rnnlab._common.choices import choice, knob
from rnnlab._common.errors import ConfigError, require, said
from rnnlab.data.source import Source, absolute, blocks_of, path_of


@choice("text")
@dataclass(frozen=True, kw_only=True)
class Text(Source):
    """A UTF-8 file, or a folder of .txt files in the order of their names."""

    path: str = knob("a file in UTF-8, or a folder: its .txt files by name, none of its subfolders")

    def blocks(self) -> Iterator[bytes]:
        """A file, or a folder's files with a line end between them."""
        path = path_of("dataset.path", self.path)
        require(path.exists(), f"dataset.path={path}", "there is no such file or folder")
        files, others = _of_folder(path) if path.is_dir() else ([path], [])
        has = f", but {_in_words(others)}" if others else ""
        require(bool(files), f"dataset.path={path}", f"the folder has no .txt file in it{has}")
        for file in files:
            if file != files[0]:
                yield b"\n"
            yield from blocks_of(file)

    def left_out(self) -> str:
        path = path_of("dataset.path", self.path)
        others = _of_folder(path)[1] if path.is_dir() else []
        return f"of dataset.path={path} is left out: {_in_words(others)}" if others else ""

    def placed(self, home: Path) -> Text:
        return replace(self, path=absolute(self.path, home))

    @property
    def place(self) -> str:
        return self.path


def _of_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    """Its texts by name, and what else is in it; raises ConfigError where it cannot be read."""
    try:
        found = sorted(folder.iterdir())
    except OSError as error:
        raise ConfigError(f"{folder} cannot be read: {said(error)}.") from error
    is_text = {path: _is_named_text(path) and not path.is_dir() for path in found}
    texts, others = ([p for p in found if is_text[p] == wanted] for wanted in (True, False))
    return texts, others


def _is_named_text(path: Path) -> bool:
    """._a.txt is what macOS keeps beside a.txt on other systems' disks."""
    return path.name.lower().endswith(".txt") and not path.name.startswith("._")


def _in_words(paths: list[Path]) -> str:
    """2 .md files, 1 .pdf file, 1 subfolder."""
    kinds = Counter(
        "subfolder" if path.is_dir() else f"{path.suffix or path.name} file" for path in paths
    )
    return ", ".join(f"{n} {kind}{'s' if n > 1 else ''}" for kind, n in sorted(kinds.items()))
