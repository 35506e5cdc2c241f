"""What the model gains from what it has read so far."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnlab.instruments.instrument import Instrument, Kind, known
from rnnlab.instruments.look import Look, costs
from rnnlab.nn.engines import reading

TARGETS = 30  # whose cost is compared


@known
class PerplexityByPosition(Instrument):
    """exp of the mean nats of the same targets at each position of windows that begin at zero.

    A window begins at every token of the text: so a target is once at each position, and what
    differs is how much was read before it.
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
        T = look.inputs.shape[2]
        windows = look.text.unfold(1, T + 1, 1)[:, : TARGETS + T - 1]
        X, Y = windows[..., :-1], windows[..., 1:]
        K, B, _ = X.shape
        forward = reading(model.cell).forward_pass(look.parameters, T, B)
        logits, _ = forward(X, model.zero_state(K, B, flat.dtype, flat.device))
        cost = costs(logits, Y).double()
        position, first = torch.arange(T), min(T, B) - 1  # of a text that is short, what there is
        window = (torch.arange(first, B)[:, None] - position).clamp(min=0)
        return {"perplexity": cost[:, window, position].mean(1).exp()}
