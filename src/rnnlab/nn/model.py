"""The language model around a cell: its parameters over lanes, their start, and the zero state.

Shapes: K lanes, B batch, I inputs of a layer (V or H), H hidden units, G gates, V vocabulary,
L layers, P parameters of a lane.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from rnnlab.nn.cells import CELLS, Cell
from rnnlab.nn.seeding import generator

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

    def inputs(self, layer: int) -> int:
        return self.num_hiddens if layer else self.vocab_size

    def shapes(self) -> dict[str, tuple[int, int]]:
        """Every parameter of one lane: l.W_xh, l.W_hh, l.b_h and so on for layer l, W_hq, b_q."""
        shapes = {}
        for layer in range(self.num_layers):
            for name, shape in self.cell.shapes(self.inputs(layer), self.num_hiddens).items():
                shapes[f"{layer}.{name}"] = shape
        V, H = self.vocab_size, self.num_hiddens
        return shapes | {"W_hq": (H, V), "b_q": (1, V)}

    @property
    def num_parameters(self) -> int:
        return sum(rows * columns for rows, columns in self.shapes().values())

    def init(self, seeds: list[int], dtype: torch.dtype, device: torch.device) -> Parameters:
        """Weights from N(0, init_std^2) and zero biases, lane k from seeds[k].

        Drawn in fp32 on the CPU whatever dtype and device, so that all start from the same numbers.
        """
        drawn = Parameters(self, torch.zeros(len(seeds), self.num_parameters))
        for k, seed in enumerate(seeds):
            source = generator(seed, "init")
            for name in self.shapes():
                if "W_" in name:
                    shape = drawn[name][k].shape
                    drawn[name][k] = torch.empty(shape).normal_(0, self.init_std, generator=source)
        return drawn.like(drawn.flat.to(device, dtype))

    def gather(self, named: Mapping[str, Tensor]) -> Parameters:
        """Parameters from tensors (K, ., .) under their names, copied side by side."""
        first = named["b_q"]
        gathered = Parameters(self, first.new_zeros(len(first), self.num_parameters))
        for name, view in gathered.items():
            view.copy_(named[name])
        return gathered

    def zero_state(self, K: int, B: int, dtype: torch.dtype, device: torch.device) -> State:
        """H_0 (and C_0) = 0 for every layer."""

        def zeros() -> Tensor:
            return torch.zeros(K, B, self.num_hiddens, dtype=dtype, device=device)

        return tuple(tuple(zeros() for _ in self.cell.states) for _ in range(self.num_layers))


@dataclass(frozen=True, eq=False)
class Packed:
    """One layer's parameters, the gates side by side in the order of cell.gates."""

    W_x: Tensor  # (K, I, G H)
    W_h: Tensor  # (K, H, G H)
    b: Tensor  # (K, 1, G H)
    extra_biases: tuple[Tensor, ...]  # (K, 1, H) each


class Parameters(Mapping[str, Tensor]):
    """All parameters of a stack, or their gradients: one tensor, with a view for every name.

    `flat` is (K, P): a lane is a row, so that clipping and update rules are a line each. `layers`
    and the names of Model.shapes() are views of it. Differentiable with respect to flat.
    """

    def __init__(self, model: Model, flat: Tensor) -> None:
        self.model, self.flat = model, flat
        H, V, cell = model.num_hiddens, model.vocab_size, model.cell
        GH, extra = len(cell.gates) * H, len(cell.extra_biases)
        shapes = []
        for layer in range(model.num_layers):
            shapes += [(model.inputs(layer), GH), (H, GH), (1, GH), *[(1, H)] * extra]
        shapes += [(H, V), (1, V)]
        # split, not slices: its derivative is one concatenation
        parts = flat.split([rows * columns for rows, columns in shapes], 1)
        views = iter([part.unflatten(1, shape) for part, shape in zip(parts, shapes, strict=True)])
        self.layers: list[Packed] = []
        self.names: dict[str, Tensor] = {}
        for layer in range(model.num_layers):
            W_x, W_h, b, *biases = (next(views) for _ in range(3 + extra))
            self.layers.append(Packed(W_x, W_h, b, tuple(biases)))
            by_gate = (packed.split(H, 2) for packed in (W_x, W_h, b))
            for gate, *tensors in zip(cell.gates, *by_gate, strict=True):
                for kind, tensor in zip(("W_x", "W_h", "b_"), tensors, strict=True):
                    self.names[f"{layer}.{kind}{gate}"] = tensor
            for name, bias in zip(cell.extra_biases, biases, strict=True):
                self.names[f"{layer}.{name}"] = bias
        self.W_hq, self.b_q = views
        self.names |= {"W_hq": self.W_hq, "b_q": self.b_q}

    def __getitem__(self, name: str) -> Tensor:
        return self.names[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def like(self, flat: Tensor) -> Parameters:
        """Another tensor (K, P) under the same names."""
        return Parameters(self.model, flat)

    def layer(self, layer: int) -> dict[str, Tensor]:
        """Layer `layer`'s parameters under the names of its cell's equations."""
        prefix = f"{layer}."
        return {
            name.removeprefix(prefix): value
            for name, value in self.names.items()
            if name.startswith(prefix)
        }
