"""What an instrument is: what it measures of a look, and how a reader is told of it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from enum import StrEnum
from typing import ClassVar, TypeVar

from rnnlab._common.choices import register
from rnnlab._common.shapes import Float, Tensor
from rnnlab.instruments.look import Look


class Kind(StrEnum):
    """What comes of one lane for every name, and so how it is logged and drawn."""

    number = "number"  # ()
    curve = "curve"  # (places,), over an axis
    histogram = "histogram"  # (BINS,): shares of the values from -1 to 1
    text = "text"  # (N,), one for each token of the look's text
    units = "units"  # (N, units), the same for some units
    plane = "plane"  # (points, 2): real and imaginary parts


BINS = 40


class Instrument(ABC):
    """A diagnostic. Its name is that of its file."""

    is_light: ClassVar[bool] = False  # cheap enough to be always on
    kind: ClassVar[Kind]
    title: ClassVar[str]
    caption: ClassVar[str]  # one sentence: how to read the picture
    x: ClassVar[str] = ""  # the axes' names
    y: ClassVar[str] = ""
    is_logarithmic: ClassVar[bool] = False  # in y, or in colour

    @property
    def name(self) -> str:
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def measure(self, look: Look) -> dict[str, Float[Tensor, "K ..."]]:
        """Of each lane what the kind says, by names."""


T = TypeVar("T", bound=type[Instrument])


def known(cls: T) -> T:
    """The decorator of an instrument's class."""
    own = cls()
    register("instrument", own.name, own)
    return cls
