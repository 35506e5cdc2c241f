"""What a picture is made of: an instrument's last values, and those before them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rnnlab.instruments.instrument import Instrument

Look = Mapping[str, Any]  # a line of instruments.jsonl: epoch, and values by instrument and name


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

    @classmethod
    def of(
        cls,
        instruments: Iterable[Instrument],
        last: Look,
        looks: Iterable[Look],
        subject: str,
        tokens: Sequence[str],
    ) -> list[Seen]:
        """Of each instrument that has seen something."""
        by_epoch = {look["epoch"]: look for look in looks}
        return [
            cls(
                instrument=each,
                values=last[each.name],
                subject=subject,
                looks={
                    epoch: own[each.name] for epoch, own in by_epoch.items() if each.name in own
                },
                tokens=tokens,
            )
            for each in instruments
            if last.get(each.name)
        ]

    def misfit(self) -> str:
        """Which look has another shape than the last values, as none of the same run can have."""
        for epoch, own in self.looks.items():
            for name in own.keys() & self.values.keys():
                if _shape(own[name]) != _shape(self.values[name]):
                    return f"{self.instrument.name} of {name} after epoch {epoch}"
        return ""

    def over_training(self, name: str) -> Iterator[tuple[int, Any]]:
        """(epoch, value) of every look that has it."""
        return ((epoch, own[name]) for epoch, own in self.looks.items() if name in own)


def _shape(value: Any) -> Any:
    """Nested as the lists are: None of a number, (None, None) of a list of two."""
    return tuple(map(_shape, value)) if isinstance(value, list) else None
