"""The gates of a cell, out of its own step: no equation is written twice.

While a step runs, every operation of torch is watched, and each tensor keeps the names of the
parameters that it was made of. The result of a sigmoid, tanh or relu of such a sum is a gate, which
is named as its weights are: sigmoid(X @ W_xz + H @ W_hz + b_z) is z. What is computed of gates has
no parameters of its own: tanh(C) of an LSTM is none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from rnnlab._common.shapes import Bool, Float
from rnnlab.nn.spec import Cell

EDGE = 0.01  # how close to its limit a gate is saturated
SATURATED: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": lambda A: (A < EDGE) | (A > 1 - EDGE),
    "tanh": lambda A: A.abs() > 1 - EDGE,
    "relu": lambda A: A == 0,
}
KINDS = ("W_x", "W_h", "b_")  # what names of parameters begin with; the first names the gate


@dataclass(frozen=True)
class Gate:
    """One nonlinearity of a step, and its values (K, rows, H)."""

    function: str
    values: Float[Tensor, "K rows H"]

    @property
    def saturated(self) -> Bool[Tensor, "K rows H"]:
        """Where its derivative is close to zero."""
        return SATURATED[self.function](self.values)


def gates_of(cell: Cell, rows: Sequence[Tensor], weights: Mapping[str, Tensor]) -> dict[str, Gate]:
    """Of one step from these inputs and states, in the order of its equations."""
    with torch.no_grad(), Watched(weights) as watched:
        cell.step(*rows, **weights)
    return watched.gates


class Watched(TorchFunctionMode):
    """In its block nonlinearities are kept, with the parameters that they came from."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.made_of = {id(tensor): frozenset([name]) for name, tensor in weights.items()}
        self.gates: dict[str, Gate] = {}
        self.kept: list[Any] = []  # as long as a tensor lives its id is its own

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        sources = frozenset[str]().union(*map(self._sources, args))
        name = getattr(func, "__name__", "")
        if name in SATURATED and sources and isinstance(result, Tensor):
            self.gates[self._free(_name(sources))] = Gate(name, result)
            sources = frozenset[str]()
        for tensor in result if isinstance(result, tuple | list) else (result,):
            self.made_of[id(tensor)] = sources
        self.kept.append(result)
        return result

    def _sources(self, argument: Any) -> frozenset[str]:
        if isinstance(argument, tuple | list):  # as of cat
            return frozenset[str]().union(*map(self._sources, argument))
        return self.made_of.get(id(argument), frozenset())

    def _free(self, name: str) -> str:
        """A name that no gate has: of gates that share their parameters the second is z 2."""
        number = 1 + sum(own.partition(" ")[0] == name for own in self.gates)
        return name if number == 1 else f"{name} {number}"


def _name(parameters: frozenset[str]) -> str:
    """z of W_xz, W_hz and b_z; all names where none begins as usual."""
    for kind in KINDS:
        if ends := sorted(p.removeprefix(kind) for p in parameters if p.startswith(kind)):
            return "+".join(ends)
    return "+".join(sorted(parameters))
