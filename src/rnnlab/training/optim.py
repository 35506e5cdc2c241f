"""Clipping and update rules on stacked parameters.

Shapes: K lanes, P parameters of a lane; parameters p, their gradient g and a rule's slots
(momentum, second moment) are (K, P), so that a rule is its formulas, once, for all parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from torch import Tensor

from rnnlab._common.shapes import Bool, Float
from rnnlab.nn.model import Parameters

# --- clipping, in place ----------------------------------------------------------------------


def global_norm(g: Float[Tensor, "K P"]) -> Float[Tensor, " K"]:
    """Each lane's L2 norm over all its parameters together; infinite beyond 1e19 in fp32."""
    return torch.linalg.vector_norm(g, dim=1)


def clip_by_norm(
    g: Float[Tensor, "K P"], norm: Float[Tensor, " K"], theta: Float[Tensor, " K"]
) -> Bool[Tensor, " K"]:
    """g <- min(1, theta / ||g||) g   (Pascanu et al. 2013); says which lanes that changed."""
    g.mul_((theta / norm).clamp(max=1)[:, None])
    return norm > theta


def clip_by_value(
    g: Float[Tensor, "K P"],
    norm: Float[Tensor, " K"],  # noqa: ARG001
    theta: Float[Tensor, " K"],
) -> Bool[Tensor, " K"]:
    """Every component cut to [-theta, theta]; says which lanes that changed."""
    largest = torch.linalg.vector_norm(g, ord=torch.inf, dim=1)
    g.clamp_(-theta[:, None], theta[:, None])
    return largest > theta


def no_clip(
    g: Float[Tensor, "K P"],  # noqa: ARG001
    norm: Float[Tensor, " K"],
    theta: Float[Tensor, " K"],  # noqa: ARG001
) -> Bool[Tensor, " K"]:
    return torch.zeros_like(norm, dtype=torch.bool)


CLIPS = {"norm": clip_by_norm, "value": clip_by_value, "none": no_clip}


# --- update rules, in place ------------------------------------------------------------------
#
# Each equals its namesake in torch.optim. In a lane that stays as it is, lr (K, 1) and g are zero
# and `moves` (K, 1) is False; t (K, 1) is the number of this update. A rule may spoil g.


def decay(slot: Tensor, factor: float, moves: Tensor) -> Tensor:
    """slot <- factor slot, in the lanes that move."""
    return slot.mul_(torch.ones_like(moves, dtype=slot.dtype).masked_fill_(moves, factor))


def sgd(p: Tensor, g: Tensor, *, lr: Tensor, **_: Any) -> None:
    """p <- p - lr g."""
    p.addcmul_(g, lr, value=-1)


def momentum(
    p: Tensor, g: Tensor, v: Tensor, *, lr: Tensor, moves: Tensor, momentum: float, **_: Any
) -> None:
    """Polyak 1964: v <- momentum v + g, p <- p - lr v."""
    decay(v, momentum, moves).add_(g)
    p.addcmul_(v, lr, value=-1)


def adam(
    p: Tensor,
    g: Tensor,
    m: Tensor,
    v: Tensor,
    *,
    lr: Tensor,
    t: Tensor,
    moves: Tensor,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float = 0.0,
) -> None:
    """Kingma and Ba 2015; with weight_decay, AdamW of Loshchilov and Hutter 2019.

    p <- (1 - lr weight_decay) p - lr m_hat / (sqrt(v_hat) + eps).
    """
    decay(m, beta1, moves).add_(g, alpha=1 - beta1)
    decay(v, beta2, moves).addcmul_(g, g, value=1 - beta2)
    t = t.clamp(min=1)  # a lane that never moved
    one_minus = [(1 - beta**t).to(p.dtype) for beta in (beta1, beta2)]
    if weight_decay:
        p.mul_(1 - lr * weight_decay)
    torch.div(v, one_minus[1], out=g).sqrt_().add_(eps)
    torch.div(m, g, out=g)
    p.addcmul_(g, lr / one_minus[0], value=-1)


def rmsprop(
    p: Tensor,
    g: Tensor,
    v: Tensor,
    *,
    lr: Tensor,
    moves: Tensor,
    alpha: float,
    eps: float,
    **_: Any,
) -> None:
    """Tieleman and Hinton 2012: v <- alpha v + (1 - alpha) g^2, p <- p - lr g / (sqrt(v) + eps)."""
    decay(v, alpha, moves).addcmul_(g, g, value=1 - alpha)
    p.addcmul_(g.div_(v.sqrt().add_(eps)), lr, value=-1)


# name -> the rule, and how many slots it keeps
RULES: dict[str, tuple[Callable[..., None], int]] = {
    "sgd": (sgd, 0),
    "momentum": (momentum, 1),
    "adam": (adam, 2),
    "adamw": (adam, 2),
    "rmsprop": (rmsprop, 1),
}


class Optimizer(Protocol):
    """Moves parameters along clipped gradients."""

    def update(
        self, gradients: Parameters, lr: Float[Tensor, " K"], active: Bool[Tensor, " K"]
    ) -> None:
        """One step in place, which may spoil the gradients; other lanes keep all they have."""
        ...

    def snapshot(self, k: int) -> dict[str, Tensor]:
        """Copies of all that lane k's next update depends on, besides parameters and gradient."""
        ...

    def restore(self, k: int, saved: dict[str, Tensor]) -> None:
        """Put back what `snapshot` gave; raises KeyError or RuntimeError if it does not fit."""
        ...


class FromScratch:
    """Applies one of RULES; slots and step count are a lane's own."""

    def __init__(
        self, rule_name: str, parameters: Parameters, hyperparameters: dict[str, float]
    ) -> None:
        self.rule, num_slots = RULES[rule_name]
        self.p, self.hyperparameters = parameters.flat, hyperparameters
        self.slots = [torch.zeros_like(self.p) for _ in range(num_slots)]
        # fp64: 1 - beta^t loses too many digits in fp32
        self.t = torch.zeros(len(self.p), dtype=torch.float64, device=self.p.device)

    def update(
        self, gradients: Parameters, lr: Float[Tensor, " K"], active: Bool[Tensor, " K"]
    ) -> None:
        self.t += active
        moves, t = active[:, None], self.t[:, None]
        g = gradients.flat.masked_fill_(~moves, 0)
        lr = torch.where(moves, lr[:, None], 0)
        self.rule(self.p, g, *self.slots, lr=lr, t=t, moves=moves, **self.hyperparameters)

    def snapshot(self, k: int) -> dict[str, Tensor]:
        slots = {f"slot{i}": slot[k].clone() for i, slot in enumerate(self.slots)}
        return slots | {"t": self.t[k].clone()}

    def restore(self, k: int, saved: dict[str, Tensor]) -> None:
        for i, slot in enumerate(self.slots):
            slot[k].copy_(saved[f"slot{i}"])
        self.t[k].copy_(saved["t"])


class TorchOptimizer:
    """Any class of torch.optim, for a single lane."""

    def __init__(self, algorithm: str, parameters: Parameters, options: dict[str, Any]) -> None:
        self.leaves = [value.detach().requires_grad_() for value in parameters.values()]
        self.optimizer = getattr(torch.optim, algorithm)(self.leaves, lr=1.0, **options)

    def update(
        self, gradients: Parameters, lr: Float[Tensor, " K"], active: Bool[Tensor, " K"]
    ) -> None:
        assert len(active) == 1, "torch.optim knows no lanes"
        if not active.item():
            return
        for group in self.optimizer.param_groups:
            group["lr"] = lr.item()
        for leaf, gradient in zip(self.leaves, gradients.values(), strict=True):
            leaf.grad = gradient
        self.optimizer.step()

    def snapshot(self, k: int) -> dict[str, Tensor]:  # noqa: ARG002
        return {
            f"{i}.{name}": torch.as_tensor(value).clone()
            for i, leaf in enumerate(self.leaves)
            for name, value in self.optimizer.state[leaf].items()
            if value is not None
        }

    def restore(self, k: int, saved: dict[str, Tensor]) -> None:  # noqa: ARG002
        for key, value in saved.items():
            i, _, name = key.partition(".")
            leaf = self.leaves[int(i)]
            # torch.optim keeps step counts on the CPU
            own = value.clone() if value.ndim == 0 else value.to(leaf.device, copy=True)
            self.optimizer.state[leaf][name] = own
