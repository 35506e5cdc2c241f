"""Update rules on stacked parameters: each is its formulas, once, for all parameters.

Shapes: K lanes, P parameters of a lane; parameters p, their gradient g and a rule's slots
(momentum, second moment) are (K, P).

Each rule equals its namesake in torch.optim. In a lane that stays as it is, lr (K, 1) and g are
zero and `moves` (K, 1) is False; t (K, 1) is the number of this update. A rule may spoil g.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from rnnlab._common.choices import Choice, choice, knob
from rnnlab._common.late import torch
from rnnlab._common.shapes import Tensor

if TYPE_CHECKING:
    from rnnlab.nn.model import Parameters
    from rnnlab.training.optim import Optimizer


@dataclass(frozen=True, kw_only=True)
class OptimizerChoice(Choice, ABC):
    """How parameters move along clipped gradients."""

    group = "optimizer"
    stacks: ClassVar[bool] = True  # for any number of lanes
    slots: ClassVar[int] = 2  # tensors (K, P) that it keeps, or what they come to
    is_recordable: ClassVar[bool] = True  # an update works in place, and can be in a CUDA graph

    @property
    def title(self) -> str:
        """What to call it in a sentence."""
        return self.name

    @abstractmethod
    def start(self, parameters: Parameters) -> Optimizer:
        """An optimizer of these parameters."""

    def mistake(self) -> str | None:
        """Why it cannot train, beyond what its knobs' ranges say; None if it can."""
        return None


@dataclass(frozen=True, kw_only=True)
class Rule(OptimizerChoice):
    """An update rule by its formula; to define one, give `update` and the number of its slots."""

    slots: ClassVar[int] = 0  # zero at the start

    @abstractmethod
    def update(
        self, p: Tensor, g: Tensor, slots: list[Tensor], *, lr: Tensor, t: Tensor, moves: Tensor
    ) -> None:
        """One update in place, of parameters and slots."""

    def start(self, parameters: Parameters) -> Optimizer:
        from rnnlab.training.optim import FromScratch

        return FromScratch(self, parameters)


def decay(slot: Tensor, factor: float, moves: Tensor) -> Tensor:
    """slot <- factor slot, in the lanes that move."""
    return slot.mul_(torch.ones_like(moves, dtype=slot.dtype).masked_fill_(moves, factor))


@choice("sgd")
@dataclass(frozen=True, kw_only=True)
class SGD(Rule):
    """p <- p - lr g."""

    name: str = "sgd"

    def update(
        self,
        p: Tensor,
        g: Tensor,
        slots: list[Tensor],  # noqa: ARG002
        *,
        lr: Tensor,
        **_: Any,
    ) -> None:
        p.addcmul_(g, lr, value=-1)


@choice("momentum")
@dataclass(frozen=True, kw_only=True)
class Momentum(Rule):
    """Polyak 1964: v <- momentum v + g, p <- p - lr v."""

    name: str = "momentum"
    slots = 1
    momentum: float = knob("share of the last step that is kept", at_least=0, below=1)

    def update(
        self, p: Tensor, g: Tensor, slots: list[Tensor], *, lr: Tensor, moves: Tensor, **_: Any
    ) -> None:
        (v,) = slots
        decay(v, self.momentum, moves).add_(g)
        p.addcmul_(v, lr, value=-1)


@choice("adam")
@dataclass(frozen=True, kw_only=True)
class Adam(Rule):
    """Kingma and Ba 2015: p <- p - lr m_hat / (sqrt(v_hat) + eps)."""

    name: str = "adam"
    slots = 2
    beta1: float = knob("decay of the mean gradient", at_least=0, below=1)
    beta2: float = knob("decay of the mean squared gradient", at_least=0, below=1)
    eps: float = knob("added to the root of the mean square", at_least=0)

    def update(
        self, p: Tensor, g: Tensor, slots: list[Tensor], *, lr: Tensor, t: Tensor, moves: Tensor
    ) -> None:
        m, v = slots
        decay(m, self.beta1, moves).add_(g, alpha=1 - self.beta1)
        decay(v, self.beta2, moves).addcmul_(g, g, value=1 - self.beta2)
        t = t.clamp(min=1)  # a lane that never moved
        one_minus = [(1 - beta**t).to(p.dtype) for beta in (self.beta1, self.beta2)]
        torch.div(v, one_minus[1], out=g).sqrt_().add_(self.eps)
        torch.div(m, g, out=g)
        p.addcmul_(g, lr / one_minus[0], value=-1)


@choice("adamw")
@dataclass(frozen=True, kw_only=True)
class AdamW(Adam):
    """Loshchilov and Hutter 2019: first p <- (1 - lr weight_decay) p, then as Adam."""

    name: str = "adamw"
    weight_decay: float = knob("share of a weight that lr 1 takes away", at_least=0)

    def update(
        self, p: Tensor, g: Tensor, slots: list[Tensor], *, lr: Tensor, t: Tensor, moves: Tensor
    ) -> None:
        p.mul_(1 - lr * self.weight_decay)
        super().update(p, g, slots, lr=lr, t=t, moves=moves)


@choice("rmsprop")
@dataclass(frozen=True, kw_only=True)
class RMSprop(Rule):
    """Tieleman and Hinton 2012: v <- alpha v + (1 - alpha) g^2, p <- p - lr g / (sqrt(v) + eps)."""

    name: str = "rmsprop"
    slots = 1
    alpha: float = knob("decay of the mean squared gradient", at_least=0, below=1)
    eps: float = knob("added to the root of the mean square", at_least=0)

    def update(
        self, p: Tensor, g: Tensor, slots: list[Tensor], *, lr: Tensor, moves: Tensor, **_: Any
    ) -> None:
        (v,) = slots
        decay(v, self.alpha, moves).addcmul_(g, g, value=1 - self.alpha)
        p.addcmul_(g.div_(v.sqrt().add_(self.eps)), lr, value=-1)


@choice("torch")
@dataclass(frozen=True, kw_only=True)
class TorchOptim(OptimizerChoice):
    """Any optimizer of torch.optim by its class name, with its own keyword arguments."""

    name: str = "torch"
    stacks = False
    is_recordable = False
    algorithm: str = knob("a class of torch.optim")
    options: dict[str, Any] = knob("its keyword arguments: +optimizer.options.NAME=VALUE")

    @property
    def title(self) -> str:
        return f"torch.optim.{self.algorithm}"

    def start(self, parameters: Parameters) -> Optimizer:
        from rnnlab.training.optim import TorchOptimizer

        return TorchOptimizer(self.algorithm, parameters, self.options)

    def mistake(self) -> str | None:
        """Take one step of it on a parameter of its own."""
        known = [
            name
            for name, value in vars(torch.optim).items()
            if isinstance(value, type) and issubclass(value, torch.optim.Optimizer)
        ]
        if self.algorithm not in known:
            return (
                f"optimizer.algorithm={self.algorithm} is not allowed: it is one of "
                f"torch.optim's classes: {', '.join(sorted(known))}."
            )
        parameter = torch.zeros(1, 2, 2, requires_grad=True)
        parameter.grad = torch.ones_like(parameter)
        try:
            getattr(torch.optim, self.algorithm)([parameter], lr=1.0, **self.options).step()
        except (TypeError, ValueError, RuntimeError) as error:
            return (
                f"optimizer.algorithm={self.algorithm} with options {self.options} "
                f"cannot train here: {error}."
            )
        return None
