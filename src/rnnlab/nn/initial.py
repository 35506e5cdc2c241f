"""What recurrent weights start from. Shapes: H hidden units."""

from __future__ import annotations

import torch

from rnnlab._common.shapes import Float, Tensor
from rnnlab.nn.spec import Init


def recurrent(drawn: Float[Tensor, "H H"], init: Init) -> Float[Tensor, "H H"]:
    """W_h of a gate, made of numbers from a normal distribution."""
    match init:
        case Init.orthogonal:
            return _orthogonal(drawn)
        case Init.identity:
            return torch.eye(*drawn.shape, dtype=drawn.dtype)
    return drawn


def _orthogonal(drawn: Float[Tensor, "H H"]) -> Float[Tensor, "H H"]:
    """Q of the QR decomposition whose R has a diagonal that is not negative: uniform over all Q.

    Mezzadri 2007; for recurrent weights Saxe et al. 2014. In fp64, so that machines agree in fp32.
    """
    Q, R = torch.linalg.qr(drawn.double())
    signs = torch.where(R.diagonal() < 0, -1.0, 1.0)
    return (Q * signs).to(drawn.dtype)
