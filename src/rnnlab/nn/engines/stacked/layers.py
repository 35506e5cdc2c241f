"""Backpropagation through time by hand: one recurrent layer of each cell, without autograd.

docs/bptt.md derives every line; the names are its names.

Shapes: K lanes, T time steps, B batch rows (N = T B), H hidden units. Outputs have T + 1 steps, the
initial state first. Every buffer is made once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from rnnlab._common.shapes import Float
from rnnlab.nn.engines.stacked.aten import relu, through_relu, through_sigmoid, through_tanh
from rnnlab.nn.engines.stacked.buffers import Gates, Series, lane_free
from rnnlab.nn.model import Packed
from rnnlab.nn.spec import Cell


class Layer(ABC):
    """A recurrent layer's buffers and both passes over time, bound to its parameters."""

    together: tuple[str, ...] | None = None  # gates of one product; None: all of them

    def __init__(
        self, cell: Cell, T: int, B: int, weights: Packed, gradient: Packed | None
    ) -> None:
        like = weights["W_h"]
        K, H, _ = like.shape
        self.cell, self.K, self.T, self.B, self.H = cell, K, T, B, H
        self.outputs = Series(T + 1, K, B, H, like)
        self.h = self.outputs.steps
        self.gates = [
            Gates(self.place(gates), T, B, weights, gradient)
            for gates in self.together or (cell.gates,)
        ]
        self.baddbmm = torch.addmm if K == 1 else torch.baddbmm
        self.bmm = torch.mm if K == 1 else torch.bmm
        if gradient:
            self.dH = Series(T, K, B, H, like)
            self.dh = self.dH.steps
            self.x, self.y = (lane_free(like.new_zeros(K, B, H)) for _ in range(2))

    def place(self, gates: str) -> slice:
        """The columns of some neighbouring gates where all lie side by side."""
        start = self.cell.gates.index(gates)
        return slice(start * self.H, (start + len(gates)) * self.H)

    @property
    def upward(self) -> Float[Tensor, "K N H"]:
        """H_1 .. H_T, lane by lane: what goes to the layer above."""
        return self.outputs.by_lane[:, self.B :]

    def forward(self, state: tuple[Tensor, ...]) -> None:
        """All time steps; the gates hold X_t W_x + b."""
        self.begin(state)
        for t in range(self.T):
            self.step(t)
        self.outputs.to_lanes()

    def backward(self) -> None:
        """All time steps, last to first; dH, lane by lane, holds what comes from above."""
        self.dH.to_steps()
        for gates in self.gates:
            gates.W_h_T.copy_(gates.W_h.transpose(1, 2))
        for t in reversed(range(self.T)):
            self.step_back(t)
        for gates in self.gates:
            gates.A.to_lanes()
        self.weight_gradients(self.outputs.by_lane[:, : -self.B])

    def begin(self, state: tuple[Tensor, ...]) -> None:
        self.outputs.by_step[0] = state[0]

    def state(self) -> tuple[Tensor, ...]:
        """The states after the last time step."""
        return (self.outputs.by_step[-1],)

    @abstractmethod
    def step(self, t: int) -> None:
        """H_t from H_{t-1} and what the gates hold of X_t; leaves their values there."""

    @abstractmethod
    def step_back(self, t: int) -> None:
        """da_t in place of the gates, and what flows into dh[t - 1]."""

    def weight_gradients(self, H: Float[Tensor, "K N H"]) -> None:
        """From all da_t and the states H_{t-1} before them."""
        self.gates[0].recurrent_gradient(H)


class RNNLayer(Layer):
    """h_t = f(a_t)."""

    activate: Callable[..., Tensor]
    through: Callable[..., None]

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        (self.all,) = self.gates
        self.a = self.all.A.steps

    def step(self, t: int) -> None:
        self.baddbmm(self.a[t], self.h[t], self.all.w_h, out=self.a[t])
        self.activate(self.a[t], out=self.h[t + 1])

    def step_back(self, t: int) -> None:
        self.through(self.dh[t], self.h[t + 1], out=self.a[t])
        if t > 0:
            self.baddbmm(self.dh[t - 1], self.a[t], self.all.w_h_T, out=self.dh[t - 1])


class TanhLayer(RNNLayer):
    activate, through = staticmethod(torch.tanh), staticmethod(through_tanh)


class ReluLayer(RNNLayer):
    activate, through = staticmethod(relu), staticmethod(through_relu)


class LSTMLayer(Layer):
    """c_t = f c_{t-1} + i g,  h_t = o tanh(c_t), with g the candidate (gate c)."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        like = self.outputs.by_step
        (self.all,) = self.gates
        self.a = self.all.A.steps
        self.ifo, self.i, self.f, self.o, self.g = (
            self.all.A.columns(self.place(gates)) for gates in ("ifo", *"ifoc")
        )
        self.C = Series(self.T + 1, self.K, self.B, self.H, like)
        self.c = self.C.steps
        self.tanh_c = Series(self.T, self.K, self.B, self.H, like).steps
        self.dc = torch.zeros_like(self.c[0])

    def begin(self, state: tuple[Tensor, ...]) -> None:
        super().begin(state)
        self.C.by_step[0] = state[1]

    def state(self) -> tuple[Tensor, ...]:
        return self.outputs.by_step[-1], self.C.by_step[-1]

    def step(self, t: int) -> None:
        self.baddbmm(self.a[t], self.h[t], self.all.w_h, out=self.a[t])
        self.ifo[t].sigmoid_()
        self.g[t].tanh_()
        torch.mul(self.f[t], self.c[t], out=self.c[t + 1])
        self.c[t + 1].addcmul_(self.i[t], self.g[t])
        torch.tanh(self.c[t + 1], out=self.tanh_c[t])
        torch.mul(self.o[t], self.tanh_c[t], out=self.h[t + 1])

    def backward(self) -> None:
        self.dc.zero_()
        super().backward()

    def step_back(self, t: int) -> None:
        dh, dc, x, y = self.dh[t], self.dc, self.x, self.y
        i, f, o, g = self.i[t], self.f[t], self.o[t], self.g[t]
        torch.mul(dh, o, out=x)
        through_tanh(x, self.tanh_c[t], out=x)
        dc.add_(x)  # dc_t = what came from c_{t+1}, and dh o (1 - tanh(c)^2)
        torch.mul(dh, self.tanh_c[t], out=x)
        through_sigmoid(x, o, out=o)  # da_o
        torch.mul(dc, g, out=x)
        torch.mul(dc, i, out=y)
        through_sigmoid(x, i, out=i)  # da_i
        through_tanh(y, g, out=g)  # da_c
        torch.mul(dc, self.c[t], out=x)
        dc.mul_(f)  # what flows into c_{t-1}
        through_sigmoid(x, f, out=f)  # da_f
        if t > 0:
            self.baddbmm(self.dh[t - 1], self.a[t], self.all.w_h_T, out=self.dh[t - 1])


class GRULayer(Layer):
    """h_t = z h_{t-1} + (1 - z) n, with n the candidate (gate h); what both forms share."""

    z: list[Tensor]
    n: list[Tensor]

    def mix(self, t: int) -> None:
        torch.lerp(self.n[t], self.h[t], self.z[t], out=self.h[t + 1])

    def mix_back(self, t: int) -> None:
        """da_h and da_z, in place; dh z flows into h_{t-1}."""
        dh, x, y = self.dh[t], self.x, self.y
        torch.mul(dh, self.z[t], out=x)
        if t > 0:
            self.dh[t - 1].add_(x)
        torch.sub(self.h[t], self.n[t], out=y)
        y.mul_(dh)
        torch.sub(dh, x, out=x)  # dh (1 - z)
        through_tanh(x, self.n[t], out=self.n[t])
        through_sigmoid(y, self.z[t], out=self.z[t])


class GRUBeforeLayer(GRULayer):
    """n = tanh(X W_xh + (r h_{t-1}) W_hh + b_h): the product comes after the reset."""

    together = ("zr", "h")

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.two, self.candidate = self.gates
        self.zr, self.n = self.two.A.steps, self.candidate.A.steps
        self.z, self.r = (self.two.A.columns(self.place(gate)) for gate in "zr")
        self.RH = Series(self.T, self.K, self.B, self.H, self.outputs.by_step)
        self.rh = self.RH.steps

    def step(self, t: int) -> None:
        self.baddbmm(self.zr[t], self.h[t], self.two.w_h, out=self.zr[t])
        self.zr[t].sigmoid_()
        torch.mul(self.r[t], self.h[t], out=self.rh[t])
        self.baddbmm(self.n[t], self.rh[t], self.candidate.w_h, out=self.n[t])
        self.n[t].tanh_()
        self.mix(t)

    def step_back(self, t: int) -> None:
        self.mix_back(t)
        drh, x = self.y, self.x
        self.bmm(self.n[t], self.candidate.w_h_T, out=drh)
        torch.mul(drh, self.h[t], out=x)
        if t > 0:
            self.dh[t - 1].addcmul_(drh, self.r[t])
        through_sigmoid(x, self.r[t], out=self.r[t])
        if t > 0:
            self.baddbmm(self.dh[t - 1], self.zr[t], self.two.w_h_T, out=self.dh[t - 1])

    def weight_gradients(self, H: Float[Tensor, "K N H"]) -> None:
        self.RH.to_lanes()
        self.two.recurrent_gradient(H)
        self.candidate.recurrent_gradient(self.RH.by_lane)


class GRUAfterLayer(GRULayer):
    """n = tanh(X W_xh + b_h + r s), s = h_{t-1} W_hh + b_hh: one product for all gates."""

    def __init__(
        self, cell: Cell, T: int, B: int, weights: Packed, gradient: Packed | None
    ) -> None:
        super().__init__(cell, T, B, weights, gradient)
        (self.all,) = self.gates
        self.b_hh = weights["b_hh"]
        if gradient:
            self.db_hh = gradient["b_hh"]
        self.zr, self.z, self.r, self.n = (
            self.all.A.columns(self.place(gates)) for gates in ("zr", *"zrh")
        )
        # H_{t-1} W_h; on the way back its gradient
        self.S = Series(T, self.K, B, 3 * self.H, self.outputs.by_step)
        self.s = self.S.steps
        self.s_zr, self.s_n = (self.S.columns(self.place(gates)) for gates in ("zr", "h"))
        self.bias = lane_free(self.b_hh)

    def step(self, t: int) -> None:
        self.bmm(self.h[t], self.all.w_h, out=self.s[t])
        self.zr[t].add_(self.s_zr[t]).sigmoid_()
        self.s_n[t].add_(self.bias)
        self.n[t].addcmul_(self.r[t], self.s_n[t]).tanh_()
        self.mix(t)

    def step_back(self, t: int) -> None:
        self.mix_back(t)
        x = self.x
        torch.mul(self.n[t], self.s_n[t], out=x)
        torch.mul(self.n[t], self.r[t], out=self.s_n[t])  # ds_h = da_h r
        through_sigmoid(x, self.r[t], out=self.r[t])
        self.s_zr[t].copy_(self.zr[t])
        if t > 0:
            self.baddbmm(self.dh[t - 1], self.s[t], self.all.w_h_T, out=self.dh[t - 1])

    def weight_gradients(self, H: Float[Tensor, "K N H"]) -> None:
        self.S.to_lanes()
        dS = self.S.by_lane
        torch.sum(self.all.A.by_lane, 1, keepdim=True, out=self.all.db)
        torch.bmm(H.transpose(1, 2), dS, out=self.all.dW_h)
        torch.sum(dS[..., self.place("h")], 1, keepdim=True, out=self.db_hh)
