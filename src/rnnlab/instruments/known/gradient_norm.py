"""How long the gradient is, in all and of each parameter, and after clipping."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnlab.instruments.instrument import Instrument, Kind, known
from rnnlab.instruments.look import Look
from rnnlab.training.optim import global_norm


@known
class GradientNorm(Instrument):
    """||dL/dp|| of the probe's mean loss L; Pascanu et al. 2013, section 3.2, clips it."""

    is_light = True
    kind = Kind.number
    title = "Length of the gradient"
    caption = "Where all lies above clipped, the update was shortened to theta; layer by layer."
    y = "norm"
    is_logarithmic = True

    def measure(self, look: Look) -> dict[str, Tensor]:
        g = look.gradients
        norm, clipped = global_norm(g.flat), g.flat.clone()
        look.clip.clip(clipped, norm, look.theta)
        each = {name: torch.linalg.vector_norm(own, dim=(1, 2)) for name, own in g.items()}
        return {"all": norm, "clipped": global_norm(clipped), **each}
