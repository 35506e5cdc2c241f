"""Clipping and update rules on stacked parameters.

Shapes: K lanes; a parameter, its gradient p and g, and each of its slots are (K, ., .). A rule is
a pure function from (p, g, slots, lr, t) to the new p and slots, where lr and t, the number of
this update, are (K, 1, 1). Each equals its torch.optim namesake.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from rnnlab.model import Parameters
from rnnlab.shapes import Bool, Float

Slots = dict[str, Parameters]  # slot name -> parameter name -> tensor


# --- clipping --------------------------------------------------------------------------------


def global_norm(gradients: Parameters) -> Float[Tensor, " K"]:
    """Each lane's L2 norm over all its parameters together."""
    return torch.stack([g.square().sum(dim=(1, 2)) for g in gradients.values()]).sum(0).sqrt()


def clip_by_norm(gradients: Parameters, norm: Tensor, theta: Tensor) -> Parameters:
    """g <- min(1, theta / ||g||) g   (Pascanu et al. 2013)."""
    scale = (theta / norm).clamp(max=1)[:, None, None]
    return {name: g * scale for name, g in gradients.items()}


def clip_by_value(gradients: Parameters, norm: Tensor, theta: Tensor) -> Parameters:  # noqa: ARG001
    """Every component cut to [-theta, theta]."""
    bound = theta[:, None, None]
    return {name: g.clamp(-bound, bound) for name, g in gradients.items()}


def no_clip(gradients: Parameters, norm: Tensor, theta: Tensor) -> Parameters:  # noqa: ARG001
    return gradients


CLIPS = {"norm": clip_by_norm, "value": clip_by_value, "none": no_clip}


# --- update rules ----------------------------------------------------------------------------


def sgd(p, g, slots, lr, t):  # noqa: ARG001
    """p <- p - lr g."""
    return p - lr * g, slots


def momentum(p, g, slots, lr, t, *, momentum):  # noqa: ARG001
    """Polyak 1964: v <- momentum v + g, p <- p - lr v."""
    v = momentum * slots["v"] + g
    return p - lr * v, {"v": v}


def adam(p, g, slots, lr, t, *, beta1, beta2, eps):
    """Kingma and Ba 2015, algorithm 1."""
    m = beta1 * slots["m"] + (1 - beta1) * g
    v = beta2 * slots["v"] + (1 - beta2) * g.square()
    m_hat = m / (1 - beta1**t)
    v_hat = v / (1 - beta2**t)
    return p - lr * m_hat / (v_hat.sqrt() + eps), {"m": m, "v": v}


def adamw(p, g, slots, lr, t, *, beta1, beta2, eps, weight_decay):
    """Loshchilov and Hutter 2019: decay apart from the gradient."""
    return adam(p - lr * weight_decay * p, g, slots, lr, t, beta1=beta1, beta2=beta2, eps=eps)


def rmsprop(p, g, slots, lr, t, *, alpha, eps):  # noqa: ARG001
    """Tieleman and Hinton 2012."""
    v = alpha * slots["v"] + (1 - alpha) * g.square()
    return p - lr * g / (v.sqrt() + eps), {"v": v}


RULES: dict[str, tuple[Callable[..., tuple[Tensor, Parameters]], tuple[str, ...]]] = {
    "sgd": (sgd, ()),
    "momentum": (momentum, ("v",)),
    "adam": (adam, ("m", "v")),
    "adamw": (adamw, ("m", "v")),
    "rmsprop": (rmsprop, ("v",)),
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
    """Applies one of RULES to every parameter of the active lanes."""

    def __init__(self, name: str, parameters: Parameters, **hyperparameters: float) -> None:
        rule, slot_names = RULES[name]
        self.rule = partial(rule, **hyperparameters)
        self.slots: Slots = {
            slot: {name: torch.zeros_like(p) for name, p in parameters.items()}
            for slot in slot_names
        }
        first = next(iter(parameters.values()))
        self.t = torch.zeros(len(first), dtype=first.dtype, device=first.device)

    def update(
        self,
        parameters: Parameters,
        gradients: Parameters,
        lr: Float[Tensor, " K"],
        active: Bool[Tensor, " K"],
    ) -> None:
        self.t += active
        moves = active[:, None, None]
        step = lr[:, None, None], self.t[:, None, None]
        for name, p in parameters.items():
            slots = {slot: values[name] for slot, values in self.slots.items()}
            new_p, new_slots = self.rule(p, gradients[name], slots, *step)
            p.copy_(torch.where(moves, new_p, p))
            for slot, value in new_slots.items():
                slots[slot].copy_(torch.where(moves, value, slots[slot]))


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
        if not active.all():
            return
        for group in self.optimizer.param_groups:
            group["lr"] = lr.item()
        for leaf, gradient in zip(self.leaves, gradients.values(), strict=True):
            leaf.grad = gradient
        self.optimizer.step()
