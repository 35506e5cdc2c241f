"""What a trained model's states are while it reads a text.

Shapes: N tokens, L layers, H hidden units. One lane.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnnlab._common.shapes import Float, Integer
from rnnlab.nn.generation import advance
from rnnlab.nn.model import Parameters


@torch.inference_mode()
def states(
    parameters: Parameters, tokens: Integer[Tensor, " N"]
) -> dict[str, Float[Tensor, "N L H"]]:
    """By the names that the cell's equations have: every layer's states after each token."""
    model, flat = parameters.model, parameters.flat
    sizes = (len(tokens), model.num_layers, model.num_hiddens)
    found = {name: flat.new_empty(sizes) for name in model.cell.states}
    state = list(parameters.first_state(1))
    for t in range(len(tokens)):
        advance(parameters, tokens[t : t + 1], state)
        for layer, own in enumerate(state):
            for kept, value in zip(found.values(), own, strict=True):
                kept[t, layer] = value[0, 0]
    return found
