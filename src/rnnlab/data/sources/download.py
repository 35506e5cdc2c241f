"""A text that is found among the user's folders, or downloaded.

Checked by SHA-256, placed atomically.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rnnlab._common.choices import choice, knob
from rnnlab._common.errors import ConfigError, require
from rnnlab._common.files import write_atomically
from rnnlab.data.source import Source, read_file

TIMEOUT_SECONDS = 20
MAX_BYTES = 256 << 20  # no text here is near this size: a server that sends more is wrong


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
        plain = "/" not in self.file and "\\" not in self.file and self.file not in ("", ".", "..")
        require(plain, f"dataset.file={self.file}", "it is the name of a file, without folders")

    def read(self) -> bytes:
        return read_file(find_or_fetch(self))


def find_or_fetch(dataset: Download) -> Path:
    """The path of dataset.file, downloaded if no folder has it.

    Looked for in dataset.root, $RNNLAB_DATA and the user's cache; downloaded into the first of
    them that is set. Raises ConfigError when it cannot be had, or its SHA-256 is not the known one.
    """
    folders = _folders(dataset)
    for folder in folders:
        path = folder / dataset.file
        if path.is_file():
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            require(
                digest == dataset.sha256,
                f"{path} as dataset={dataset.name}",
                f"its SHA-256 is {digest}, not {dataset.sha256}; remove it, or train on it with "
                f"dataset=text dataset.path={path}",
            )
            return path
    failures = []
    for url in dataset.urls:
        try:
            return _fetch(url, folders[0] / dataset.file, dataset)
        except (OSError, ValueError, http.client.HTTPException) as error:
            failures.append(f"{url} ({getattr(error, 'reason', None) or error})")
    raise ConfigError(
        f"dataset={dataset.name}: {dataset.file} is not in "
        f"{', '.join(map(str, folders))}, and could not be downloaded from {', '.join(failures)}; "
        "put the file there, name its folder with dataset.root=FOLDER, "
        "or train on the shipped text with dataset=sample."
    )


def _folders(dataset: Download) -> list[Path]:
    cache = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "rnnlab"
    named = [dataset.root, os.environ.get("RNNLAB_DATA"), cache]
    return [Path(folder).expanduser() for folder in named if folder]


class SameScheme(urllib.request.HTTPRedirectHandler):
    """A server may send us elsewhere, but neither from https to http nor to a file."""

    def redirect_request(
        self, req: urllib.request.Request, fp: Any, code: int, msg: str, headers: Any, newurl: str
    ) -> urllib.request.Request | None:
        if urllib.parse.urlsplit(newurl).scheme != req.type:
            raise ValueError(f"it redirects to {newurl}")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _fetch(url: str, path: Path, dataset: Download) -> Path:
    from rich.progress import wrap_file

    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ValueError("only http and https are fetched")
    opener = urllib.request.build_opener(SameScheme)
    with opener.open(url, timeout=TIMEOUT_SECONDS) as response:
        total = int(response.headers.get("Content-Length") or 0)
        with wrap_file(response, total=total, description=f"downloading {dataset.file}") as body:
            content = body.read(MAX_BYTES + 1)
    digest = hashlib.sha256(content).hexdigest()
    if digest != dataset.sha256:
        raise ValueError(f"what it sends has SHA-256 {digest}, not {dataset.sha256}")
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content)
    return path
