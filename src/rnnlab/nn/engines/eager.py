"""The reference: the cell's equations step by step through time, differentiated by autograd."""

from __future__ import annotations

import torch
from torch import Tensor

from rnnlab._common.shapes import Float
from rnnlab.nn.engines.autograd import Autograd, Weights
from rnnlab.nn.spec import Cell


class Loop(Autograd):
    """The cell's step in a loop over time."""

    def layer(
        self,
        cell: Cell,
        weights: Weights,
        X: Float[Tensor, "K T B I"],
        state: tuple[Tensor, ...],
    ) -> tuple[Float[Tensor, "K T B H"], tuple[Tensor, ...]]:
        outputs = []
        for X_t in X.unbind(dim=1):
            state = cell.step(X_t, *state, **weights)
            outputs.append(state[0])
        return torch.stack(outputs, dim=1), state
