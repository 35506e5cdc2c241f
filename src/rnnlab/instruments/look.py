"""A look at a model: its parameters, a probe, and what several instruments read of both.

Shapes: K lanes, B sequences, T time steps, N tokens of a text, I inputs of a layer, H hidden units,
V vocabulary, P parameters.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from rnnlab._common.shapes import Float, Integer
from rnnlab.instruments.gates import Gate, gates_of
from rnnlab.nn.engines import reading
from rnnlab.nn.generation import entering
from rnnlab.nn.model import Parameters
from rnnlab.training.clips import Clip

States = list[tuple[Tensor, ...]]  # for every layer each of its states, (K, T, B, H)


@dataclass(frozen=True, eq=False)
class Look:
    """All texts begin at the first state; dropout is left out."""

    parameters: Parameters
    windows: Integer[Tensor, "K B T+1"]  # of the probe: inputs, and targets one further
    text: Integer[Tensor, "K N"]
    clip: Clip
    theta: Float[Tensor, " K"]

    @property
    def inputs(self) -> Integer[Tensor, "K B T"]:
        return self.windows[..., :-1]

    @cached_property
    def states(self) -> States:
        """After each token of the windows."""
        return unrolled(self.parameters, self.inputs)

    @cached_property
    def states_of_text(self) -> States:
        """After each token of the text, B = 1."""
        return unrolled(self.parameters, self.text[:, None])

    @cached_property
    def gates(self) -> dict[str, Gate]:
        """Of all windows and time steps, by layer and name: 0.z, 0.r, 0.h."""
        model, found = self.parameters.model, {}
        first = self.parameters.first_state(self.inputs.shape[1])
        for layer, states in enumerate(self.states):
            weights = self.parameters.layer(layer)
            if layer == 0:
                below, weights = entering(self.parameters, self.inputs.transpose(1, 2))
            else:
                below = self.states[layer - 1][0]
            begun = zip(first[layer], states, strict=True)
            before = [torch.cat([H_0[:, None], H[:, :-1]], 1) for H_0, H in begun]
            rows = [each.flatten(1, 2) for each in (below, *before)]  # a step knows no time
            own = gates_of(model.cell, rows, weights)
            found |= {f"{layer}.{name}": gate for name, gate in own.items()}
        return found

    @cached_property
    def gradients(self) -> Parameters:
        """Of the mean loss over the windows, before clipping."""
        model, flat = self.parameters.model, self.parameters.flat
        engine = reading(model.cell).computation()
        X, Y = self.inputs, self.windows[..., 1:]
        K, B, _ = X.shape
        zero = model.zero_state(K, B, flat.dtype, flat.device)
        with engine.session(self.parameters, X.shape), torch.enable_grad():
            begins = torch.ones(K, dtype=torch.bool, device=flat.device)
            return engine.loss_and_gradients(self.parameters, X, Y, zero, begins=begins)[1]


def unrolled(
    parameters: Parameters,
    X: Integer[Tensor, "K B T"],
    returned: list[list[tuple[Tensor, ...]]] | None = None,
) -> States:
    """The cell's own step through time.

    To `returned` is added, by layer, time step and state, what each step returned: the very tensors
    (K, B, H), of which derivatives can be taken.
    """
    model, (_, B, T) = parameters.model, X.shape
    inputs, first = entering(parameters, X.transpose(1, 2))
    found: States = []
    for layer, state in enumerate(parameters.first_state(B)):
        weights, steps = parameters.layer(layer) if layer else first, []
        for t in range(T):
            state = model.cell.step(inputs[:, t], *state, **weights)
            if returned is not None:
                state = tuple(each.requires_grad_() for each in state)  # one that counts has none
            steps.append(state)
        if returned is not None:
            returned.append(steps)
        found.append(tuple(torch.stack(own, 1) for own in zip(*steps, strict=True)))
        inputs = found[-1][0]
    return found


def nats(
    parameters: Parameters, states: States, Y: Integer[Tensor, "K B T"]
) -> Float[Tensor, "K B T"]:
    """What each target costs after these states."""
    H = states[-1][0].flatten(1, 2)
    return costs(H @ parameters.W_hq + parameters.b_q, Y)


def costs(logits: Float[Tensor, "K TB V"], Y: Integer[Tensor, "K B T"]) -> Float[Tensor, "K B T"]:
    """-log p of each target, from logits in the order of time."""
    targets = Y.transpose(1, 2)
    cost = cross_entropy(logits.flatten(0, 1), targets.flatten().long(), reduction="none")
    return cost.unflatten(0, targets.shape).transpose(1, 2)
