"""What the gates do: mostly open, mostly shut, or in between."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnlab.instruments.instrument import BINS, Instrument, Kind, known
from rnnlab.instruments.look import Look


@known
class Gates(Instrument):
    """Histograms of all gates and candidates over the probe; Karpathy et al. 2015, section 4.3."""

    kind = Kind.histogram
    title = "Activations of the gates"
    caption = (
        "A sigmoid gate near 1 lets all pass, near 0 nothing; heaps at both ends are switches, "
        "a heap at the limits of a tanh is saturation."
    )
    x = "activation"
    y = "share of units and time steps"

    def measure(self, look: Look) -> dict[str, Tensor]:
        return {name: histogram(gate.values) for name, gate in look.gates.items()}


def histogram(values: Tensor) -> Tensor:
    """(K, BINS): shares from -1 to 1, what is beyond in the outer bins."""
    places = ((values.double() + 1) * (BINS / 2)).nan_to_num().floor().clamp(0, BINS - 1).long()
    counts = torch.zeros(len(values), BINS, dtype=torch.float64, device=values.device)
    flat = places.flatten(1)
    return counts.scatter_add_(1, flat, torch.ones_like(flat, dtype=torch.float64)) / flat.shape[1]
