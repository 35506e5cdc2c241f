"""The largest absolute eigenvalue of each recurrent matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnlab._common.shapes import Float
from rnnlab.instruments.instrument import Instrument, Kind, known
from rnnlab.instruments.look import Look
from rnnlab.instruments.recurrent import recurrent

SQUARINGS = 14


@known
class SpectralRadius(Instrument):
    """rho(W_hh); Pascanu et al. 2013: without rho > 1 gradients of a tanh layer cannot explode."""

    is_light = True
    kind = Kind.number
    title = "Spectral radius of the recurrent weights"
    caption = (
        "Below 1 a linear recurrence forgets, above 1 it explodes; gates of an LSTM or a GRU "
        "keep states beside these products, so there it says how strongly each gate reacts."
    )
    y = "largest |eigenvalue|"

    def measure(self, look: Look) -> dict[str, Tensor]:
        return {name: radius(W) for name, W in recurrent(look.parameters).items()}


def radius(W: Float[Tensor, "K H H"]) -> Float[Tensor, " K"]:
    """Gelfand 1941: the limit of ||W^n||^(1/n), here n = 2^14 by squaring.

    Products alone, so that lanes are one computation; c^(1/n) above the limit for ||W^n|| <= c
    rho^n, which is 0.1 % for c = 10^7.
    """
    log = torch.zeros(len(W), dtype=torch.float64, device=W.device)
    tiny = torch.finfo(W.dtype).tiny
    for i in range(SQUARINGS + 1):
        norm = torch.linalg.matrix_norm(W)
        log += norm.double().log() / 2**i
        W = W / norm.clamp(min=tiny)[:, None, None]
        W = W @ W
    return log.exp()
