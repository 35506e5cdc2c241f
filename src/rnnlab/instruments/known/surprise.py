"""What each token of a text costs the model that reads it."""

from __future__ import annotations

import math

from torch import Tensor

from rnnlab.instruments.instrument import Instrument, Kind, known
from rnnlab.instruments.look import Look, nats


@known
class Surprise(Instrument):
    """-log p(token | all before it) in bits; Shannon 1948. The first token has none before it."""

    kind = Kind.text
    title = "Surprise of each token"
    caption = (
        "The darker a token, the less the model expected it after all that stands before it: "
        "1 bit is a coin's throw, 0 is certainty."
    )
    y = "bits"

    def measure(self, look: Look) -> dict[str, Tensor]:
        before = [tuple(H[:, :-1] for H in layer) for layer in look.states_of_text]
        cost = nats(look.parameters, before, look.text[:, None, 1:])[:, 0]
        return {"bits": cost.double() / math.log(2)}
