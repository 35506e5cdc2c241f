"""Optimizers at work: an update rule with its slots, or one of torch.optim.

Shapes: K lanes, P parameters of a lane.
"""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, runtime_checkable

import torch
from torch import Tensor

from rnnlab._common.shapes import Bool, Float
from rnnlab.nn.model import Parameters


def global_norm(g: Float[Tensor, "K P"]) -> Float[Tensor, " K"]:
    """Each lane's L2 norm over all its parameters together; infinite beyond 1e19 in fp32."""
    return torch.linalg.vector_norm(g, dim=1)


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


@runtime_checkable
class Formula(Protocol):
    """An update rule; rules.py has those that come with rnnlab."""

    slots: ClassVar[int]  # tensors (K, P) that it keeps, zero at the start

    def update(
        self, p: Tensor, g: Tensor, slots: list[Tensor], *, lr: Tensor, t: Tensor, moves: Tensor
    ) -> None:
        """One update in place."""
        ...


class FromScratch:
    """Applies an update rule; slots and step count are a lane's own."""

    def __init__(self, rule: Formula, parameters: Parameters) -> None:
        self.rule, self.p = rule, parameters.flat
        self.slots = [torch.zeros_like(self.p) for _ in range(rule.slots)]
        # fp64: 1 - beta^t loses too many digits in fp32
        self.t = torch.zeros(len(self.p), dtype=torch.float64, device=self.p.device)

    def update(
        self, gradients: Parameters, lr: Float[Tensor, " K"], active: Bool[Tensor, " K"]
    ) -> None:
        self.t += active
        moves, t = active[:, None], self.t[:, None]
        g = gradients.flat.masked_fill_(~moves, 0)
        lr = torch.where(moves, lr[:, None], 0)
        self.rule.update(self.p, g, self.slots, lr=lr, t=t, moves=moves)

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
