"""A cell and a model's sizes: what planning needs to know of a network. Imports no torch.

Shapes: K lanes, B batch, I inputs of a layer (V or H), H hidden units, V vocabulary, L layers.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from rnnlab._common.choices import Choice, knob

Shape = tuple[int, int]


class Init(StrEnum):
    """What the recurrent weights W_h<gate> start from; all others are drawn as init_std says."""

    normal = "normal"
    orthogonal = "orthogonal"
    identity = "identity"


class FirstState(StrEnum):
    """What the states are before a text's first token."""

    zero = "zero"
    learned = "learned"


@dataclass(frozen=True, kw_only=True)
class Cell(Choice, ABC):
    """One time step of a recurrent layer: its equations, their parameters, its states.

    To define one, give `step` and either `gates`, for a W_x<gate>, W_h<gate> and b_<gate> each, or
    `shapes`. Fields are its knobs: model.NAME=VALUE.
    """

    group = "model"
    gates: ClassVar[str] = ""
    states: ClassVar[Sequence[str]] = "H"  # the first is the layer's output

    dropout: float = knob(
        "probability of zeroing an activation between two layers", default=0.0, at_least=0, below=1
    )
    init_std: float = knob(
        "weights are drawn from N(0, init_std^2); biases start at zero", default=0.01, at_least=0
    )
    init: Init = knob(
        "of the recurrent weights: normal as all weights, orthogonal, or the identity, with which "
        "relu units keep what they have (Le et al. 2015)",
        default=Init.normal,
    )
    tied: bool = knob(
        "a token enters as its column of the output weights W_hq (Press and Wolf 2017)",
        default=False,
    )
    first_state: FirstState = knob(
        "what the states are before the first token: zero, or learned with all else",
        default=FirstState.zero,
    )

    @abstractmethod
    def step(self, X: Any, *states: Any, **weights: Any) -> tuple[Any, ...]:
        """The new states (K, B, H) from the input X (K, B, I) and the old ones.

        Weights (K, ., .) come under the names of `shapes`. A pure function of tensors: the loop
        over time stands outside, in the engines.
        """

    def shapes(self, inputs: int, hiddens: int) -> dict[str, Shape]:
        """The parameters of one layer of one lane, in the order in which they are drawn.

        Names that begin with W_ are weights, all others biases.
        """
        found = {}
        for gate in self.gates:
            found[f"W_x{gate}"] = (inputs, hiddens)
            found[f"W_h{gate}"] = (hiddens, hiddens)
            found[f"b_{gate}"] = (1, hiddens)
        return found

    def first_values(self, name: str, shape: Shape, generator: Any) -> Any:  # noqa: ARG002
        """What a parameter begins with, where that is not drawn from N(0, init_std^2), or zero."""
        return None

    def biases(self) -> dict[str, float]:
        """Those that do not start at zero, by the names of `shapes`."""
        return {}

    def input_weights(self) -> list[str]:
        """The names of the weights that have a row for each input of the layer."""
        one, two = (self.shapes(inputs, 1) for inputs in (1, 2))
        return [name for name in one if one[name] != two[name]]

    @property
    def form(self) -> str:
        """Which equations these are: its name, or more where a knob changes them."""
        return self.name

    @property
    def around(self) -> str:
        """What makes of the model around it another one, as it is typed; empty for nothing."""
        tied = ["model.tied=true"] if self.tied else []
        learned = ["model.first_state=learned"] if self.learns_first_state else []
        return " ".join(tied + learned)

    @property
    def learns_first_state(self) -> bool:
        return self.first_state == FirstState.learned

    @property
    def num_gates(self) -> int:
        """How many values it computes for a token and a hidden unit, at least."""
        return max(1, sum(name.startswith("W_x") for name in self.shapes(1, 1)))

    def side_by_side(self) -> dict[str, list[str]]:
        """A layer's parameters in groups: what lies side by side in memory can be one product.

        All W_x<gate> as W_x, all W_h<gate> as W_h, all b_<gate> as b_, of gates with one letter;
        others by themselves.
        """
        groups: dict[str, list[str]] = {"W_x": [], "W_h": [], "b_": []}
        for name in self.shapes(1, 1):
            groups.setdefault(name[:-1] if name[:-1] in groups else name, []).append(name)
        return {kind: names for kind, names in groups.items() if names}


@dataclass(frozen=True, kw_only=True)
class Spec:
    """The sizes that lanes of one stack share."""

    cell: Cell
    vocab_size: int
    num_hiddens: int
    num_layers: int = 1

    def inputs(self, layer: int) -> int:
        return self.num_hiddens if layer or self.cell.tied else self.vocab_size

    def first_states(self) -> list[str]:
        """The names of those that a layer learns: H_0, and C_0 of an LSTM."""
        return [f"{name}_0" for name in self.cell.states if self.cell.learns_first_state]

    def layer_shapes(self, layer: int) -> dict[str, Shape]:
        """Of a layer's parameters, by the names that the equations have."""
        H = self.num_hiddens
        return self.cell.shapes(self.inputs(layer), H) | dict.fromkeys(self.first_states(), (1, H))

    def shapes(self) -> dict[str, Shape]:
        """Every parameter of one lane: l.W_xh, l.W_hh, l.b_h and so on for layer l, W_hq, b_q."""
        found = {}
        for layer in range(self.num_layers):
            for name, shape in self.layer_shapes(layer).items():
                found[f"{layer}.{name}"] = shape
        V, H = self.vocab_size, self.num_hiddens
        return found | {"W_hq": (H, V), "b_q": (1, V)}

    @property
    def num_parameters(self) -> int:
        """P, of one lane."""
        return sum(math.prod(shape) for shape in self.shapes().values())
