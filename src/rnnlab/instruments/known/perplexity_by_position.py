"""What the model gains from what it has read so far."""

from __future__ import annotations

from torch import Tensor

from rnnlab.instruments.instrument import Instrument, Kind, known
from rnnlab.instruments.look import Look, costs
from rnnlab.nn.engines import reading

WINDOWS = 64


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
        model, flat = look.parameters.model, look.parameters.flat
        windows = look.text.unfold(1, look.windows.shape[2], 1)[:, :WINDOWS]
        X, Y = windows[..., :-1], windows[..., 1:]
        K, B, T = X.shape
        forward = reading(model.cell).forward_pass(look.parameters, T, B)
        logits, _ = forward(X, model.zero_state(K, B, flat.dtype, flat.device))
        return {"perplexity": costs(logits, Y).double().mean(1).exp()}
