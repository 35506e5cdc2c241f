"""The high-level form: torch.nn.RNN, LSTM and GRU on one-hot input, one module a layer.

The modules have two bias vectors where the equations have one. The second, b_hh, is held at
zero and is no parameter, so that clipping sees the same norm; only the candidate of the GRU
keeps it. torch.nn.GRU exists with reset=after only.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.func import functional_call

from rnnlab._common.shapes import Float
from rnnlab.nn.engines.autograd import Autograd, Weights
from rnnlab.nn.spec import Cell

GATES = {"rnn": "h", "lstm": "ifco", "gru": "rzh"}  # in the order in which torch.nn stacks them


class Modules(Autograd):
    """torch.nn's modules over the same stacked parameters, lane after lane."""

    def layer(
        self,
        cell: Cell,
        weights: Weights,
        X: Float[Tensor, "K T B I"],
        state: tuple[Tensor, ...],
    ) -> tuple[Float[Tensor, "K T B H"], tuple[Tensor, ...]]:
        module = _module(cell.form, X.shape[-1], state[0].shape[-1])
        outputs, states = [], []
        for k in range(len(X)):
            named = named_weights(cell, weights, k)
            lane_state = tuple(tensor[k : k + 1] for tensor in state)  # nn wants (layers, B, H)
            given = lane_state if len(lane_state) > 1 else lane_state[0]
            output, new = functional_call(module, named, (X[k], given))
            outputs.append(output)
            states.append(new if isinstance(new, tuple) else (new,))
        stacked = tuple(torch.cat(lanes) for lanes in zip(*states, strict=True))
        return torch.stack(outputs), stacked


def _module(form: str, inputs: int, hiddens: int) -> nn.Module:
    """A module that holds no weights of its own: they are passed in at each call."""
    with torch.device("meta"):
        match form:
            case "rnn_tanh":
                return nn.RNN(inputs, hiddens)
            case "rnn_relu":
                return nn.RNN(inputs, hiddens, nonlinearity="relu")
            case "lstm":
                return nn.LSTM(inputs, hiddens)
            case "gru_after":
                return nn.GRU(inputs, hiddens)
    raise ValueError(f"torch.nn has no {form}")


def named_weights(cell: Cell, weights: Weights, k: int) -> Weights:
    """Lane k's weights of a layer under torch.nn's names: transposed, gates stacked by rows."""
    gates = GATES[cell.name]
    b_h = torch.cat([weights[f"b_{gate}"][k, 0] for gate in gates])
    second = torch.zeros_like(b_h)
    if "b_hh" in weights:  # the candidate is the last gate
        second = torch.cat([second[: -weights["b_hh"].shape[-1]], weights["b_hh"][k, 0]])
    return {
        "weight_ih_l0": torch.cat([weights[f"W_x{gate}"][k].T for gate in gates]),
        "weight_hh_l0": torch.cat([weights[f"W_h{gate}"][k].T for gate in gates]),
        "bias_ih_l0": b_h,
        "bias_hh_l0": second,
    }
