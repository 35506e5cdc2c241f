"""What the model gains from what it has read so far."""

from __future__ import annotations

from torch import Tensor

from rnnlab.instruments.instrument import Instrument, Kind, known
from rnnlab.instruments.look import Look, nats, unrolled

WINDOWS = 128


@known
class PerplexityByPosition(Instrument):
    """exp of the mean nats at each position of windows, whose states begin at zero.

    A window begins at every token of the text: two positions have nearly the same targets, so what
    differs is what was read before them.
    """

    is_light = True
    kind = Kind.curve
    title = "Perplexity by position in the window"
    caption = (
        "The state begins at zero: as far as the curve falls, the model makes use of what it has "
        "read; where it is flat, tokens further back no longer help."
    )
    x = "position in the window"
    y = "perplexity"

    def measure(self, look: Look) -> dict[str, Tensor]:
        T = look.inputs.shape[2]
        windows = look.text.unfold(1, T + 1, 1)[:, :WINDOWS]
        states = unrolled(look.parameters, windows[..., :-1])
        cost = nats(look.parameters, states, windows[..., 1:])
        return {"perplexity": cost.double().mean(1).exp()}
