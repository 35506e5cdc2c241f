"""What a tracker is, and the list of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from rnnlab.config.schema import Config
from rnnlab.runs.result import Result
from rnnlab.training.metrics import Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from rnnlab.instruments.panel import Values


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """What a tracker may know of its run before the first figures come."""

    folder: Path
    config: Config
    dataset_sha256: str  # of its text
    swept: list[str]  # the settings that its study's jobs differ in
    description: str
    begun: tuple[int, int] | None  # epochs and minibatches after which it goes on
    is_alone: bool  # no other run trains with it
    floor: float | None = None  # perplexity that no model stays below, where the text's is known
    source_nats: float | None = None  # a token, what whoever knows the source pays for this text


@dataclass(frozen=True, kw_only=True)
class UnderWay:
    """How far an epoch has come."""

    figures: Epoch  # of its minibatches so far
    num_minibatches: int  # that it has; figures["updates"] of them are done
    step: int  # minibatches since the run began


class Tracker(ABC):
    """Receives a run's figures as they come."""

    logs: ClassVar[tuple[str, ...]] = ()  # patterns of its logs' names in the run's folder

    @classmethod
    @abstractmethod
    def of(cls, run: Tracked) -> Tracker | None:
        """The run's own; None where this tracker is not for such a run."""

    @abstractmethod
    def epoch(self, figures: Epoch, val_perplexity: float | None) -> None:
        """An epoch has ended."""

    def minibatch(self, under_way: UnderWay, logged: bool) -> None:  # noqa: B027
        """Within an epoch: `logged` every log.every_minibatches, else now and then, to be shown."""

    def look(self, epoch: int, values: Values) -> None:  # noqa: B027
        """What the instruments have read after `epoch` epochs."""

    @abstractmethod
    def sample(self, epoch: int, prefix: str, text: str, last: bool) -> None:
        """A text was generated after `epoch` epochs; `last`: none will follow."""

    @abstractmethod
    def figure(self, figure: Figure) -> None:
        """Training is over; this is its perplexity curve. A study's runs have none."""

    def picture(self, epoch: int, name: str, figure: Figure) -> None:  # noqa: B027
        """Training is over; this is what the instrument of that name saw."""

    @abstractmethod
    def close(self, result: Result) -> None:
        """The run has ended, in whatever way."""

    def lengths(self) -> dict[str, int]:
        """Name and length in bytes of every log, all of it on the disk."""
        return {}


TRACKERS: list[type[Tracker]] = []
T = TypeVar("T", bound=type[Tracker])


def register(tracker: T) -> T:
    """The decorator of a tracker's class: every run has one of these."""
    TRACKERS.append(tracker)
    return tracker


def trackers_of(run: Tracked) -> list[Tracker]:
    return [tracker for kind in TRACKERS if (tracker := kind.of(run))]


def log_names() -> list[str]:
    """The patterns of all trackers' logs: what a run that is continued may cut back."""
    return [name for tracker in TRACKERS for name in tracker.logs]
