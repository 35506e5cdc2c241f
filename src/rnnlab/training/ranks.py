"""One job over several processes: torchrun --nproc-per-node N run.py ...

Each process, a rank, computes its part of every minibatch's rows. What they come to is added up in
one all-reduce a step, in which each finds all of it: the gradient, the loss, the hidden states of
all rows, and whether somebody wants to stop. So all ranks know all there is to know after each
step, any of them could go on alone, and the first one writes what is written.

Shapes: P parameters, B batch, H hidden units; a job is one lane, K = 1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from rnnlab._common.shapes import Bool, Float, Integer
from rnnlab.nn.engines import Computation
from rnnlab.nn.model import Parameters, State

PATIENCE = timedelta(days=7)  # with a rank that lives: the first one evaluates and writes between


class RankLostError(RuntimeError):
    """Another rank has ended."""


class Ranks:
    """This process among those of its job."""

    def __init__(self, device: torch.device) -> None:
        """Meets the others, which torchrun's environment tells of."""
        if device.type == "cuda":
            torch.cuda.set_device(device)
        backend = "nccl" if device.type == "cuda" else "gloo"
        dist.init_process_group(backend, timeout=PATIENCE)
        self.rank, self.size, self.device = dist.get_rank(), dist.get_world_size(), device
        self.wish = self.agreed = False  # to stop: of this rank, and of any at the last step

    def rows(self, B: int) -> slice:
        """Those of a minibatch that are this rank's."""
        return slice(B * self.rank // self.size, B * (self.rank + 1) // self.size)

    def agreeing(self, stop: Callable[[], bool]) -> Callable[[], bool]:
        """Says the same to all ranks before a minibatch: whether one of them has wanted it."""

        def is_agreed() -> bool:
            self.wish = self.wish or stop()
            return self.agreed

        return is_agreed

    def add_up(self, numbers: Tensor) -> None:
        """In place, over all ranks; raises RankLostError where one is gone."""
        try:
            dist.all_reduce(numbers)
        except RuntimeError as error:
            raise RankLostError(f"one of the job's {self.size} processes has ended") from error

    def share(self, known: Any) -> Any:
        """What the first rank knows."""
        box = [known]
        try:
            dist.broadcast_object_list(box, device=self.device)
        except RuntimeError as error:
            raise RankLostError(f"one of the job's {self.size} processes has ended") from error
        return box[0]

    def leave(self) -> None:
        dist.destroy_process_group()


class OverRanks:
    """An engine that computes this rank's rows, and gets the others' from them."""

    def __init__(self, engine: Computation, ranks: Ranks) -> None:
        self.engine, self.ranks = engine, ranks
        self.sent = torch.empty(0)
        self.is_ready = False  # so are the others

    def loss_and_gradients(
        self,
        parameters: Parameters,
        X: Integer[Tensor, "1 B T"],
        Y: Integer[Tensor, "1 B T"],
        state: State,
        dropout_masks: list[Float[Tensor, "1 T B H"]] | None = None,
        wanted: Bool[Tensor, " 1"] | None = None,
        begins: Bool[Tensor, " 1"] | None = None,
    ) -> tuple[Float[Tensor, " 1"], Parameters, State]:
        """Of the whole minibatch, the same for all ranks. Raises RankLostError."""
        B = X.shape[1]
        rows = self.ranks.rows(B)
        own = tuple(tuple(tensor[:, rows] for tensor in layer) for layer in state)
        masks = [mask[:, :, rows] for mask in dropout_masks or []]
        loss, gradients, after = self.engine.loss_and_gradients(
            parameters, X[:, rows], Y[:, rows], own, masks, wanted, begins
        )
        P, share = parameters.flat.numel(), (rows.stop - rows.start) / B
        size = P + 2 + sum(tensor.numel() for layer in state for tensor in layer)
        if len(self.sent) != size:
            self.sent = parameters.flat.new_zeros(size)
        sent = self.sent
        torch.mul(gradients.flat[0], share, out=sent[:P])
        sent[P], sent[P + 1] = loss[0] * share, self.ranks.wish
        place, carried = P + 2, []
        for layer, new in zip(state, after, strict=True):
            views = []
            for whole, part in zip(layer, new, strict=True):
                view = sent[place : place + whole.numel()].view_as(whole)
                view.zero_()
                view[:, rows] = part
                place += whole.numel()
                views.append(view)
            carried.append(tuple(views))
        self.ranks.add_up(sent)
        self.ranks.agreed = bool(sent[P + 1] > 0)
        return sent[P : P + 1], parameters.like(sent[None, :P]), tuple(carried)

    def session(self, parameters: Parameters, shape: Sequence[int]) -> AbstractContextManager[None]:
        K, B, T = shape
        rows = self.ranks.rows(B)
        made = self.engine.session(parameters, (K, rows.stop - rows.start, T))
        if not self.is_ready:
            self.ranks.add_up(torch.zeros(1, device=self.ranks.device))
            self.is_ready = True
        return made
