"""Loss and gradients of a stack on a CPU: a lane on each core, or the rows of one on all.

Shapes: K lanes, B batch, T time steps, H hidden units, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from rnnlab._common.shapes import Float, Integer
from rnnlab.nn.engines.compiled.edges import (
    add_looked_up,
    add_products,
    fill,
    look_up,
    loss,
    masked,
)
from rnnlab.nn.engines.compiled.layers import (
    LAYERS,
    Layer,
    Packed,
    Part,
    Sizes,
    Sums,
    Weights,
    alone,
    in_parts,
)
from rnnlab.nn.engines.compiled.tile import in_tiles
from rnnlab.nn.model import ForwardPass, Model, Parameters, State

WORTH_SHARING = 5e7  # FLOP of a lane's minibatch; as measured, see docs/decisions.md
States = list[list[np.ndarray]]  # each layer's (K, B, H)


class Lane:
    """The buffers of one lane at a time; which one was there before leaves no trace."""

    X: np.ndarray  # the minibatch (B, T)
    Y: np.ndarray

    def __init__(
        self, model: Model, T: int, B: int, dtype: np.dtype, is_masked: bool = False
    ) -> None:
        self.model, self.sizes = model, Sizes(T, B, model.num_hiddens, dtype)
        sizes, H, V, above = self.sizes, model.num_hiddens, model.vocab_size, model.num_layers - 1
        gates = len(model.cell.gates)
        self.layers: list[Layer] = [
            LAYERS[model.cell.form](sizes, gates) for _ in range(model.num_layers)
        ]
        self.W_x = [Packed(sizes, H, H, gates) for _ in range(above)]
        self.W_hq = Packed(sizes, H, V)
        self.O = sizes.zeros(T, B, sizes.filled(V))
        self.b_q = np.full(sizes.filled(V), -np.inf, dtype)  # of no token, no probability
        self.nats = np.zeros((T, B))
        self.share = dtype.type(1 / self.nats.size)
        self.masks: list[np.ndarray] = []  # (T, B, H)
        self.masked_inputs = [sizes.series() for _ in range(above if is_masked else 0)]

    def sums(self) -> Sums:
        sizes = self.sizes
        return Sums(sizes, sizes.H, max(map(sizes.filled, (sizes.H, self.model.vocab_size))))

    def begin(self, states: States, k: int) -> None:
        for layer, own in zip(self.layers, states, strict=True):
            for series, first in zip(layer.states, own, strict=True):
                series[0, :, : self.sizes.H] = first[k]

    def keep(self, states: States, k: int) -> None:
        """The states after the last time step."""
        for layer, own in zip(self.layers, states, strict=True):
            for series, last in zip(layer.states, own, strict=True):
                last[k] = series[-1, :, : self.sizes.H]

    def take(self, parameters: Parameters, k: int) -> Iterator[Part]:
        """Pack lane k's weights."""
        weights = numbers(parameters, k)
        for layer, own in zip(self.layers, weights, strict=True):
            yield from layer.take(own)
        for packed, own in zip(self.W_x, weights[1:], strict=True):
            yield from packed.set(own["W_x"])
        yield from self.W_hq.set(parameters.W_hq[k].numpy())
        b_q = parameters.b_q[k, 0].numpy()
        yield alone(np.copyto, self.b_q[: len(b_q)], b_q)

    def passes(self, parameters: Parameters, k: int, number: int) -> Iterator[Part]:
        """There and back: for each of so many threads whole tiles of rows."""
        B, weights = self.sizes.B, numbers(parameters, k)
        for lo, hi in in_tiles(B, number):
            yield alone(self._there_and_back, weights, lo, hi)

    def _there_and_back(self, weights: list[Weights], lo: int, hi: int) -> None:
        self.forward(weights, lo, hi)
        self.backward(lo, hi)

    def forward(self, weights: list[Weights], lo: int, hi: int) -> None:
        """The logits of rows lo..hi-1, in O."""
        H = self.sizes.H
        for l, (layer, own) in enumerate(zip(self.layers, weights, strict=True)):
            if l == 0:
                look_up(layer.A, own["W_x"], own["b_"][0], self.X, lo, hi)
            elif self.masked_inputs:
                masked(self.below(l), self.layers[l - 1].outputs, self.masks[l - 1], lo, hi)
            for gate, A in enumerate(layer.A if l else ()):
                fill(A, own["b_"][0, gate * H : (gate + 1) * H], lo, hi)
                add_products(A, self.below(l), self.W_x[l - 1].forth[gate], lo, hi)
            layer.forward(lo, hi)
        fill(self.O, self.b_q, lo, hi)
        add_products(self.O, self.layers[-1].outputs, self.W_hq.forth[0], lo, hi)

    def backward(self, lo: int, hi: int) -> None:
        """The nats of rows lo..hi-1, and what gradients are sums of."""
        loss(self.O, self.Y, self.nats, self.share, lo, hi)
        from_above = [(self.O, self.W_hq.back[0])]
        for l in reversed(range(len(self.layers))):
            layer = self.layers[l]
            layer.dH[:, lo:hi] = 0
            for dA, W_T in from_above:
                add_products(layer.d_outputs, dA, W_T, lo, hi)
            if l < len(self.masks):
                masked(layer.d_outputs, layer.d_outputs, self.masks[l], lo, hi)
            layer.backward(lo, hi)
            if l > 0:
                from_above = [*zip(layer.A, self.W_x[l - 1].back, strict=True)]

    def below(self, l: int) -> np.ndarray:
        """The input of layer l > 0."""
        return self.masked_inputs[l - 1] if self.masked_inputs else self.layers[l - 1].outputs

    def gradients(self, out: Parameters, k: int, number: int) -> Iterator[Part]:
        """Of lane k's parameters, for so many threads."""
        own = numbers(out, k)
        for l, (layer, gradient) in enumerate(zip(self.layers, own, strict=True)):
            yield from layer.gradients(gradient, number)
            if l > 0:
                dW_x = np.split(gradient["W_x"], len(layer.A), axis=1)
                for each, dA in zip(dW_x, layer.A, strict=True):
                    yield from in_parts(each, self.below(l), dA, number)
        yield lambda _: add_looked_up(own[0]["W_x"], self.layers[0].A, self.X)
        yield from in_parts(out.W_hq[k].numpy(), self.layers[-1].outputs, self.O, number)
        yield partial(Sums.of_rows, out=out.b_q[k, 0].numpy(), dA=self.O)


def numbers(parameters: Parameters, k: int) -> list[Weights]:
    """Lane k's groups of parameters, layer by layer, without a copy."""
    return [{name: W[k].numpy() for name, W in layer.items()} for layer in parameters.layers]


class Steps(NamedTuple):
    """What is done for a lane, made once: a step's work is hundreds of microseconds."""

    lane: Lane
    threads: list[Sums]
    parts: tuple[list[Part], ...]  # one after the other; within one in any order


class Compiled:
    """Loss and gradients of a stack; what it returns lives in its buffers until the next call."""

    def __init__(self, threads: int | None = None, worth_sharing: float = WORTH_SHARING) -> None:
        self.threads = threads or torch.get_num_threads()
        self.worth_sharing = worth_sharing
        self.bound: tuple[Parameters, tuple[int, ...]] | None = None  # what the buffers are for
        self.pool = ThreadPoolExecutor(self.threads)

    @torch.no_grad()
    def loss_and_gradients(
        self,
        parameters: Parameters,
        X: Integer[Tensor, "K B T"],
        Y: Integer[Tensor, "K B T"],
        state: State,
        dropout_masks: list[Float[Tensor, "K T B H"]] | None = None,
    ) -> tuple[Float[Tensor, " K"], Parameters, State]:
        """Each lane's mean cross-entropy (nats), its gradients, and the state to carry on."""
        self._bind(parameters, X.shape, bool(dropout_masks))
        before, tokens, targets = arrays(state), X.numpy(), Y.numpy()
        masks = [mask.numpy() for mask in dropout_masks or ()]

        def train(lanes: range) -> None:
            for k in lanes:
                lane, threads, parts = self.steps[k]
                lane.X, lane.Y, lane.masks = tokens[k], targets[k], [mask[k] for mask in masks]
                lane.begin(before, k)
                for own in parts:
                    self._share(own, threads)
                self.loss[k] = lane.nats.mean()
                lane.keep(self.after, k)

        K = len(self.steps)
        self._together([partial(train, range(n, K, self.at_once)) for n in range(self.at_once)])
        return torch.from_numpy(self.loss), self.gradients, self.state

    def _share(self, parts: list[Part], threads: list[Sums]) -> None:
        waiting = iter(parts)  # whoever is free takes the next

        def work(sums: Sums) -> None:
            for part in waiting:
                part(sums)

        self._together([partial(work, sums) for sums in threads[: len(parts)]])

    def _together(self, calls: list[Callable[[], None]]) -> None:
        """Each on a thread of its own, the first on this one."""
        others = [self.pool.submit(call) for call in calls[1:]]
        calls[0]()
        for other in others:
            other.result()

    def session(
        self,
        parameters: Parameters,  # noqa: ARG002
        shape: Sequence[int],  # noqa: ARG002
    ) -> AbstractContextManager[None]:
        """Nothing: threads and buffers change nothing."""
        return nullcontext()

    def _bind(self, parameters: Parameters, shape: Sequence[int], is_masked: bool) -> None:
        """Make the buffers for these parameters, wherever their values move in place."""
        if self.bound and parameters is self.bound[0] and self.bound[1] == (*shape, is_masked):
            return
        K, B, T = shape
        model, flat = parameters.model, parameters.flat
        threads = self.threads if flop(model, B * T) >= self.worth_sharing else 1
        self.at_once = threads if threads <= K else 1  # lanes; else they share each other's rows
        of_a_lane = threads // self.at_once
        self.gradients = parameters.like(torch.zeros_like(flat))
        desks = []
        for _ in range(self.at_once):
            lane = Lane(model, T, B, flat.numpy().dtype, is_masked)
            desks.append((lane, [lane.sums() for _ in range(of_a_lane)]))
        self.steps = []
        for k in range(K):
            lane, sums = desks[k % self.at_once]
            parts = (
                [*lane.take(parameters, k)],
                [*lane.passes(parameters, k, of_a_lane)],
                [*lane.gradients(self.gradients, k, of_a_lane)],
            )
            self.steps.append(Steps(lane, sums, parts))
        self.loss = flat.new_zeros(K).numpy()
        self.state = model.zero_state(K, B, flat.dtype, flat.device)
        self.after = arrays(self.state)
        self.bound = parameters, (*shape, is_masked)


def arrays(state: State) -> States:
    return [[tensor.numpy() for tensor in layer] for layer in state]


def flop(model: Model, N: int) -> int:
    """Of a lane's minibatch of N tokens."""
    H, V, L = model.num_hiddens, model.vocab_size, model.num_layers
    return 6 * N * H * (H * model.cell.num_gates * (2 * L - 1) + V)


@torch.no_grad()
def forward_pass(parameters: Parameters, T: int, B: int) -> ForwardPass:
    """The logits and the states after them, in buffers."""
    lane = Lane(parameters.model, T, B, parameters.flat.numpy().dtype)
    sums, weights = lane.sums(), numbers(parameters, 0)
    after = parameters.model.zero_state(1, B, parameters.flat.dtype, parameters.flat.device)
    parts = [*lane.take(parameters, 0)]

    def run(X: Tensor, state: State) -> tuple[Tensor, State]:
        for part in parts:
            part(sums)
        lane.X = X[0].numpy()
        lane.begin(arrays(state), 0)
        lane.forward(weights, 0, B)
        lane.keep(arrays(after), 0)
        logits = lane.O[..., : parameters.model.vocab_size].reshape(1, T * B, -1)
        return torch.from_numpy(logits), after

    return run
