"""RNN, LSTM and GRU: one time step each, as in the equations.

Shapes: K lanes, B batch, I inputs (V for one-hot tokens, H for a layer above the first),
H hidden units. Weights W_x* are (K, I, H) and W_h* (K, H, H), biases (K, 1, H), so that a line
broadcasts over lanes and still reads as its formula.

A step is a pure function from the input and the old states to the new states, of which the first
is the layer's output. The loop over time stands outside, in the engines.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, relu, sigmoid, tanh

from rnnlab._common.shapes import Float

# fmt: off  (a line of a signature is a gate)


def rnn_tanh(
    X: Float[Tensor, "K B I"],
    H: Float[Tensor, "K B H"],
    *,
    W_xh: Tensor,
    W_hh: Tensor,
    b_h: Tensor,
) -> tuple[Float[Tensor, "K B H"]]:
    """Elman 1990."""
    H = tanh(X @ W_xh + H @ W_hh + b_h)
    return (H,)


def rnn_relu(
    X: Float[Tensor, "K B I"],
    H: Float[Tensor, "K B H"],
    *,
    W_xh: Tensor,
    W_hh: Tensor,
    b_h: Tensor,
) -> tuple[Float[Tensor, "K B H"]]:
    """The same with rectified linear units (Le et al. 2015)."""
    H = relu(X @ W_xh + H @ W_hh + b_h)
    return (H,)


def lstm(
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
    """Hochreiter and Schmidhuber 1997, with the forget gate of Gers et al. 2000."""
    I = sigmoid(X @ W_xi + H @ W_hi + b_i)
    F = sigmoid(X @ W_xf + H @ W_hf + b_f)
    O = sigmoid(X @ W_xo + H @ W_ho + b_o)
    C_tilde = tanh(X @ W_xc + H @ W_hc + b_c)
    C = F * C + I * C_tilde
    H = O * tanh(C)
    return H, C


def gru_before(
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
) -> tuple[Float[Tensor, "K B H"]]:
    """Cho et al. 2014: the reset gate multiplies the state before the candidate's product."""
    Z = sigmoid(X @ W_xz + H @ W_hz + b_z)
    R = sigmoid(X @ W_xr + H @ W_hr + b_r)
    H_tilde = tanh(X @ W_xh + (R * H) @ W_hh + b_h)
    H = Z * H + (1 - Z) * H_tilde
    return (H,)


def gru_after(
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
    b_hh: Tensor,
) -> tuple[Float[Tensor, "K B H"]]:
    """The reset gate multiplies after the product, which has a bias b_hh of its own.

    The form of cuDNN and torch.nn.GRU: all products of a step can run as one.
    """
    Z = sigmoid(X @ W_xz + H @ W_hz + b_z)
    R = sigmoid(X @ W_xr + H @ W_hr + b_r)
    H_tilde = tanh(X @ W_xh + R * (H @ W_hh + b_hh) + b_h)
    H = Z * H + (1 - Z) * H_tilde
    return (H,)


# fmt: on


@dataclass(frozen=True)
class Cell:
    """A step, the gates whose weights W_x<gate>, W_h<gate>, b_<gate> it takes, and its states."""

    step: Callable[..., tuple[Tensor, ...]]
    gates: str
    states: str
    extra_biases: tuple[str, ...] = ()

    def shapes(self, inputs: int, hiddens: int) -> dict[str, tuple[int, int]]:
        """The parameters of one layer of one lane, in the order in which they are drawn."""
        shapes = {}
        for gate in self.gates:
            shapes[f"W_x{gate}"] = (inputs, hiddens)
            shapes[f"W_h{gate}"] = (hiddens, hiddens)
            shapes[f"b_{gate}"] = (1, hiddens)
        return shapes | dict.fromkeys(self.extra_biases, (1, hiddens))


CELLS = {
    "rnn_tanh": Cell(rnn_tanh, gates="h", states="H"),
    "rnn_relu": Cell(rnn_relu, gates="h", states="H"),
    "lstm": Cell(lstm, gates="ifoc", states="HC"),
    "gru_before": Cell(gru_before, gates="zrh", states="H"),
    "gru_after": Cell(gru_after, gates="zrh", states="H", extra_biases=("b_hh",)),
}
