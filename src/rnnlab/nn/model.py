"""The language model around a cell: its parameters over lanes, their start, and the zero state.

Shapes: K lanes, B batch, I inputs of a layer (V or H), H hidden units, G gates, V vocabulary,
L layers, P parameters of a lane.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from rnnlab._common.shapes import Float, Integer
from rnnlab.nn.initial import recurrent
from rnnlab.nn.seeding import generator
from rnnlab.nn.spec import Spec

State = tuple[tuple[Tensor, ...], ...]  # a layer's states (K, B, H), for each layer
# X (K, B, T) and a state -> the logits (K, T B, V) in the order of time, and the state after them
ForwardPass = Callable[[Tensor, State], tuple[Tensor, State]]


@dataclass(frozen=True, kw_only=True)
class Model(Spec):
    """The sizes that lanes of one stack share, and tensors of these sizes."""

    def init(self, seeds: list[int], dtype: torch.dtype, device: torch.device) -> Parameters:
        """Weights from N(0, cell.init_std^2) and zero biases, lane k from seeds[k].

        Where cell.init and cell.biases say otherwise, all the rest is what it is without them.
        Drawn in fp32 on the CPU whatever dtype and device, so that all start from the same numbers.
        """
        drawn = Parameters(self, torch.zeros(len(seeds), self.num_parameters))
        for k, seed in enumerate(seeds):
            source = generator(seed, "init")
            for name, shape in self.shapes().items():
                own = self.cell.first_values(name.partition(".")[2], shape, source)
                if own is not None:
                    drawn[name][k] = own
                elif "W_" in name:
                    W = torch.empty(shape).normal_(0, self.cell.init_std, generator=source)
                    is_recurrent = ".W_h" in name and shape[0] == shape[1]
                    drawn[name][k] = recurrent(W, self.cell.init) if is_recurrent else W
        for layer in range(self.num_layers):
            for name, value in self.cell.biases().items():
                drawn[f"{layer}.{name}"].fill_(value)
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


Packed = dict[str, Tensor]  # a layer's groups of parameters, by Cell.side_by_side's names


class Parameters(Mapping[str, Tensor]):
    """All parameters of a stack, or their gradients: one tensor, with a view for every name.

    `flat` is (K, P): a lane is a row, so that clipping and update rules are a line each. The names
    of Spec.shapes() are views of it, and so are `layers`: a layer's groups of parameters that lie
    side by side (Cell.side_by_side), each (K, rows, n H). Differentiable with respect to flat.
    """

    def __init__(self, model: Model, flat: Tensor) -> None:
        self.model, self.flat = model, flat
        H, V = model.num_hiddens, model.vocab_size
        groups = model.cell.side_by_side() | {name: [name] for name in model.first_states()}
        places, sizes = [], []
        for layer in range(model.num_layers):
            shapes = model.layer_shapes(layer)
            for kind, names in groups.items():
                rows, columns = shapes[names[0]]
                places.append((layer, kind, names, columns))
                sizes.append((rows, len(names) * columns))
        sizes += [(H, V), (1, V)]
        # split, not slices: its derivative is one concatenation
        parts = flat.split([rows * columns for rows, columns in sizes], 1)
        views = [part.unflatten(1, size) for part, size in zip(parts, sizes, strict=True)]
        *in_layers, self.W_hq, self.b_q = views
        self.layers: list[Packed] = [{} for _ in range(model.num_layers)]
        named = {"W_hq": self.W_hq, "b_q": self.b_q}
        for (layer, kind, names, columns), packed in zip(places, in_layers, strict=True):
            self.layers[layer][kind] = packed
            for name, tensor in zip(names, packed.split(columns, 2), strict=True):
                named[f"{layer}.{name}"] = tensor
        self.names = {name: named[name] for name in model.shapes()}

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
        return self._by_layer[layer]

    @cached_property
    def _by_layer(self) -> list[dict[str, Tensor]]:
        """Put together once: a text that is written asks for them at each token."""
        own = self.model.cell.shapes(1, 1)
        return [
            {name: self.names[f"{layer}.{name}"] for name in own}
            for layer in range(self.model.num_layers)
        ]

    def first_state(self, B: int) -> State:
        """What is before the first token of B texts: zero, or what is learned."""
        K, H, L = len(self.flat), self.model.num_hiddens, self.model.num_layers
        if not self.model.cell.learns_first_state:
            return self.model.zero_state(K, B, self.flat.dtype, self.flat.device)
        names = self.model.first_states()
        return tuple(tuple(self[f"{l}.{n}"].expand(K, B, H) for n in names) for l in range(L))

    def embedded(self, tokens: Integer[Tensor, "K ... B"]) -> Float[Tensor, "K ... B H"]:
        """The tokens' columns of W_hq, with which the first layer begins where they are tied."""
        return torch.stack([W.T[own] for W, own in zip(self.W_hq, tokens, strict=True)])
