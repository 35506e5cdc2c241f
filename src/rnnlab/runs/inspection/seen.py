"""What a picture is made of: an instrument's last values, and those before them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rnnlab.instruments.instrument import Instrument


@dataclass(frozen=True)
class Seen:
    """Values are by names: a number, or nested lists of such, None for what is not finite."""

    instrument: Instrument
    values: Mapping[str, Any]
    subject: str  # which model, after how much training
    looks: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)  # over training, by epoch
    tokens: Sequence[str] = ()  # of the text, for what is of tokens

    @property
    def is_over_training(self) -> bool:
        return len(self.looks) > 1

    def over_training(self, name: str) -> Iterator[tuple[int, Any]]:
        """(epoch, value) of every look that has it."""
        return ((epoch, own[name]) for epoch, own in self.looks.items() if name in own)
