"""Clipping and update rules on stacked parameters.

Shapes: K lanes; a parameter p, its gradient g and its slots (momentum, second moment) are
(K, ., .); lr and t, the number of this update, are (K, 1, 1). A rule is a pure function, and
equals its namesake in torch.optim.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from rnnlab.model import Parameters
from rnnlab.shapes import Bool, Float

# --- clipping --------------------------------------------------------------------------------


def global_norm(gradients: Parameters) -> Float[Tensor, " K"]:
    """Each lane's L2 norm over all its parameters together; infinite beyond 1e19 in fp32."""
    norms = [torch.linalg.vector_norm(g, dim=(1, 2)) for g in gradients.values()]
    return torch.linalg.vector_norm(torch.stack(norms), dim=0)


def clip_by_norm(
    gradients: Parameters, norm: Float[Tensor, " K"], theta: Float[Tensor, " K"]
) -> tuple[Parameters, Bool[Tensor, " K"]]:
    """g <- min(1, theta / ||g||) g   (Pascanu et al. 2013); and which lanes that changed."""
    scale = (theta / norm).clamp(max=1)[:, None, None]
    return {name: g * scale for name, g in gradients.items()}, norm > theta


def clip_by_value(
    gradients: Parameters,
    norm: Float[Tensor, " K"],  # noqa: ARG001
    theta: Float[Tensor, " K"],
) -> tuple[Parameters, Bool[Tensor, " K"]]:
    """Every component cut to [-theta, theta]; and which lanes that changed."""
    bound = theta[:, None, None]
    largest = torch.stack([g.abs().amax(dim=(1, 2)) for g in gradients.values()]).amax(0)
    return {name: g.clamp(-bound, bound) for name, g in gradients.items()}, largest > theta


def no_clip(
    gradients: Parameters,
    norm: Float[Tensor, " K"],
    theta: Float[Tensor, " K"],  # noqa: ARG001
) -> tuple[Parameters, Bool[Tensor, " K"]]:
    return gradients, torch.zeros_like(norm, dtype=torch.bool)


CLIPS = {"norm": clip_by_norm, "value": clip_by_value, "none": no_clip}


# --- update rules: (p, g, slots) -> (p, slots) ------------------------------------------------


def sgd(p: Tensor, g: Tensor, *, lr: Tensor, t: Tensor) -> tuple[Tensor]:  # noqa: ARG001
    """p <- p - lr g."""
    return (p - lr * g,)


def momentum(
    p: Tensor,
    g: Tensor,
    v: Tensor,
    *,
    lr: Tensor,
    t: Tensor,  # noqa: ARG001
    momentum: float,
) -> tuple[Tensor, Tensor]:
    """Polyak 1964."""
    v = momentum * v + g
    return p - lr * v, v


def adam(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    *,
    lr: Tensor,
    t: Tensor,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float = 0.0,
) -> tuple[Tensor, Tensor, Tensor]:
    """Kingma and Ba 2015; with weight_decay, AdamW of Loshchilov and Hutter 2019."""
    m = beta1 * m + (1 - beta1) * g
    v = beta2 * v + (1 - beta2) * g.square()
    m_hat = m / (1 - beta1**t).to(m.dtype)
    v_hat = v / (1 - beta2**t).to(v.dtype)
    p = p - lr * weight_decay * p
    return p - lr * m_hat / (v_hat.sqrt() + eps), m, v


def rmsprop(
    p: Tensor,
    g: Tensor,
    v: Tensor,
    *,
    lr: Tensor,
    t: Tensor,  # noqa: ARG001
    alpha: float,
    eps: float,
) -> tuple[Tensor, Tensor]:
    """Tieleman and Hinton 2012."""
    v = alpha * v + (1 - alpha) * g.square()
    return p - lr * g / (v.sqrt() + eps), v


# name -> the rule, and how many slots it keeps for each parameter
RULES: dict[str, tuple[Callable[..., tuple[Tensor, ...]], int]] = {
    "sgd": (sgd, 0),
    "momentum": (momentum, 1),
    "adam": (adam, 2),
    "adamw": (adam, 2),
    "rmsprop": (rmsprop, 1),
}


class Optimizer(Protocol):
    """Moves parameters along clipped gradients."""

    def update(
        self,
        parameters: Parameters,
        gradients: Parameters,
        lr: Float[Tensor, " K"],
        active: Bool[Tensor, " K"],
    ) -> None:
        """One step in place; lanes that are not active keep all they have."""
        ...


class FromScratch:
    """Applies one of RULES to every parameter; slots and step count are a lane's own."""

    def __init__(
        self, rule_name: str, parameters: Parameters, hyperparameters: dict[str, float]
    ) -> None:
        rule, num_slots = RULES[rule_name]
        self.rule = partial(rule, **hyperparameters)
        self.slots = {
            name: [torch.zeros_like(p) for _ in range(num_slots)] for name, p in parameters.items()
        }
        first = next(iter(parameters.values()))
        # fp64: 1 - beta^t loses too many digits in fp32
        self.t = torch.zeros(len(first), dtype=torch.float64, device=first.device)

    def update(
        self,
        parameters: Parameters,
        gradients: Parameters,
        lr: Float[Tensor, " K"],
        active: Bool[Tensor, " K"],
    ) -> None:
        self.t += active
        moves, lr, t = (vector[:, None, None] for vector in (active, lr, self.t))
        for name, p in parameters.items():
            old = [p, *self.slots[name]]
            new = self.rule(p, gradients[name], *self.slots[name], lr=lr, t=t)
            for kept, moved in zip(old, new, strict=True):
                kept.copy_(torch.where(moves, moved, kept))


class TorchOptimizer:
    """Any class of torch.optim, for a single lane."""

    def __init__(self, algorithm: str, parameters: Parameters, options: dict[str, Any]) -> None:
        self.leaves = [value.requires_grad_() for value in parameters.values()]
        self.optimizer = getattr(torch.optim, algorithm)(self.leaves, lr=1.0, **options)

    def update(
        self,
        parameters: Parameters,  # noqa: ARG002
        gradients: Parameters,
        lr: Float[Tensor, " K"],
        active: Bool[Tensor, " K"],
    ) -> None:
        assert len(active) == 1, "torch.optim knows no lanes"
        if not active.item():
            return
        for group in self.optimizer.param_groups:
            group["lr"] = lr.item()
        for leaf, gradient in zip(self.leaves, gradients.values(), strict=True):
            leaf.grad = gradient
        self.optimizer.step()
