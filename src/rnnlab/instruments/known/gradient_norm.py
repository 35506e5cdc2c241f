"""How long the gradient is: in all, after clipping, and of each group of parameters."""

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
    caption = (
        "Of the probe's mean loss, in all and by groups of parameters (W_x, W_h and b_ of a layer "
        "are those of all its gates): where clipped lies below all, the update is shortened."
    )
    y = "norm"
    is_logarithmic = True

    def measure(self, look: Look) -> dict[str, Tensor]:
        g = look.gradients
        norm, clipped = global_norm(g.flat), g.flat.clone()
        look.clip.clip(clipped, norm, look.theta)
        groups = {
            f"{l}.{kind}": own for l, layer in enumerate(g.layers) for kind, own in layer.items()
        }
        groups |= {"W_hq": g.W_hq, "b_q": g.b_q}
        each = {name: torch.linalg.vector_norm(own, dim=(1, 2)) for name, own in groups.items()}
        return {"all": norm, "clipped": global_norm(clipped), **each}
