"""The buffers of a recurrent layer over time, and the products that are one for all time steps.

Shapes: K lanes, T time steps, B batch rows (N = T B), I inputs, H hidden units, n columns.
A (T, K, B, n) holds some gates: first their inputs a_t = X_t W_x + b + H_{t-1} W_h, then their
values, and on the way back dA, the gradient with respect to a_t, each in place of the one before.

Time steps are lists of views made once, because at small sizes an index costs as much as a
product; with one lane they have no lane dimension, because mm beats bmm.
"""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from rnnlab._common.shapes import Float, Integer
from rnnlab.nn.engines.stacked.aten import sum_by_row
from rnnlab.nn.model import Packed


def lane_free(tensor: Tensor) -> Tensor:
    """Without the lane dimension if there is one lane only."""
    return tensor[0] if len(tensor) == 1 else tensor


class Series:
    """A tensor (K, B, n) for every time step, in two orders.

    A batched product over lanes is one call only where a step is contiguous (by_step); the large
    products over all tokens want a lane's tokens together (by_lane). With one lane the two are
    the same memory; with more, what was written in one order is copied to the other on request.
    """

    def __init__(self, T: int, K: int, B: int, n: int, like: Tensor) -> None:
        self.by_step = like.new_zeros(T, K, B, n)
        one_lane = K == 1
        by_lane = self.by_step.transpose(0, 1) if one_lane else like.new_zeros(K, T, B, n)
        self.by_lane: Float[Tensor, "K T_B n"] = by_lane.flatten(1, 2)
        self.steps = [lane_free(step) for step in self.by_step]
        self.copied = None if one_lane else (self.by_step, by_lane.transpose(0, 1))

    def columns(self, columns: slice) -> list[Tensor]:
        return [step[..., columns] for step in self.steps]

    def to_lanes(self) -> None:
        if self.copied:
            by_step, by_lane = self.copied
            by_lane.copy_(by_step)

    def to_steps(self) -> None:
        if self.copied:
            by_step, by_lane = self.copied
            by_step.copy_(by_lane)


class Gates:
    """Neighbouring gates of a layer whose inputs come from one product.

    Without `gradient`, for the forward pass only.
    """

    def __init__(
        self, columns: slice, T: int, B: int, weights: Packed, gradient: Packed | None
    ) -> None:
        self.W_x, self.W_h, self.b = (weights[kind][..., columns] for kind in ("W_x", "W_h", "b_"))
        K, _, n = self.W_x.shape
        self.A = Series(T, K, B, n, like=self.W_x)
        self.w_h = lane_free(self.W_h)
        if gradient:
            self.dW_x, self.dW_h, self.db = (
                gradient[kind][..., columns] for kind in ("W_x", "W_h", "b_")
            )
            # a transposed operand makes for a slow product
            self.W_h_T = self.W_x.new_zeros(K, n, self.W_h.shape[1])
            self.w_h_T = lane_free(self.W_h_T)

    @cached_property
    def table(self) -> Float[Tensor, "K I n"]:
        """Of the first layer, which alone looks up; a step's rows of one array over the lanes."""
        return self.W_x.new_zeros(self.W_x.shape)

    def look_up(self, rows: Integer[Tensor, " T_K_B"]) -> None:
        """A = one_hot(X) W_x + b as rows of W_x + b; rows count through the lanes."""
        torch.add(self.W_x, self.b, out=self.table)
        table, A = self.table.flatten(0, 1), self.A.by_step.flatten(0, 2)
        torch.index_select(table, 0, rows, out=A)

    def look_up_backward(self, rows: Integer[Tensor, " T_K_B"]) -> None:
        """dW_x: every row sums the da_t of its occurrences, in an order that does not vary."""
        dA, table = self.A.by_step.flatten(0, 2), self.table.flatten(0, 1)
        if dA.is_cuda:
            table.copy_(sum_by_row(dA, rows, len(table)))
        else:  # twice as fast; on a GPU its order would vary
            table.zero_().index_add_(0, rows, dA)
        self.dW_x.copy_(self.table)

    def project(self, X: Float[Tensor, "K N I"]) -> None:
        torch.baddbmm(self.b, X, self.W_x, out=self.A.by_lane)
        self.A.to_steps()

    def project_backward(self, X: Float[Tensor, "K N I"], dX: Float[Tensor, "K N I"]) -> None:
        """dW_x, and what flows into the layer below, added to dX."""
        dA = self.A.by_lane
        torch.bmm(X.transpose(1, 2), dA, out=self.dW_x)
        torch.baddbmm(dX, dA, self.W_x.transpose(1, 2), out=dX)

    def recurrent_gradient(self, S: Float[Tensor, "K N H"]) -> None:
        """db, and dW_h = sum over t of S_t^T da_t as one product."""
        torch.sum(self.A.by_lane, 1, keepdim=True, out=self.db)
        torch.bmm(S.transpose(1, 2), self.A.by_lane, out=self.dW_h)
