"""How much of each gate is at its limits, where no gradient passes."""

from __future__ import annotations

from torch import Tensor

from rnnlab.instruments.instrument import Instrument, Kind, known
from rnnlab.instruments.look import Look


@known
class Saturation(Instrument):
    """The share of |tanh| > 0.99, of sigmoids below 0.01 or above 0.99, of relu at 0."""

    is_light = True
    kind = Kind.number
    title = "Share of saturated units"
    caption = (
        "A unit at the limit of its tanh or sigmoid, or a relu at 0, passes hardly any gradient: "
        "1 means that all units of this gate are there at all times."
    )
    y = "share"

    def measure(self, look: Look) -> dict[str, Tensor]:
        return {
            name: gate.saturated.to(gate.values.dtype).mean((1, 2))
            for name, gate in look.gates.items()
        }
