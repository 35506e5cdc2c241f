"""What is done to gradients before the update.

Shapes: K lanes, P parameters of a lane.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from rnnlab._common.choices import Choice, choice
from rnnlab._common.late import torch
from rnnlab._common.shapes import Bool, Float, Tensor


@dataclass(frozen=True, kw_only=True)
class Clip(Choice, ABC):
    """Clips the gradients of all lanes, in place."""

    group = "clip"
    uses_theta: ClassVar[bool] = True

    @abstractmethod
    def clip(
        self, g: Float[Tensor, "K P"], norm: Float[Tensor, " K"], theta: Float[Tensor, " K"]
    ) -> Bool[Tensor, " K"]:
        """Clip g, whose L2 norms are given; says which lanes that changed."""


@choice("norm")
@dataclass(frozen=True, kw_only=True)
class ByNorm(Clip):
    """g <- min(1, theta / ||g||) g, with the L2 norm over all parameters together.

    Pascanu et al. 2013.
    """

    name: str = "norm"

    def clip(
        self, g: Float[Tensor, "K P"], norm: Float[Tensor, " K"], theta: Float[Tensor, " K"]
    ) -> Bool[Tensor, " K"]:
        g.mul_((theta / norm).clamp(max=1)[:, None])
        return norm > theta


@choice("value")
@dataclass(frozen=True, kw_only=True)
class ByValue(Clip):
    """Every component cut to [-theta, theta]."""

    name: str = "value"

    def clip(
        self,
        g: Float[Tensor, "K P"],
        norm: Float[Tensor, " K"],  # noqa: ARG002
        theta: Float[Tensor, " K"],
    ) -> Bool[Tensor, " K"]:
        largest = torch.linalg.vector_norm(g, ord=torch.inf, dim=1)
        g.clamp_(-theta[:, None], theta[:, None])
        return largest > theta


@choice("none")
@dataclass(frozen=True, kw_only=True)
class NoClip(Clip):
    """Gradients are used as they are."""

    name: str = "none"
    uses_theta = False

    def clip(
        self,
        g: Float[Tensor, "K P"],  # noqa: ARG002
        norm: Float[Tensor, " K"],
        theta: Float[Tensor, " K"],  # noqa: ARG002
    ) -> Bool[Tensor, " K"]:
        return torch.zeros_like(norm, dtype=torch.bool)
