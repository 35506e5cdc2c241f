"""The default engine: loss and gradients of a stack of lanes without autograd or allocation.

Shapes: K lanes, B batch, T time steps, N = T B tokens a lane, H hidden units, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from itertools import repeat

import torch
from torch import Tensor

from rnnlab._common.shapes import Bool, Float, Integer
from rnnlab.nn.engines.stacked import LAYERS, layers
from rnnlab.nn.engines.stacked.aten import log_softmax
from rnnlab.nn.engines.stacked.layers import Layer
from rnnlab.nn.engines.threads import torch_threads
from rnnlab.nn.model import Model, Parameters, State

WORTH_SHARING = 5e5  # FLOP of a time step; as measured, see docs/decisions.md


class Network:
    """The layers of some lanes, and their passes; forward only without `gradient`."""

    def __init__(self, weights: Parameters, gradient: Parameters | None, T: int, B: int) -> None:
        model, K = weights.model, len(weights.flat)
        self.weights, self.gradient = weights, gradient
        layer = getattr(layers, LAYERS[model.cell.form].layer)
        of_layers = gradient.layers if gradient else repeat(None)
        self.layers: list[Layer] = [
            layer(model.cell, T, B, own, own_gradient)
            for own, own_gradient in zip(weights.layers, of_layers, strict=False)
        ]
        new = weights.flat.new_zeros
        self.inputs = [new(K, T * B, model.num_hiddens) for _ in range(model.num_layers - 1)]
        self.O = new(K, T * B, model.vocab_size)
        self.lane_rows = model.vocab_size * torch.arange(K, device=self.O.device)[:, None]

    def forward(
        self, X: Integer[Tensor, "K B T"], state: State, masks: list[Tensor] | None = None
    ) -> Float[Tensor, "K N V"]:
        """The logits O, a lane's tokens in the order of time."""
        self.rows = (X.permute(2, 0, 1) + self.lane_rows).flatten()
        self.below = []  # the inputs of the layers above the first
        for l, layer in enumerate(self.layers):
            if l > 0:
                below = self.layers[l - 1].upward
                if masks:
                    below = torch.mul(below, masks[l - 1].flatten(1, 2), out=self.inputs[l - 1])
                self.below.append(below)
            for gates in layer.gates:
                gates.look_up(self.rows) if l == 0 else gates.project(self.below[l - 1])
            layer.forward(state[l])
        torch.baddbmm(self.weights.b_q, self.layers[-1].upward, self.weights.W_hq, out=self.O)
        return self.O

    def backward(self, dO: Float[Tensor, "K N V"], masks: list[Tensor] | None = None) -> None:
        """Fill the gradient, from that of the loss with respect to the logits."""
        assert self.gradient
        torch.bmm(self.layers[-1].upward.transpose(1, 2), dO, out=self.gradient.W_hq)
        torch.sum(dO, 1, keepdim=True, out=self.gradient.b_q)
        torch.bmm(dO, self.weights.W_hq.transpose(1, 2), out=self.layers[-1].dH.by_lane)
        for l in reversed(range(len(self.layers))):
            layer = self.layers[l]
            layer.backward()
            if l == 0:
                for gates in layer.gates:
                    gates.look_up_backward(self.rows)
                return
            dX = self.layers[l - 1].dH.by_lane.zero_()
            for gates in layer.gates:
                gates.project_backward(self.below[l - 1], dX)
            if masks:
                dX.mul_(masks[l - 1].flatten(1, 2))

    def logits_and_state(
        self, X: Integer[Tensor, "K B T"], state: State
    ) -> tuple[Float[Tensor, "K N V"], State]:
        """The forward pass; both live in buffers until the next one."""
        return self.forward(X, state), self.state()

    def state(self) -> State:
        """The states after the last time step."""
        return tuple(layer.state() for layer in self.layers)


class Stacked:
    """Loss and gradients of a stack. What it returns lives in its buffers until the next call."""

    def __init__(self, dtype: torch.dtype | None = None) -> None:
        self.dtype = dtype  # of all products; None: that of the parameters
        self.cores = torch.get_num_threads()
        self.bound: tuple[Parameters, Sequence[int]] | None = None  # what the buffers are for

    @torch.no_grad()
    def loss_and_gradients(
        self,
        parameters: Parameters,
        X: Integer[Tensor, "K B T"],
        Y: Integer[Tensor, "K B T"],
        state: State,
        dropout_masks: list[Float[Tensor, "K T B H"]] | None = None,
        wanted: Bool[Tensor, " K"] | None = None,  # noqa: ARG002, all lanes are one computation
        begins: Bool[Tensor, " K"] | None = None,  # noqa: ARG002, its first state is zero
    ) -> tuple[Float[Tensor, " K"], Parameters, State]:
        """Each lane's mean cross-entropy (nats), its gradients, and the state to carry on."""
        self._bind(parameters, X.shape)
        network = self.network
        if network.weights.flat.dtype != parameters.flat.dtype:
            network.weights.flat.copy_(parameters.flat)
        logits = network.forward(X, state, dropout_masks)
        # the mean loss, and its gradient dO = (softmax(O) - one_hot(Y)) / (T B)
        dO, share, targets = self.dO, 1 / logits.shape[1], Y.transpose(1, 2).flatten(1)[:, :, None]
        log_softmax(logits.to(dO.dtype), out=dO)
        torch.sum(dO.gather(2, targets), (1, 2), out=self.loss).mul_(-share)
        dO.exp_()
        dO.scatter_add_(2, targets, dO.new_full((), -1.0).expand_as(targets)).mul_(share)
        network.backward(dO.to(logits.dtype), dropout_masks)
        if self.product_gradients is not self.gradients:
            self.gradients.flat.copy_(self.product_gradients.flat)
        return self.loss, self.gradients, network.state()

    def session(self, parameters: Parameters, shape: Sequence[int]) -> AbstractContextManager[None]:
        """Small steps on one thread: two would wait for each other longer than they work."""
        self._bind(parameters, shape)
        return torch_threads(threads_for(parameters.model, shape, self.cores))

    def _bind(self, parameters: Parameters, shape: Sequence[int]) -> None:
        """Make the buffers for these parameters, wherever their values move in place."""
        if self.bound and parameters is self.bound[0] and shape == self.bound[1]:
            return
        K, B, T = shape
        flat = parameters.flat.detach()
        self.gradients = parameters.like(torch.zeros_like(flat))
        weights, self.product_gradients = parameters.like(flat), self.gradients
        if self.dtype not in (None, flat.dtype):
            weights, self.product_gradients = (
                parameters.like(torch.zeros_like(flat, dtype=self.dtype)) for _ in range(2)
            )
        self.network = Network(weights, self.product_gradients, T, B)
        self.dO = torch.zeros_like(self.network.O, dtype=flat.dtype)
        self.loss = flat.new_zeros(K)
        self.bound = (parameters, shape)


def threads_for(model: Model, shape: Sequence[int], cores: int) -> int:
    """One thread for steps of little work, else all; by shape, so that a run repeats exactly."""
    K, B, _ = shape
    step = 2 * K * B * model.num_hiddens**2 * model.cell.num_gates  # FLOP
    return 1 if step < WORTH_SHARING else cores
