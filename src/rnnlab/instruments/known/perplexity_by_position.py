"""What the model gains from what it has read so far."""

from __future__ import annotations

from torch import Tensor

from rnnlab.instruments.instrument import Instrument, Kind, known
from rnnlab.instruments.look import Look


@known
class PerplexityByPosition(Instrument):
    """exp of the mean nats at each position of the windows, whose states begin at zero."""

    is_light = True
    kind = Kind.curve
    title = "Perplexity by position in the window"
    caption = (
        "The state begins at zero: as far as the curve falls, the model makes use of what it has "
        "read; where it is flat, tokens further back no longer help."
    )
    x = "tokens read so far"
    y = "perplexity"

    def measure(self, look: Look) -> dict[str, Tensor]:
        return {"perplexity": look.nats.double().mean(1).exp()}
