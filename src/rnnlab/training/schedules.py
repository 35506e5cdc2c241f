"""How the learning rate changes from epoch to epoch.

A schedule gives the factor of an epoch, by which lr is multiplied before its first minibatch: a
function of the epoch's number alone, so there is nothing to save. Each equals its namesake in
torch.optim.lr_scheduler that is asked once an epoch; with a warm-up of W epochs that is
SequentialLR, where LinearLR with start_factor = 1 / (W + 1) goes before it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

from rnnlab._common.choices import Choice, choice, knob
from rnnlab._common.errors import require


@choice("constant")
@dataclass(frozen=True, kw_only=True)
class Schedule(Choice):
    """lr in every epoch, but for the warm-up; others define `course`, how it goes on from there.

    It is what a config of an older version has, so its knobs have defaults here.
    """

    group = "schedule"
    name: str = "constant"
    warmup: int = knob("epochs in which lr rises to its full value", default=0, at_least=0)

    @property
    def is_constant(self) -> bool:
        """lr is the same in all epochs."""
        return self.name == "constant" and not self.warmup

    def after(self, epoch: int) -> float:
        """What lr is multiplied with after so many epochs: (t + 1) / (W + 1) while t < W."""
        if epoch < self.warmup:
            return (epoch + 1) / (self.warmup + 1)
        return self.course(epoch - self.warmup)

    def course(self, epoch: int) -> float:  # noqa: ARG002
        """The factor so many epochs after the warm-up."""
        return 1.0

    def pinned(self, num_epochs: int) -> Self:  # noqa: ARG002
        """Of a run that begins with so many epochs, however many they become."""
        return self

    @property
    def title(self) -> str:
        """What to call it in a sentence; nothing where lr is the same in all epochs."""
        warmup = f"after {self.warmup} epochs of warm-up" if self.warmup else ""
        return "" if self.is_constant else " ".join(filter(None, [self._course_title(), warmup]))

    def _course_title(self) -> str:
        return self.name


@dataclass(frozen=True, kw_only=True)
class Falling(Schedule, ABC):
    """From lr to a share of it, where it stays."""

    end: float = knob("share of lr that it comes to", at_least=0)
    epochs: int | None = knob(
        "epochs until it is there, warm-up included; null: num_epochs, noted when the run begins",
        at_least=1,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs is not None:
            self._require_room(self.epochs, "schedule.epochs")

    def pinned(self, num_epochs: int) -> Self:
        if self.epochs is not None:
            return self
        self._require_room(num_epochs, "num_epochs")
        return replace(self, epochs=num_epochs)

    def _require_room(self, epochs: int, name: str) -> None:
        require(
            self.warmup < epochs,
            f"schedule.warmup={self.warmup} with {name}={epochs}",
            f"schedule={self.name} begins to fall after its warm-up; type a smaller one",
        )

    def course(self, epoch: int) -> float:
        assert self.epochs is not None, "a run's schedule is pinned"
        part = min(1.0, epoch / (self.epochs - self.warmup))
        return self.end + (1 - self.end) * self.left(part)

    @abstractmethod
    def left(self, part: float) -> float:
        """Of the way from lr to its end, after this part of the epochs: 1 at 0, and 0 at 1."""

    def _course_title(self) -> str:
        return f"{self.name} to {self.end:g} lr in {self.epochs or 'all'} epochs"


@choice("linear")
@dataclass(frozen=True, kw_only=True)
class Linear(Falling):
    """(1 - t / N) lr + t / N end lr after t of N epochs: LinearLR."""

    name: str = "linear"

    def left(self, part: float) -> float:
        return 1 - part


@choice("cosine")
@dataclass(frozen=True, kw_only=True)
class Cosine(Falling):
    """end lr + (1 - end) lr (1 + cos(pi t / N)) / 2 after t of N epochs: CosineAnnealingLR.

    Loshchilov and Hutter 2017, without restarts.
    """

    name: str = "cosine"

    def left(self, part: float) -> float:
        return (1 + math.cos(math.pi * part)) / 2


@choice("step")
@dataclass(frozen=True, kw_only=True)
class Step(Schedule):
    """factor^floor(t / every) lr after t epochs: StepLR."""

    name: str = "step"
    every: int = knob("epochs from one step to the next", at_least=1)
    factor: float = knob("what lr is multiplied with at each step", at_least=0)

    def course(self, epoch: int) -> float:
        return self.factor ** (epoch // self.every)

    def _course_title(self) -> str:
        return f"step by {self.factor:g} every {self.every} epochs"
