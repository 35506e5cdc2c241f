"""Backpropagation through time by hand: one recurrent layer of each cell, without autograd.

docs/bptt.md derives every line; the names are its names.

Shapes: K lanes, T time steps, B batch rows (N = T B), I inputs, H hidden units, G gates.
A (K, T, B, G H) holds the gates: first their inputs a_t = X_t W_x + b + H_{t-1} W_h, then their
values, and on the way back dA, the gradient with respect to a_t, each in place of the one before.
Outputs are kept as (K, T + 1, B, H), the initial state first.

Every buffer is made once. Time steps are lists of views made once, because at small sizes an index
costs as much as a product; with one lane they have no lane dimension, because mm beats bmm.
"""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from rnnlab.cells import CELLS
from rnnlab.model import Parameters
from rnnlab.shapes import Float, Integer

aten = torch.ops.aten


def through_tanh(gradient: Tensor, y: Tensor, out: Tensor) -> None:
    """gradient (1 - y^2), for y = tanh(a)."""
    aten.tanh_backward.grad_input(gradient, y, grad_input=out)


def through_sigmoid(gradient: Tensor, y: Tensor, out: Tensor) -> None:
    """gradient y (1 - y), for y = sigmoid(a)."""
    aten.sigmoid_backward.grad_input(gradient, y, grad_input=out)


def through_relu(gradient: Tensor, y: Tensor, out: Tensor) -> None:
    """gradient where y > 0, for y = relu(a)."""
    aten.threshold_backward.grad_input(gradient, y, 0, grad_input=out)


class Layer(ABC):
    """Buffers, parameters packed by gates, and both passes over time."""

    def __init__(self, cell_name: str, K: int, T: int, B: int, I: int, H: int, like: Tensor):
        cell = CELLS[cell_name]
        G = len(cell.gates)
        self.K, self.T, self.B, self.I, self.H, self.gates = K, T, B, I, H, cell.gates
        new = like.new_zeros
        self.W_x, self.dW_x = new(K, I, G * H), new(K, I, G * H)
        self.W_h, self.dW_h = new(K, H, G * H), new(K, H, G * H)
        self.W_h_T = new(K, G * H, H)  # a transposed operand makes for a slow product
        self.b, self.db = new(K, 1, G * H), new(K, 1, G * H)
        self.packed = self.named(self.W_x, self.W_h, self.b)
        self.A = new(K, T, B, G * H)
        self.outputs = new(K, T + 1, B, H)
        self.dH = new(K, T, B, H)

        self.baddbmm = torch.addmm if K == 1 else torch.baddbmm
        self.bmm = torch.mm if K == 1 else torch.bmm
        self.a = self.steps(self.A)
        self.h = self.steps(self.outputs)
        self.dh = self.steps(self.dH)
        self.scratch = [self.lane_free(new(K, B, H)) for _ in range(3)]

    # --- views -------------------------------------------------------------------------------

    def lane_free(self, tensor: Tensor) -> Tensor:
        return tensor[0] if self.K == 1 else tensor

    def gate(self, tensor: Tensor, gates: str) -> Tensor:
        """The columns of some neighbouring gates of a packed tensor."""
        start = self.gates.index(gates) * self.H
        return tensor[..., start : start + len(gates) * self.H]

    def steps(self, buffer: Tensor) -> list[Tensor]:
        return [self.lane_free(step) for step in buffer.unbind(1)]

    def gate_steps(self, gates: str) -> list[Tensor]:
        return self.steps(self.gate(self.A, gates))

    def named(self, W_x: Tensor, W_h: Tensor, b: Tensor) -> Parameters:
        """Packed tensors under the names of the cell's equations."""
        return {
            f"{kind}{gate}": self.gate(packed, gate)
            for gate in self.gates
            for kind, packed in (("W_x", W_x), ("W_h", W_h), ("b_", b))
        }

    def gradients(self) -> Parameters:
        return self.named(self.dW_x, self.dW_h, self.db)

    # --- passes ------------------------------------------------------------------------------

    def pack(self, parameters: Parameters) -> None:
        for name, packed in self.packed.items():
            packed.copy_(parameters[name])
        self.W_h_T.copy_(self.W_h.transpose(1, 2))

    def forward(self, state: tuple[Tensor, ...]) -> None:
        """All time steps; A holds X_t W_x + b."""
        self.begin(state)
        for t in range(self.T):
            self.step(t)

    def backward(self) -> None:
        """All time steps, last to first; dH holds the gradient that comes from above."""
        for t in reversed(range(self.T)):
            self.step_back(t)
        A, H = self.A.flatten(1, 2), self.outputs[:, :-1].flatten(1, 2)
        torch.sum(A, 1, keepdim=True, out=self.db)
        self.recurrent_gradient(H.transpose(1, 2), A)

    def begin(self, state: tuple[Tensor, ...]) -> None:
        self.outputs[:, 0] = state[0]

    def state(self) -> tuple[Tensor, ...]:
        """The states after the last time step."""
        return (self.outputs[:, -1],)

    @abstractmethod
    def step(self, t: int) -> None:
        """H_t from H_{t-1} and what a[t] holds of X_t; leaves the gates in a[t]."""

    @abstractmethod
    def step_back(self, t: int) -> None:
        """da_t in place of the gates, and what flows into dh[t - 1]."""

    def recurrent_gradient(self, H_T: Tensor, A: Tensor) -> None:
        """dW_h = sum over t of H_{t-1}^T da_t, as one product."""
        torch.bmm(H_T, A, out=self.dW_h)

    # --- inputs: token rows of W_x, or the layer below ------------------------------------------

    def look_up(self, rows: Integer[Tensor, " K_N"]) -> None:
        """A = one_hot(X) W_x + b as rows of W_x + b; rows count through the lanes."""
        table = (self.W_x + self.b).flatten(0, 1)
        torch.index_select(table, 0, rows, out=self.A.view(len(rows), -1))

    def look_up_backward(self, rows: Integer[Tensor, " K_N"]) -> None:
        """dW_x: every row sums the da_t of its occurrences."""
        dA = self.A.view(len(rows), -1)
        summed = aten.embedding_dense_backward(dA, rows, self.K * self.I, -1, False)
        self.dW_x.copy_(summed.view_as(self.dW_x))

    def project(self, X: Float[Tensor, "K N I"]) -> None:
        torch.baddbmm(self.b, X, self.W_x, out=self.A.flatten(1, 2))

    def project_backward(self, X: Float[Tensor, "K N I"], dX: Float[Tensor, "K N I"]) -> None:
        A = self.A.flatten(1, 2)
        torch.bmm(X.transpose(1, 2), A, out=self.dW_x)
        torch.bmm(A, self.W_x.transpose(1, 2), out=dX)


class RNNLayer(Layer):
    """h_t = f(a_t), f = tanh or relu."""

    def __init__(self, cell_name: str, *sizes: int, like: Tensor) -> None:
        super().__init__(cell_name, *sizes, like=like)
        is_tanh = cell_name == "rnn_tanh"
        self.activate_ = torch.tanh_ if is_tanh else torch.relu_
        self.through = through_tanh if is_tanh else through_relu
        self.w_h, self.w_h_T = self.lane_free(self.W_h), self.lane_free(self.W_h_T)

    def step(self, t: int) -> None:
        self.baddbmm(self.a[t], self.h[t], self.w_h, out=self.h[t + 1])
        self.activate_(self.h[t + 1])

    def step_back(self, t: int) -> None:
        self.through(self.dh[t], self.h[t + 1], out=self.a[t])
        if t > 0:
            self.baddbmm(self.dh[t - 1], self.a[t], self.w_h_T, out=self.dh[t - 1])


class LSTMLayer(Layer):
    """c_t = f c_{t-1} + i g,  h_t = o tanh(c_t), with g the candidate (gate c)."""

    def __init__(self, cell_name: str, *sizes: int, like: Tensor) -> None:
        super().__init__(cell_name, *sizes, like=like)
        K, T, B, H = self.K, self.T, self.B, self.H
        self.C = like.new_zeros(K, T + 1, B, H)
        self.c = self.steps(self.C)
        self.tanh_c = self.steps(like.new_zeros(K, T, B, H))
        self.ifo, self.i, self.f, self.o, self.g = map(self.gate_steps, ("ifo", *"ifoc"))
        self.dc = self.lane_free(like.new_zeros(K, B, H))
        self.w_h, self.w_h_T = self.lane_free(self.W_h), self.lane_free(self.W_h_T)

    def begin(self, state: tuple[Tensor, ...]) -> None:
        super().begin(state)
        self.C[:, 0] = state[1]

    def state(self) -> tuple[Tensor, ...]:
        return self.outputs[:, -1], self.C[:, -1]

    def step(self, t: int) -> None:
        self.baddbmm(self.a[t], self.h[t], self.w_h, out=self.a[t])
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
        dh, dc, (x, y, _) = self.dh[t], self.dc, self.scratch
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
            self.baddbmm(self.dh[t - 1], self.a[t], self.w_h_T, out=self.dh[t - 1])


class GRULayer(Layer):
    """h_t = z h_{t-1} + (1 - z) n, with n the candidate (gate h); what both forms share."""

    def __init__(self, cell_name: str, *sizes: int, like: Tensor) -> None:
        super().__init__(cell_name, *sizes, like=like)
        self.zr, self.z, self.r, self.n = map(self.gate_steps, ("zr", *"zrh"))

    def mix(self, t: int) -> None:
        torch.lerp(self.n[t], self.h[t], self.z[t], out=self.h[t + 1])

    def mix_back(self, t: int) -> None:
        """da_h and da_z, in place; dh z flows into h_{t-1}."""
        dh, (x, y, _) = self.dh[t], self.scratch
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

    def __init__(self, cell_name: str, *sizes: int, like: Tensor) -> None:
        super().__init__(cell_name, *sizes, like=like)
        self.RH = like.new_zeros(self.K, self.T, self.B, self.H)
        self.rh = self.steps(self.RH)
        H, W_h, W_h_T = self.H, self.lane_free(self.W_h), self.lane_free(self.W_h_T)
        self.w_zr, self.w_n = W_h[..., : 2 * H], W_h[..., 2 * H :]
        self.w_zr_T, self.w_n_T = W_h_T[..., : 2 * H, :], W_h_T[..., 2 * H :, :]

    def step(self, t: int) -> None:
        self.baddbmm(self.zr[t], self.h[t], self.w_zr, out=self.zr[t])
        self.zr[t].sigmoid_()
        torch.mul(self.r[t], self.h[t], out=self.rh[t])
        self.baddbmm(self.n[t], self.rh[t], self.w_n, out=self.n[t])
        self.n[t].tanh_()
        self.mix(t)

    def step_back(self, t: int) -> None:
        self.mix_back(t)
        drh, y = self.scratch[1:]
        self.bmm(self.n[t], self.w_n_T, out=drh)
        torch.mul(drh, self.h[t], out=y)
        if t > 0:
            self.dh[t - 1].addcmul_(drh, self.r[t])
        through_sigmoid(y, self.r[t], out=self.r[t])
        if t > 0:
            self.baddbmm(self.dh[t - 1], self.zr[t], self.w_zr_T, out=self.dh[t - 1])

    def recurrent_gradient(self, H_T: Tensor, A: Tensor) -> None:
        torch.bmm(H_T, self.gate(A, "zr"), out=self.gate(self.dW_h, "zr"))
        RH_T = self.RH.flatten(1, 2).transpose(1, 2)
        torch.bmm(RH_T, self.gate(A, "h"), out=self.gate(self.dW_h, "h"))


class GRUAfterLayer(GRULayer):
    """n = tanh(X W_xh + b_h + r s), s = h_{t-1} W_hh + b_hh: one product for all gates."""

    def __init__(self, cell_name: str, *sizes: int, like: Tensor) -> None:
        super().__init__(cell_name, *sizes, like=like)
        K, T, B, H = self.K, self.T, self.B, self.H
        self.b_hh, self.db_hh = like.new_zeros(K, 1, H), like.new_zeros(K, 1, H)
        self.S = like.new_zeros(K, T, B, 3 * H)  # H_{t-1} W_h; on the way back its gradient
        self.s = self.steps(self.S)
        self.s_zr, self.s_n = (self.steps(self.gate(self.S, gates)) for gates in ("zr", "h"))
        self.bias = self.lane_free(self.b_hh)
        self.w_h, self.w_h_T = self.lane_free(self.W_h), self.lane_free(self.W_h_T)

    def pack(self, parameters: Parameters) -> None:
        super().pack(parameters)
        self.b_hh.copy_(parameters["b_hh"])

    def gradients(self) -> Parameters:
        return super().gradients() | {"b_hh": self.db_hh}

    def step(self, t: int) -> None:
        self.bmm(self.h[t], self.w_h, out=self.s[t])
        self.zr[t].add_(self.s_zr[t]).sigmoid_()
        self.s_n[t].add_(self.bias)
        self.n[t].addcmul_(self.r[t], self.s_n[t]).tanh_()
        self.mix(t)

    def step_back(self, t: int) -> None:
        self.mix_back(t)
        x = self.scratch[2]
        torch.mul(self.n[t], self.s_n[t], out=x)
        torch.mul(self.n[t], self.r[t], out=self.s_n[t])  # ds_h = da_h r
        through_sigmoid(x, self.r[t], out=self.r[t])
        self.s_zr[t].copy_(self.zr[t])
        if t > 0:
            self.baddbmm(self.dh[t - 1], self.s[t], self.w_h_T, out=self.dh[t - 1])

    def recurrent_gradient(self, H_T: Tensor, A: Tensor) -> None:  # noqa: ARG002
        S = self.S.flatten(1, 2)
        torch.bmm(H_T, S, out=self.dW_h)
        torch.sum(self.gate(S, "h"), 1, keepdim=True, out=self.db_hh)


LAYERS: dict[str, type[Layer]] = {
    "rnn_tanh": RNNLayer,
    "rnn_relu": RNNLayer,
    "lstm": LSTMLayer,
    "gru_before": GRUBeforeLayer,
    "gru_after": GRUAfterLayer,
}
