"""The largest absolute eigenvalue of each recurrent matrix."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnlab._common.shapes import Float
from rnnlab.instruments.instrument import Instrument, Kind, known
from rnnlab.instruments.look import Look
from rnnlab.instruments.recurrent import recurrent

SQUARINGS = 14
SETTLED = 1e-3
TINY = torch.finfo(torch.float64).tiny


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
    """Gelfand 1941: the limit of ||W^n||^(1/n), here n = 2^14 by squaring, in fp64.

    Products alone, so that lanes are one computation, and never below the limit: c^(1/n) above it
    for ||W^n|| <= c rho^n, 0.1 % for c = 10^7. By about as much the last squaring changes it: where
    that is more (a Jordan block, a nilpotent matrix), LAPACK's largest eigenvalue is taken.
    """
    scale = W.double().abs().amax((1, 2))
    scaled = W / scale.clamp(min=TINY)[:, None, None]
    power, log, change = scaled, torch.zeros_like(scale), torch.zeros_like(scale)
    for i in range(SQUARINGS + 1):
        norm = torch.linalg.matrix_norm(power)
        change = norm.log() / 2**i
        log += change
        power = power / norm.clamp(min=TINY)[:, None, None]
        power = power @ power
    found = scale * log.exp()
    unsure = ~(change.abs() < SETTLED) & scale.isfinite()
    if unsure.any():
        found[unsure] = scale[unsure] * torch.linalg.eigvals(scaled[unsure]).abs().amax(1)
    return found
