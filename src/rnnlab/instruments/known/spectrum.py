"""All eigenvalues of the recurrent matrices."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnlab.instruments.instrument import Instrument, Kind, known
from rnnlab.instruments.look import Look
from rnnlab.instruments.recurrent import recurrent


@known
class Spectrum(Instrument):
    """Eigenvalues in the complex plane; outside the unit circle a direction grows each step."""

    kind = Kind.plane
    title = "Eigenvalues of the recurrent weights"
    caption = (
        "A direction whose eigenvalue lies inside the circle shrinks in every time step of the "
        "linear part, outside it grows, on it it is kept; away from the real axis it turns."
    )
    x = "real part"
    y = "imaginary part"

    def measure(self, look: Look) -> dict[str, Tensor]:
        return {
            name: torch.view_as_real(torch.linalg.eigvals(W.cpu()))
            for name, W in recurrent(look.parameters).items()
        }
