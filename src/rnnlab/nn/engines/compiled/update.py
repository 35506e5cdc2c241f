"""Clipping by norm and SGD in one pass over the gradients.

Shapes: K lanes, P parameters of a lane.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from rnnlab._common.kernel import kernel
from rnnlab.nn.engines.compiled.vectors import folded

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
