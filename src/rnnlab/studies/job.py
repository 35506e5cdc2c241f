"""One job of a study: as it was asked for, and as it is planned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnnlab.config.identity import config_id, flat
from rnnlab.config.schema import Config
from rnnlab.runs.result import Result

if TYPE_CHECKING:
    from rnnlab.data.corpus import Corpus


Identity = tuple[str, ...]


def identity(config_id: str, settings: Mapping[str, Any], compared: Sequence[str]) -> Identity:
    """The experiment, and those settings besides it whose values are compared, as its length."""
    return config_id, *(repr(settings.get(name)) for name in compared)


@dataclass(frozen=True)
class Asked:
    """A job whose config and text were found possible."""

    overrides: tuple[str, ...]
    config: Config
    corpus: Corpus

    @cached_property
    def config_id(self) -> str:
        return config_id(self.config, self.corpus.sha256)

    @cached_property
    def settings(self) -> dict[str, Any]:
        return flat(self.config.as_dict())

    def identity(self, compared: Sequence[str]) -> Identity:
        """Jobs that agree in it are the same job."""
        return identity(self.config_id, self.settings, compared)


@dataclass(frozen=True)
class Mistaken:
    """A job that cannot be trained, and why."""

    overrides: tuple[str, ...]
    mistake: str
    stored: tuple[str, ...]  # its overrides as the folder has them that it trained in before

    def identity(self, compared: Sequence[str]) -> Identity:  # noqa: ARG002
        return self.overrides


@dataclass(frozen=True, eq=False)
class Job:
    """A job with its place in a study."""

    number: int
    overrides: tuple[str, ...]
    config: Config
    corpus: Corpus
    folder: Path
    swept: tuple[str, ...] = ()  # names of the settings that the study's jobs differ in
    before: Result | None = None  # what its folder says of it, before the study begins

    @property
    def is_done(self) -> bool:
        return self.before is not None and self.before.is_done(self.config)


@dataclass(frozen=True, eq=False)
class Invalid:
    """A mistaken job with its place in a study."""

    number: int
    overrides: tuple[str, ...]
    folder: Path
    mistake: str
    before: Result | None  # of a time when it could be trained
