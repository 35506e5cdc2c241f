"""A text that is found among the user's folders, or downloaded.

Checked by SHA-256, placed atomically.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from rnnlab._common.choices import choice, knob
from rnnlab._common.errors import ConfigError, require
from rnnlab._common.files import make_folder, write_whole
from rnnlab.data.source import (
    Source,
    absolute,
    blocks_of,
    cache_folder,
    path_of,
    sha256_of,
)

LONGEST_NAME = 200  # bytes: systems have 255, and a file that is being written has a longer name


@choice("download")
@dataclass(frozen=True, kw_only=True)
class Download(Source):
    """A file looked for in root, $RNNLAB_DATA and the user's cache, else downloaded."""

    file: str = knob("its name")
    sha256: str = knob("of its bytes")
    urls: tuple[str, ...] = knob("where it is downloaded from, tried in this order")
    root: str | None = knob("the folder that is looked in first")

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "urls", tuple(self.urls))
        plain = not set("/\\\0") & set(self.file) and self.file not in ("", ".", "..")
        rule = f"it is the name of a file, without folders, of at most {LONGEST_NAME} bytes"
        short = len(self.file.encode()) <= LONGEST_NAME
        require(plain and short, f"dataset.file={self.file}", rule)

    def blocks(self) -> Iterator[bytes]:
        if path := find(self):
            return blocks_of(path)
        raise ConfigError(
            f"dataset={self.name}: {self.file} is not in {_in_words(self)}, and is downloaded for "
            "a command that you type only; put the file there, or name its folder with "
            "RNNLAB_DATA=FOLDER."
        )

    def placed(self, home: Path) -> Download:
        return replace(self, root=absolute(self.root, home) if self.root else self.root)

    def fetch(self) -> None:
        """Download it into the first of its folders that is set."""
        if not _place(self):
            _download(self)


def find(dataset: Download) -> Path | None:
    """The path of dataset.file in dataset.root, $RNNLAB_DATA or the user's cache.

    Raises ConfigError where its SHA-256 is not the known one.
    """
    if path := _place(dataset):
        digest = sha256_of(path)
        require(
            digest == dataset.sha256,
            f"{path} as dataset={dataset.name}",
            f"its SHA-256 is {digest}, not {dataset.sha256}; remove it, or train on it with "
            f"dataset=text {shlex.quote(f'dataset.path={path}')}",
        )
    return path


def _place(dataset: Download) -> Path | None:
    """Of the first file of that name, whatever is in it."""
    paths = (folder / dataset.file for folder in _folders(dataset))
    return next((path for path in paths if path.is_file()), None)


def _download(dataset: Download) -> None:
    from rnnlab.data.fetch import FetchError, fetch

    folder, failures = _folders(dataset)[0], []
    for url in dataset.urls:
        try:
            content = fetch(url, dataset.sha256, dataset.file)
            make_folder(folder)
            write_whole(folder, dataset.file, content)
            return
        except (FetchError, OSError) as error:
            failures.append(str(error))
    raise ConfigError(
        f"dataset={dataset.name}: {dataset.file} is not in "
        f"{_in_words(dataset)}, and could not be downloaded from {', '.join(failures)}; "
        "put the file there, name its folder with dataset.root=FOLDER or RNNLAB_DATA=FOLDER, "
        "or train on the shipped text with dataset=sample."
    )


def _folders(dataset: Download) -> list[Path]:
    """Those that are named, and the cache; without a home folder there may be no cache."""
    environment = os.environ.get
    named = {"dataset.root": dataset.root, "RNNLAB_DATA": environment("RNNLAB_DATA")}
    folders = [path_of(name, text) for name, text in named.items() if text]
    try:
        return [*folders, cache_folder()]
    except ConfigError:
        if not folders:
            raise
        return folders


def _in_words(dataset: Download) -> str:
    return ", ".join(map(str, _folders(dataset)))
