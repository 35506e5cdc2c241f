"""What follows the gradients, on a CPU, for clipping by norm and SGD: one pass over them.

Shapes: K lanes, P parameters of a lane.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from rnnlab._common.kernel import kernel
from rnnlab._common.shapes import Bool, Float
from rnnlab.nn.engines.compiled.vectors import folded
from rnnlab.nn.model import Parameters, State
from rnnlab.training.metrics import Minibatch

if TYPE_CHECKING:
    from rnnlab.training.loop import Training

sum_of_squares = folded(lambda x: x * x, lambda x, y: x + y)


@kernel
def clip_and_update(
    p: Any, g: Any, loss: Any, present: Any, lr: Any, theta: Any,
    healthy: Any, norm: Any, active: Any,
) -> None:  # fmt: skip
    """p (K, P) <- p - lr min(1, theta / ||g||) g in the active lanes; fills norm and active."""
    K, P = g.shape
    whole = P - P % 16  # vectors of either type
    for k in range(K):
        squares = sum_of_squares((g[k, :whole],)) if whole else g[k, 0] * 0
        for i in range(whole, P):
            squares += g[k, i] * g[k, i]
        norm[k] = np.sqrt(squares)
        is_finite = loss[k] < np.inf and norm[k] < np.inf
        active[k] = present[k] and healthy[k] and is_finite
        healthy[k] = healthy[k] and (is_finite or not present[k])
        if active[k]:
            ratio = theta[k] / norm[k]
            step = lr[k] * ratio if ratio < 1 else lr[k]
            for i in range(P):
                p[k, i] -= step * g[k, i]


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
