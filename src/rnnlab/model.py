"""The language model around a cell: its parameters over lanes, their start, and the zero state.

Shapes: K lanes, B batch, H hidden units, V vocabulary, L layers. Parameters are one flat dict:
layer l's are named l.W_xh, l.W_hh, l.b_h and so on, the output layer's W_hq (K, H, V) and
b_q (K, 1, V).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from rnnlab.cells import CELLS, Cell
from rnnlab.seeding import generator

Parameters = dict[str, Tensor]
State = tuple[tuple[Tensor, ...], ...]  # a layer's states (K, B, H), for each layer


@dataclass(frozen=True, kw_only=True)
class Model:
    """The sizes that lanes of one stack share."""

    cell_name: str  # a key of cells.CELLS
    vocab_size: int
    num_hiddens: int
    num_layers: int = 1
    dropout: float = 0.0
    init_std: float = 0.01

    @property
    def cell(self) -> Cell:
        return CELLS[self.cell_name]

    def shapes(self) -> dict[str, tuple[int, int]]:
        """Every parameter of one lane."""
        V, H = self.vocab_size, self.num_hiddens
        shapes = {}
        for layer in range(self.num_layers):
            inputs = V if layer == 0 else H
            for name, shape in self.cell.shapes(inputs, H).items():
                shapes[f"{layer}.{name}"] = shape
        return shapes | {"W_hq": (H, V), "b_q": (1, V)}

    def init(self, seeds: list[int], dtype: torch.dtype, device: torch.device) -> Parameters:
        """Weights from N(0, init_std^2) and zero biases, lane k from seeds[k].

        Drawn in fp32 whatever the dtype, so that precisions start from the same numbers.
        """
        generators = [generator(seed, "init") for seed in seeds]
        parameters = {}
        for name, shape in self.shapes().items():
            stacked = torch.zeros(len(seeds), *shape)
            if "W_" in name:
                for lane, source in zip(stacked, generators, strict=True):
                    lane.normal_(0, self.init_std, generator=source)
            parameters[name] = stacked.to(device, dtype)
        return parameters

    def zero_state(self, K: int, B: int, dtype: torch.dtype, device: torch.device) -> State:
        """H_0 (and C_0) = 0 for every layer."""

        def zeros() -> Tensor:
            return torch.zeros(K, B, self.num_hiddens, dtype=dtype, device=device)

        return tuple(tuple(zeros() for _ in self.cell.states) for _ in range(self.num_layers))


def layer_parameters(parameters: Parameters, layer: int) -> Parameters:
    """Layer `layer`'s parameters under the names of its cell's equations."""
    prefix = f"{layer}."
    return {
        name.removeprefix(prefix): value
        for name, value in parameters.items()
        if name.startswith(prefix)
    }
