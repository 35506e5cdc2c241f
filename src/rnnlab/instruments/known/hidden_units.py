"""Hidden units while the model reads a text."""

from __future__ import annotations

from torch import Tensor

from rnnlab.instruments.instrument import Instrument, Kind, known
from rnnlab.instruments.look import Look

TOKENS, UNITS = 60, 32  # that a picture has room for


@known
class HiddenUnits(Instrument):
    """The first units of each layer's output after each token; Karpathy et al. 2015."""

    kind = Kind.units
    title = "Hidden units over a text"
    caption = (
        "A row is a unit, a column the token just read: stripes along a row are memory, "
        "columns that look alike are tokens that the model treats alike."
    )
    x = "token read"
    y = "unit"

    def measure(self, look: Look) -> dict[str, Tensor]:
        return {
            f"{layer}.{look.parameters.model.cell.states[0]}": states[0][:, :TOKENS, 0, :UNITS]
            for layer, states in enumerate(look.states_of_text)
        }
