"""What the engines that use autograd share: layers, dropout, output layer, loss, gradients.

Shapes: K lanes, B batch, T time steps, I inputs of a layer, H hidden units, V vocabulary.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from rnnlab._common.shapes import Bool, Float, Integer
from rnnlab.nn.model import ForwardPass, Parameters, State
from rnnlab.nn.spec import Cell

Weights = dict[str, Tensor]  # one layer's, under the names of its cell's equations


@dataclass(frozen=True)
class Autograd(ABC):
    """Loss and gradients of a stack of lanes by automatic differentiation."""

    dtype: torch.dtype | None = None  # of all products; None: that of the parameters

    def session(
        self,
        parameters: Parameters,  # noqa: ARG002
        shape: Sequence[int],  # noqa: ARG002
    ) -> AbstractContextManager[None]:
        return nullcontext()

    @abstractmethod
    def layer(
        self,
        cell: Cell,
        weights: Weights,
        X: Float[Tensor, "K T B I"],
        state: tuple[Tensor, ...],
    ) -> tuple[Float[Tensor, "K T B H"], tuple[Tensor, ...]]:
        """One recurrent layer over all time steps: its outputs, and its states after the last."""

    def forward(
        self,
        parameters: Parameters,
        X: Integer[Tensor, "K B T"],
        state: State,
        dropout_masks: list[Float[Tensor, "K T B H"]] | None = None,
    ) -> tuple[Float[Tensor, "K T B V"], State]:
        """The logits for every position, and the state after the last time step.

        `dropout_masks[l]` multiplies what goes from layer l to layer l + 1.
        """
        model = parameters.model
        inputs = self._inputs(parameters, X.transpose(1, 2))
        new_state = []
        for layer in range(model.num_layers):
            if layer > 0 and dropout_masks:
                inputs = inputs * dropout_masks[layer - 1]
            weights = parameters.layer(layer)
            inputs, layer_state = self.layer(model.cell, weights, inputs, state[layer])
            new_state.append(layer_state)
        logits = inputs.flatten(1, 2) @ parameters["W_hq"] + parameters["b_q"]
        return logits.unflatten(1, inputs.shape[1:3]), tuple(new_state)

    def _inputs(
        self, parameters: Parameters, tokens: Integer[Tensor, "K T B"]
    ) -> Float[Tensor, "K T B I"]:
        """Of the first layer: one-hot, or what is tied to the output weights."""
        if parameters.model.cell.tied:
            return parameters.embedded(tokens)
        one_hot = parameters.W_hq.new_zeros(*tokens.shape, parameters.model.vocab_size)
        return one_hot.scatter_(3, tokens[..., None], 1)

    def forward_pass(self, parameters: Parameters) -> ForwardPass:
        """The logits (K, T B, V) in the order of time, and the state after them."""

        def run(X: Tensor, state: State) -> tuple[Tensor, State]:
            logits, after = self.forward(parameters, X, state)
            return logits.flatten(1, 2), after

        return run

    def loss_and_gradients(
        self,
        parameters: Parameters,
        X: Integer[Tensor, "K B T"],
        Y: Integer[Tensor, "K B T"],
        state: State,
        dropout_masks: list[Float[Tensor, "K T B H"]] | None = None,
        wanted: Bool[Tensor, " K"] | None = None,  # noqa: ARG002, the loss is one of all lanes
        begins: Bool[Tensor, " K"] | None = None,
    ) -> tuple[Float[Tensor, " K"], Parameters, State]:
        """Each lane's mean cross-entropy (nats), its gradients, and the state to carry on.

        The state comes back detached: no gradient flows into the minibatch before.
        """
        dtype = self.dtype or parameters.flat.dtype
        leaf = parameters.flat.detach().requires_grad_()
        state = tuple(tuple(tensor.to(dtype) for tensor in layer) for layer in state)
        masks = [mask.to(dtype) for mask in dropout_masks or []]
        weights = parameters.like(leaf.to(dtype))
        if begins is not None and parameters.model.cell.learns_first_state:
            state = _begun(state, weights.first_state(X.shape[1]), begins)
        logits, state = self.forward(weights, X, state, masks)
        # (K, T, B, V) -> (K, V, T, B), the order of cross_entropy: classes second
        nats = cross_entropy(
            logits.movedim(3, 1).to(leaf.dtype), Y.transpose(1, 2).long(), reduction="none"
        )
        loss = nats.mean(dim=(1, 2))
        # the sum over lanes: lanes share no parameter, so each keeps its own gradient
        (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        detached = tuple(
            tuple(tensor.detach().to(leaf.dtype) for tensor in layer) for layer in state
        )
        return loss.detach(), parameters.like(gradient), detached


def _begun(state: State, first: State, begins: Bool[Tensor, " K"]) -> State:
    """The first state in the lanes that begin anew, through which their gradient flows."""
    where = begins[:, None, None]
    return tuple(
        tuple(torch.where(where, new, old) for new, old in zip(*layer, strict=True))
        for layer in zip(first, state, strict=True)
    )
