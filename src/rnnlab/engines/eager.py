"""The reference: the cell's equations step by step through time, differentiated by autograd."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnlab.engines.autograd import AutogradEngine
from rnnlab.model import Parameters
from rnnlab.shapes import Float


class Eager(AutogradEngine):
    """cells.py in a loop over time."""

    def layer(
        self, parameters: Parameters, X: Float[Tensor, "K T B I"], state: tuple[Tensor, ...]
    ) -> tuple[Float[Tensor, "K T B H"], tuple[Tensor, ...]]:
        outputs = []
        for X_t in X.unbind(dim=1):
            state = self.model.cell.step(X_t, *state, **parameters)
            outputs.append(state[0])
        return torch.stack(outputs, dim=1), state
