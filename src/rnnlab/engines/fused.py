"""The default engine: loss and gradients of a stack of lanes without autograd or allocation.

Shapes: K lanes, B batch, T time steps, H hidden units, V vocabulary; in a block k lanes and b rows,
N = T b tokens a lane.

The stack is cut into blocks, a core each: groups of lanes where there are enough of them, else
rows of the batch. A block is one Python thread with one torch thread; torch's operations release
the interpreter lock, so the blocks run side by side without meeting at every time step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from rnnlab.engines.bptt import LAYERS
from rnnlab.model import Model, Parameters, State, layer_parameters
from rnnlab.shapes import Float, Integer

aten = torch.ops.aten


WORTH_SHARING = 4e6  # FLOP; see docs/decisions.md


class Block:
    """Some lanes and some rows of the batch: their buffers, and one pass there and back."""

    def __init__(self, model: Model, lanes: slice, rows: slice, T: int, B: int, like: Tensor):
        self.lanes, self.rows = lanes, rows
        K, b = lanes.stop - lanes.start, rows.stop - rows.start
        V, H = model.vocab_size, model.num_hiddens
        self.T, self.b, self.model = T, b, model
        self.layers = [
            LAYERS[model.cell_name](model.cell_name, K, T, b, H if l else V, H, like=like)
            for l in range(model.num_layers)
        ]
        self.inputs = [like.new_zeros(K, T * b, H) for _ in range(model.num_layers - 1)]
        self.dW_hq, self.db_q = like.new_zeros(K, H, V), like.new_zeros(K, 1, V)
        self.O, self.dO = like.new_zeros(K, T * b, V), like.new_zeros(K, T * b, V)
        self.lane_rows = V * torch.arange(K, device=like.device)[:, None]
        self.share = 1 / (T * B)  # of a token in its lane's mean loss
        self.nats = like.new_zeros(K)
        self.gradients: Parameters = {
            f"{l}.{name}": gradient
            for l, layer in enumerate(self.layers)
            for name, gradient in layer.gradients().items()
        } | {"W_hq": self.dW_hq, "b_q": self.db_q}

    @torch.no_grad()
    def run(
        self,
        parameters: Parameters,
        X: Integer[Tensor, "K B T"],
        Y: Integer[Tensor, "K B T"],
        state: State,
        dropout_masks: list[Tensor] | None,
    ) -> None:
        """Fill `gradients` and `nats` with what this block's tokens add to its lanes' means."""
        own = {name: value[self.lanes] for name, value in parameters.items()}
        tokens = self._time_major(X) + self.lane_rows
        targets = self._time_major(Y)[:, :, None]
        masks = None
        if dropout_masks:
            masks = [mask[self.lanes, :, self.rows].flatten(1, 2) for mask in dropout_masks]
        self._forward(own, tokens.flatten(), state, masks)
        self._output(own, targets)
        self._backward(tokens.flatten(), masks)

    def _time_major(self, X: Integer[Tensor, "K B T"]) -> Integer[Tensor, "k N"]:
        return X[self.lanes, self.rows].transpose(1, 2).flatten(1)

    def _forward(
        self, parameters: Parameters, tokens: Tensor, state: State, masks: list[Tensor] | None
    ) -> None:
        for l, layer in enumerate(self.layers):
            layer.pack(layer_parameters(parameters, l))
            if l == 0:
                layer.look_up(tokens)
            else:
                below = self.layers[l - 1].outputs[:, 1:].flatten(1, 2)
                if masks:
                    below = torch.mul(below, masks[l - 1], out=self.inputs[l - 1])
                layer.project(below)
            layer.forward(tuple(tensor[self.lanes, self.rows] for tensor in state[l]))

    def _output(self, parameters: Parameters, targets: Integer[Tensor, "k N 1"]) -> None:
        """Logits, mean loss and their gradient: dO = (softmax(O) - one_hot(Y)) / (T B)."""
        H = self.layers[-1].outputs[:, 1:].flatten(1, 2)
        torch.baddbmm(parameters["b_q"], H, parameters["W_hq"], out=self.O)
        aten._log_softmax.out(self.O, -1, False, out=self.dO)
        torch.sum(self.dO.gather(2, targets), (1, 2), out=self.nats).mul_(-self.share)
        dO = self.dO.exp_()
        dO.scatter_add_(2, targets, dO.new_full((), -1.0).expand_as(targets)).mul_(self.share)
        torch.bmm(H.transpose(1, 2), dO, out=self.dW_hq)
        torch.sum(dO, 1, keepdim=True, out=self.db_q)
        dH = self.layers[-1].dH.flatten(1, 2)
        torch.bmm(dO, parameters["W_hq"].transpose(1, 2), out=dH)

    def _backward(self, tokens: Tensor, masks: list[Tensor] | None) -> None:
        for l in reversed(range(len(self.layers))):
            layer = self.layers[l]
            layer.backward()
            if l == 0:
                layer.look_up_backward(tokens)
                continue
            below = self.layers[l - 1]
            inputs = self.inputs[l - 1] if masks else below.outputs[:, 1:].flatten(1, 2)
            dX = below.dH.flatten(1, 2)
            layer.project_backward(inputs, dX)
            if masks:
                dX.mul_(masks[l - 1])


class Fused:
    """Loss and gradients of a stack. What it returns lives in its buffers until the next call."""

    def __init__(self, model: Model, workers: int | None = None) -> None:
        self.model = model
        self.workers = workers
        self.cores = torch.get_num_threads()
        self.key: tuple[object, ...] | None = None  # the shapes that the buffers are for

    def loss_and_gradients(
        self,
        parameters: Parameters,
        X: Integer[Tensor, "K B T"],
        Y: Integer[Tensor, "K B T"],
        state: State,
        dropout_masks: list[Float[Tensor, "K T B H"]] | None = None,
    ) -> tuple[Float[Tensor, " K"], Parameters, State]:
        """Each lane's mean cross-entropy (nats), its gradients, and the state to carry on."""
        like = parameters["W_hq"].detach()
        key = (X.shape, like.dtype, like.device)
        if key != self.key:
            self._allocate(X.shape, like)
            self.key = key
        passes = [
            partial(block.run, parameters, X, Y, state, dropout_masks) for block in self.blocks
        ]
        with one_torch_thread():
            self._run_side_by_side(passes)
        self._merge()
        return self.loss, self.gradients, self.state

    def _allocate(self, shape: Sequence[int], like: Tensor) -> None:
        K, B, T = shape
        workers = self.workers or default_workers(self.model, K, B, like.device, self.cores)
        cuts = block_slices(K, B, workers)
        self.blocks = [Block(self.model, lanes, rows, T, B, like) for lanes, rows in cuts]
        self.pool = ThreadPoolExecutor(max(len(cuts) - 1, 1))
        self.loss = like.new_zeros(K)
        self.state = self.model.zero_state(K, B, like.dtype, like.device)
        if len(cuts) == 1:
            self.gradients = self.blocks[0].gradients
        else:
            self.gradients = {
                name: like.new_zeros(K, *gradient.shape[1:])
                for name, gradient in self.blocks[0].gradients.items()
            }

    def _run_side_by_side(self, passes: list[Callable[[], None]]) -> None:
        others = [self.pool.submit(other) for other in passes[1:]]
        passes[0]()
        for other in others:
            other.result()

    def _merge(self) -> None:
        """Lanes side by side; rows of the same lanes summed, in a fixed order."""
        for block in self.blocks:
            own = self.loss[block.lanes]
            own.copy_(block.nats) if block.rows.start == 0 else own.add_(block.nats)
            for l, layer in enumerate(block.layers):
                for kept, last in zip(self.state[l], layer.state(), strict=True):
                    kept[block.lanes, block.rows] = last
            if len(self.blocks) == 1:
                continue
            for name, gradient in block.gradients.items():
                own = self.gradients[name][block.lanes]
                own.copy_(gradient) if block.rows.start == 0 else own.add_(gradient)


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """The blocks are all the threads there are; OpenMP's would spin on the cores of others."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def default_workers(model: Model, K: int, B: int, device: torch.device, cores: int) -> int:
    """A core each on a CPU, once a time step is work enough to share; else one block.

    A GPU runs a block's work side by side by itself. The rule depends on shapes only, so that a
    run is repeated bit by bit.
    """
    work = 2 * K * B * model.num_hiddens**2 * len(model.cell.gates)  # FLOP a time step
    if device.type == "cuda" or work < WORTH_SHARING:
        return 1
    return cores


def block_slices(K: int, B: int, workers: int) -> list[tuple[slice, slice]]:
    """How a stack is cut, as (lanes, rows): whole lanes where there are enough, else rows."""
    if workers <= K:
        return [(lanes, slice(0, B)) for lanes in _cut(K, workers)]
    return [(slice(0, K), rows) for rows in _cut(B, min(workers, B))]


def _cut(length: int, parts: int) -> list[slice]:
    edges = [length * i // parts for i in range(parts + 1)]
    return [slice(start, stop) for start, stop in pairwise(edges)]
