"""The story shipped with the package."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from rnnlab._common.choices import choice
from rnnlab.data.source import Source


@choice("sample")
@dataclass(frozen=True, kw_only=True)
class Sample(Source):
    """Slack Water, written for this project."""

    def blocks(self) -> Iterator[bytes]:
        yield resources.files("rnnlab").joinpath("data/sample.txt").read_bytes()
