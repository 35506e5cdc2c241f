"""The reference: the cell's equations step by step through time, differentiated by autograd."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnlab._common.shapes import Float
from rnnlab.nn.cells import CELLS
from rnnlab.nn.engines.autograd import AutogradEngine, Weights


class Eager(AutogradEngine):
    """cells.py in a loop over time."""

    def layer(
        self,
        cell_name: str,
        weights: Weights,
        X: Float[Tensor, "K T B I"],
        state: tuple[Tensor, ...],
    ) -> tuple[Float[Tensor, "K T B H"], tuple[Tensor, ...]]:
        step, outputs = CELLS[cell_name].step, []
        for X_t in X.unbind(dim=1):
            state = step(X_t, *state, **weights)
            outputs.append(state[0])
        return torch.stack(outputs, dim=1), state
