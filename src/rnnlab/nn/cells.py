"""RNN, LSTM and GRU: one time step each, as in the equations.

Shapes: K lanes, B batch, I inputs (V for one-hot tokens, H for a layer above the first),
H hidden units. Weights W_x* are (K, I, H) and W_h* (K, H, H), biases (K, 1, H), so that a line
broadcasts over lanes and still reads as its formula.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rnnlab._common.choices import choice, knob
from rnnlab._common.late import torch
from rnnlab._common.shapes import Float, Tensor
from rnnlab.nn.spec import Cell, Shape


def sigmoid(A: Tensor) -> Tensor:
    return torch.sigmoid(A)


def tanh(A: Tensor) -> Tensor:
    return torch.tanh(A)


# fmt: off  (a line of a signature is a gate)


class Activation(StrEnum):
    tanh = "tanh"
    relu = "relu"


@choice("rnn")
@dataclass(frozen=True, kw_only=True)
class RNN(Cell):
    """Elman 1990; with rectified linear units Le et al. 2015."""

    name: str = "rnn"
    activation: Activation = knob("what the sum goes through", default=Activation.tanh)
    gates = "h"

    def step(
        self,
        X: Float[Tensor, "K B I"],
        H: Float[Tensor, "K B H"],
        *,
        W_xh: Tensor,
        W_hh: Tensor,
        b_h: Tensor,
    ) -> tuple[Float[Tensor, "K B H"]]:
        f = torch.relu if self.activation == Activation.relu else tanh
        H = f(X @ W_xh + H @ W_hh + b_h)
        return (H,)

    @property
    def form(self) -> str:
        return f"{self.name}_{self.activation}"


@choice("lstm")
@dataclass(frozen=True, kw_only=True)
class LSTM(Cell):
    """Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000."""

    name: str = "lstm"
    forget_bias: float = knob(
        "where the forget gate's bias starts; 1 keeps the state (Jozefowicz et al. 2015)",
        default=0.0,
    )
    gates = "ifoc"
    states = "HC"

    def step(
        self,
        X: Float[Tensor, "K B I"],
        H: Float[Tensor, "K B H"],
        C: Float[Tensor, "K B H"],
        *,
        W_xi: Tensor,
        W_hi: Tensor,
        b_i: Tensor,
        W_xf: Tensor,
        W_hf: Tensor,
        b_f: Tensor,
        W_xo: Tensor,
        W_ho: Tensor,
        b_o: Tensor,
        W_xc: Tensor,
        W_hc: Tensor,
        b_c: Tensor,
    ) -> tuple[Float[Tensor, "K B H"], Float[Tensor, "K B H"]]:
        I = sigmoid(X @ W_xi + H @ W_hi + b_i)
        F = sigmoid(X @ W_xf + H @ W_hf + b_f)
        O = sigmoid(X @ W_xo + H @ W_ho + b_o)
        C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
        C = F * C + I * C_tilde
        H = O * tanh(C)
        return H, C

    def biases(self) -> dict[str, float]:
        return {"b_f": self.forget_bias}


class Reset(StrEnum):
    """Where the GRU's reset gate multiplies: before or after the candidate's matrix product."""

    before = "before"
    after = "after"


@choice("gru")
@dataclass(frozen=True, kw_only=True)
class GRU(Cell):
    """Cho et al. 2014, whose reset gate multiplies the state before the candidate's product.

    reset=after is the form of cuDNN and torch.nn.GRU: the gate multiplies the product, which has a
    bias b_hh of its own, so that all products of a step can run as one.
    """

    name: str = "gru"
    reset: Reset = knob(
        "whether the reset gate multiplies before or after the product", default=Reset.before
    )
    gates = "zrh"

    def step(
        self,
        X: Float[Tensor, "K B I"],
        H: Float[Tensor, "K B H"],
        *,
        W_xz: Tensor,
        W_hz: Tensor,
        b_z: Tensor,
        W_xr: Tensor,
        W_hr: Tensor,
        b_r: Tensor,
        W_xh: Tensor,
        W_hh: Tensor,
        b_h: Tensor,
        b_hh: Tensor | None = None,
    ) -> tuple[Float[Tensor, "K B H"]]:
        Z = sigmoid(X @ W_xz + H @ W_hz + b_z)
        R = sigmoid(X @ W_xr + H @ W_hr + b_r)
        if b_hh is None:
            H_tilde = tanh(X @ W_xh + (R * H) @ W_hh + b_h)
        else:
            H_tilde = tanh(X @ W_xh + R * (H @ W_hh + b_hh) + b_h)
        H = Z * H + (1 - Z) * H_tilde
        return (H,)

    def shapes(self, inputs: int, hiddens: int) -> dict[str, Shape]:
        own = super().shapes(inputs, hiddens)
        return own | ({"b_hh": (1, hiddens)} if self.reset == Reset.after else {})

    @property
    def form(self) -> str:
        return f"{self.name}_{self.reset}"


# fmt: on

# the forms that come with rnnlab
CELLS: dict[str, Cell] = {
    cell.form: cell
    for cell in (
        RNN(),
        RNN(activation=Activation.relu),
        LSTM(),
        GRU(),
        GRU(reset=Reset.after),
    )
}
