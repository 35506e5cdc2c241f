"""Loss and gradients of a stack on a CPU, block by block of each lane's batch rows.

Shapes: K lanes, B batch rows of a block, T time steps, H hidden units, V vocabulary, P parameters.

A block is computed by one thread from beginning to end, into a gradient of its own; blocks add up
in their order. How rows are cut is the minibatch's own: bits depend on nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache, partial

import numpy as np
import torch
from torch import Tensor

from rnnlab._common.shapes import Bool, Float, Integer
from rnnlab.nn.cells import CELLS
from rnnlab.nn.engines.compiled import passes
from rnnlab.nn.engines.compiled.blocks import WORTH_SHARING, blocks, flop
from rnnlab.nn.engines.compiled.buffers import Buffers, Packed, places
from rnnlab.nn.engines.compiled.cells import FORMS
from rnnlab.nn.engines.compiled.crew import Crew
from rnnlab.nn.engines.threads import torch_threads
from rnnlab.nn.model import Model, Parameters, State


class Compiled:
    """Loss and gradients of a stack; what it returns lives in its buffers until the next call."""

    def __init__(self, threads: int | None = None, worth_sharing: float | None = None) -> None:
        self.threads = threads or torch.get_num_threads()
        self.worth_sharing = WORTH_SHARING if worth_sharing is None else worth_sharing
        self.crew = Crew(self.threads)
        self.bound: tuple[Parameters, tuple[int, ...]] | None = None  # what the buffers are for

    @torch.no_grad()
    def loss_and_gradients(
        self,
        parameters: Parameters,
        X: Integer[Tensor, "K B T"],
        Y: Integer[Tensor, "K B T"],
        state: State,
        dropout_masks: list[Float[Tensor, "K T B H"]] | None = None,
        wanted: Bool[Tensor, " K"] | None = None,
        begins: Bool[Tensor, " K"] | None = None,  # noqa: ARG002, its first state is zero
    ) -> tuple[Float[Tensor, " K"], Parameters, State]:
        """Each lane's mean cross-entropy (nats), its gradients, and the state to carry on."""
        self._bind(parameters, X.shape, bool(dropout_masks))
        tokens, targets = (np.ascontiguousarray(each.numpy()) for each in (X, Y))
        masks = np.stack([each.numpy() for each in dropout_masks]) if dropout_masks else self.none
        stacked(state, self.before)
        number = self.threads if self.is_shared else 1
        lanes = np.arange(len(self.p)) if wanted is None else np.flatnonzero(wanted.numpy())
        each = [lanes] if number == 1 else [lanes[i : i + 1] for i in range(len(lanes))]

        def train(lanes: np.ndarray, part: int, thread: int) -> None:
            rows = self.blocks[part]
            packed, own = self._desk(thread, rows.stop - rows.start)
            torch.set_flush_denormal(True)  # on this thread: see docs/decisions.md
            passes.train(
                self.form, lanes, rows.start, rows.stop, self.p, self.parts[part], self.places,
                packed, own, tokens, targets, masks, self.share, self.before, self.after,
                self.nats[part],
            )  # fmt: skip
            torch.set_flush_denormal(False)

        work = [partial(train, some, part) for some in each for part in range(len(self.blocks))]
        self.crew.do(work, number)
        for part in self.parts[1:]:
            self.parts[0] += part
        np.divide(self.nats.sum(0), targets[0].size, out=self.loss)
        return torch.from_numpy(self.loss), self.gradients, self.state

    def session(
        self,
        parameters: Parameters,
        shape: Sequence[int],  # noqa: ARG002
    ) -> AbstractContextManager[None]:
        """torch's own threads would wait spinning, where ours have work."""
        load_kernels(parameters.flat.dtype)
        return torch_threads(1)

    def _bind(self, parameters: Parameters, shape: Sequence[int], is_masked: bool) -> None:
        """Make the buffers for these parameters, wherever their values move in place."""
        if self.bound and parameters is self.bound[0] and self.bound[1] == (*shape, is_masked):
            return
        K, B, T = shape
        model, flat = parameters.model, parameters.flat
        self.p, self.places = flat.numpy(), places(parameters)
        dtype, form = self.p.dtype, model.cell.form
        self.blocks = blocks(model, B, T, self.worth_sharing)
        self.is_shared = K * flop(model, B * T) >= self.worth_sharing
        self.form, self.share = FORMS.index(form), dtype.type(1 / (B * T))
        self.gradients = parameters.like(torch.zeros_like(flat))
        others = [np.zeros_like(self.p) for _ in self.blocks[1:]]
        self.parts = [self.gradients.flat.numpy(), *others]  # the first is that of all in the end
        self.nats, self.loss = np.zeros((len(self.blocks), K)), np.zeros(K, dtype)
        after = flat.new_zeros(model.num_layers, len(model.cell.states), K, B, model.num_hiddens)
        self.state = tuple(tuple(layer) for layer in after)
        self.after = after.numpy()
        self.before = np.zeros_like(self.after)
        self.none = np.zeros((0, K, T, B, model.num_hiddens), dtype)
        self.packed = [Packed.of(model, dtype) for _ in range(self.threads)]
        self.buffers: dict[tuple[int, int], Buffers] = {}
        self.make = partial(Buffers.of, model, T, dtype=dtype, is_masked=is_masked)
        self.bound = parameters, (*shape, is_masked)

    def _desk(self, thread: int, B: int) -> tuple[Packed, Buffers]:
        """A thread's own, for so many rows; what was there before leaves no trace."""
        if not (own := self.buffers.get((thread, B))):
            own = self.buffers[thread, B] = self.make(B)
        return self.packed[thread], own


@cache
def load_kernels(dtype: torch.dtype) -> None:
    """Compile them, or load what is kept, before anything is timed: by a minibatch of one token."""
    model, cpu = Model(cell=CELLS["rnn_tanh"], vocab_size=1, num_hiddens=1), torch.device("cpu")
    token = torch.zeros(1, 1, 1, dtype=torch.int64)
    state = model.zero_state(1, 1, dtype, cpu)
    Compiled(threads=1).loss_and_gradients(model.init([0], dtype, cpu), token, token, state)


def stacked(state: State, out: np.ndarray) -> None:
    """Into one array (L, ., K, B, H)."""
    for own, layer in zip(out, state, strict=True):
        for to, tensor in zip(own, layer, strict=True):
            to[:] = tensor.numpy()
