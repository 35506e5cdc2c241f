"""What follows the gradients, where clipping by norm and SGD are one compiled pass over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from torch import Tensor

from rnnlab._common.shapes import Bool, Float
from rnnlab.nn.engines.compiled.update import clip_and_update
from rnnlab.nn.model import Parameters, State
from rnnlab.training.metrics import Minibatch

if TYPE_CHECKING:
    from rnnlab.training.loop import Training


class OnePass:
    """Does for a `Training` what its own `_finish` does, to rounding."""

    def __init__(self, training: Training) -> None:
        K, flat = len(training.lanes), training.parameters.flat
        self.sums, self.state = training.sums, training.state
        self.p, self.lr, self.healthy = flat.numpy(), training.lr.numpy(), training.healthy.numpy()
        uses_theta = training.recipe.clip.uses_theta
        self.theta = training.theta.numpy() if uses_theta else np.full(K, np.inf, self.p.dtype)
        self.norm, self.active = np.zeros(K, self.p.dtype), np.zeros(K, np.bool_)

    def __call__(
        self,
        present: Bool[Tensor, " K"],
        tokens: int,
        loss: Float[Tensor, " K"],
        gradients: Parameters,
        state: State,
    ) -> None:
        nats, norm, active = loss.numpy(), self.norm, self.active
        clip_and_update(
            self.p, gradients.flat.numpy(), nats, present.numpy(), self.lr, self.theta,
            self.healthy, norm, active,
        )  # fmt: skip
        clipped = (norm > self.theta).astype(np.float64)
        self.sums.add(
            active,
            Minibatch(nats.astype(np.float64), tokens, norm.astype(np.float64), clipped),
        )
        for layer, new in zip(self.state, state, strict=True):
            for old, carried in zip(layer, new, strict=True):
                np.copyto(old.numpy(), carried.numpy(), where=active[:, None, None])
