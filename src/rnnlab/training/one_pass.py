"""What follows the gradients, where clipping by norm and SGD are one compiled pass over them."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from rnnlab._common.shapes import Bool, Float
from rnnlab.nn.engines.compiled.update import clip_and_update
from rnnlab.nn.model import Parameters, State
from rnnlab.training.metrics import Minibatch, Sums


class OnePass:
    """Does what `Training._finish` does, to rounding."""

    def __init__(
        self,
        parameters: Parameters,
        lr: Float[Tensor, " K"],
        theta: Float[Tensor, " K"] | None,  # None: gradients are used as they are
        healthy: Bool[Tensor, " K"],
        sums: Sums,
        state: State,
    ) -> None:
        self.p, self.lr, self.healthy = (
            tensor.numpy() for tensor in (parameters.flat, lr, healthy)
        )
        K, dtype = len(self.p), self.p.dtype
        self.theta = np.full(K, np.inf, dtype) if theta is None else theta.numpy()
        self.sums, self.state = sums, state
        self.norm, self.active = np.zeros(K, dtype), np.zeros(K, np.bool_)

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
