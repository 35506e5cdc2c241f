"""Operations of torch that write into a given buffer and have no documented name.

torch promises nothing of them: each has a test (tests/test_engines.py) that compares it with what
is documented, so that a release of torch that changes one is noticed. Here and nowhere else.
"""

from __future__ import annotations

import torch
from torch import Tensor

from rnnlab._common.shapes import Integer

aten = torch.ops.aten


def relu(a: Tensor, out: Tensor) -> None:
    """max(a, 0)."""
    aten.relu.out(a, out=out)


def through_tanh(gradient: Tensor, y: Tensor, out: Tensor) -> None:
    """gradient (1 - y^2), for y = tanh(a)."""
    aten.tanh_backward.grad_input(gradient, y, grad_input=out)


def through_sigmoid(gradient: Tensor, y: Tensor, out: Tensor) -> None:
    """gradient y (1 - y), for y = sigmoid(a)."""
    aten.sigmoid_backward.grad_input(gradient, y, grad_input=out)


def through_relu(gradient: Tensor, y: Tensor, out: Tensor) -> None:
    """gradient where y > 0, for y = relu(a)."""
    aten.threshold_backward.grad_input(gradient, y, 0, grad_input=out)


def log_softmax(a: Tensor, out: Tensor) -> None:
    """log(exp(a) / sum of exp(a)) over the last dimension."""
    aten._log_softmax.out(a, -1, False, out=out)


def sum_by_row(values: Tensor, rows: Integer[Tensor, " N"], num_rows: int) -> Tensor:
    """Row r of the result is the sum of the values (N, n) whose row is r, in a fixed order."""
    return aten.embedding_dense_backward(values, rows, num_rows, -1, False)
