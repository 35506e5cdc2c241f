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


def normed(A: Float[Tensor, "K B H"], g: Tensor | None) -> Float[Tensor, "K B H"]:
    """Over a layer's units: mean 0, variance 1, times a gain; without a gain A as it is.

    Ba et al. 2016, equation 4, of the sum that goes into each gate.
    """
    if g is None:
        return A
    return g * torch.nn.functional.layer_norm(A, A.shape[-1:])


class Norm(StrEnum):
    none = "none"
    layer = "layer"


@dataclass(frozen=True, kw_only=True)
class Gated(Cell):
    """Of gates, each a function of X W_x + H W_h + b; what stands before the bias may be normed."""

    norm: Norm = knob(
        "of what goes into each gate, over a layer's units: none, or layer (Ba et al. 2016)",
        default=Norm.none,
    )

    def shapes(self, inputs: int, hiddens: int) -> dict[str, Shape]:
        return super().shapes(inputs, hiddens) | dict.fromkeys(self._gains(), (1, hiddens))

    def biases(self) -> dict[str, float]:
        return super().biases() | dict.fromkeys(self._gains(), 1.0)

    def _gains(self) -> list[str]:
        return [f"g_{gate}" for gate in self.gates if self.norm == Norm.layer]

    @property
    def form(self) -> str:
        kind = self.kind
        return f"{kind}_norm" if self.norm == Norm.layer else kind

    @property
    def kind(self) -> str:
        """The form without its norm."""
        return self.name


# fmt: off  (a line of a signature is a gate)


class Activation(StrEnum):
    tanh = "tanh"
    relu = "relu"


@choice("rnn")
@dataclass(frozen=True, kw_only=True)
class RNN(Gated):
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
        g_h: Tensor | None = None,
    ) -> tuple[Float[Tensor, "K B H"]]:
        f = torch.relu if self.activation == Activation.relu else tanh
        H = f(normed(X @ W_xh + H @ W_hh, g_h) + b_h)
        return (H,)

    @property
    def kind(self) -> str:
        return f"{self.name}_{self.activation}"


@choice("lstm")
@dataclass(frozen=True, kw_only=True)
class LSTM(Gated):
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
        g_i: Tensor | None = None,
        g_f: Tensor | None = None,
        g_o: Tensor | None = None,
        g_c: Tensor | None = None,
    ) -> tuple[Float[Tensor, "K B H"], Float[Tensor, "K B H"]]:
        I = sigmoid(normed(X @ W_xi + H @ W_hi, g_i) + b_i)
        F = sigmoid(normed(X @ W_xf + H @ W_hf, g_f) + b_f)
        O = sigmoid(normed(X @ W_xo + H @ W_ho, g_o) + b_o)
        C_tilde = tanh(normed(X @ W_xc + H @ W_hc, g_c) + b_c)
        C = F * C + I * C_tilde
        H = O * tanh(C)
        return H, C

    def biases(self) -> dict[str, float]:
        return super().biases() | {"b_f": self.forget_bias}


class Reset(StrEnum):
    """Where the GRU's reset gate multiplies: before or after the candidate's matrix product."""

    before = "before"
    after = "after"


@choice("gru")
@dataclass(frozen=True, kw_only=True)
class GRU(Gated):
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
        g_z: Tensor | None = None,
        g_r: Tensor | None = None,
        g_h: Tensor | None = None,
    ) -> tuple[Float[Tensor, "K B H"]]:
        Z = sigmoid(normed(X @ W_xz + H @ W_hz, g_z) + b_z)
        R = sigmoid(normed(X @ W_xr + H @ W_hr, g_r) + b_r)
        if b_hh is None:
            H_tilde = tanh(normed(X @ W_xh + (R * H) @ W_hh, g_h) + b_h)
        else:
            H_tilde = tanh(normed(X @ W_xh + R * (H @ W_hh + b_hh), g_h) + b_h)
        H = Z * H + (1 - Z) * H_tilde
        return (H,)

    def shapes(self, inputs: int, hiddens: int) -> dict[str, Shape]:
        own = super().shapes(inputs, hiddens)
        return own | ({"b_hh": (1, hiddens)} if self.reset == Reset.after else {})

    @property
    def kind(self) -> str:
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
