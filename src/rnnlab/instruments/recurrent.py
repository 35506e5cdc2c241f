"""The recurrent matrices of a model. Shapes: K lanes, H hidden units."""

from __future__ import annotations

from torch import Tensor

from rnnlab.nn.model import Parameters


def recurrent(parameters: Parameters) -> dict[str, Tensor]:
    """Every W_h... that is square, (K, H, H), by layer and name: 0.W_hh."""
    return {
        name: W for name, W in parameters.items() if ".W_h" in name and W.shape[1] == W.shape[2]
    }
