"""The training loop, over a stack of lanes. Knows no Hydra and no paths.

Shapes: K lanes, B batch, T time steps, M minibatches of an epoch, N tokens of all texts together.

A run is a lane; a single run is the stack with K = 1. Lanes share shapes (Recipe) and differ in
learning rate and schedule, theta, sampler, seed, text and length (Lane). A lane that has no
minibatch in a step, has finished or has diverged is masked: neither its parameters nor its state
change, and what it computes never depends on its neighbours.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rnnlab._common.shapes import Bool, Float, Integer
from rnnlab.nn.engines import ENGINES, Computation, Engine
from rnnlab.nn.model import Model, Parameters, State
from rnnlab.nn.seeding import generator
from rnnlab.training.clips import ByNorm, Clip, NoClip
from rnnlab.training.graph import StepGraph
from rnnlab.training.metrics import Epoch, Minibatch, Sums
from rnnlab.training.optim import global_norm
from rnnlab.training.plan import LaneEpoch, Plan
from rnnlab.training.precision import PRECISIONS, Precision, tf32_allowed
from rnnlab.training.ranks import OverRanks, Ranks
from rnnlab.training.rules import SGD, OptimizerChoice
from rnnlab.training.samplers import Sampler
from rnnlab.training.schedules import Schedule

ON_A_GPU = 1 << 31  # bytes of the texts that it holds at most


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What the lanes of a stack share."""

    model: Model
    batch_size: int
    num_steps: int
    optimizer: OptimizerChoice
    device: torch.device
    clip: Clip = ByNorm()
    engine: Engine = ENGINES["fused"]
    precision: Precision = PRECISIONS["fp32"]
    max_minibatches: int | None = None
    repeat_first_epoch: bool = False

    @property
    def is_one_pass(self) -> bool:
        """Clipping and update are one compiled pass over the gradients."""
        is_known = type(self.optimizer) is SGD and type(self.clip) in (ByNorm, NoClip)
        return self.engine.is_compiled and is_known


@dataclass(frozen=True, kw_only=True, eq=False)
class Lane:
    """What is a lane's own."""

    tokens: Integer[Tensor, " N"]
    sampler: Sampler
    lr: float
    theta: float
    seed: int
    num_epochs: int
    schedule: Schedule = field(default_factory=Schedule)
    # of a text in a file: so many tokens from each of these places on
    read: Callable[[NDArray[np.integer], int], NDArray[np.integer]] | None = None


class Training:
    """Trains a stack, epoch by epoch; its attributes are all there is to a run's state."""

    def __init__(self, recipe: Recipe, lanes: list[Lane], ranks: Ranks | None = None) -> None:
        """`ranks` compute a part of the rows each, of a single lane."""
        self.recipe, self.lanes, self.ranks = recipe, lanes, ranks
        self.precision = recipe.precision
        like = {"dtype": self.precision.parameters, "device": recipe.device}
        self.engine: Computation = recipe.engine.computation(self.precision.products)
        if ranks:
            self.engine = OverRanks(self.engine, ranks)
        self.clip = recipe.clip.clip
        self.lr = torch.tensor([lane.lr for lane in lanes], **like)  # of the epoch under way
        self.theta = torch.tensor([lane.theta for lane in lanes], **like)
        texts, self.text_starts = _join([lane.tokens for lane in lanes], recipe.device)
        self.windows = texts.unfold(0, recipe.num_steps + 1, 1)

        self.read = lanes[0].read  # lanes with such a text have the same one

        self.shape = torch.Size([len(lanes), recipe.batch_size, recipe.num_steps])
        self.parameters = recipe.model.init([lane.seed for lane in lanes], **like)
        self.optimizer = recipe.optimizer.start(self.parameters)
        self.state = recipe.model.zero_state(len(lanes), recipe.batch_size, **like)
        self.epoch = 0  # epochs completed
        self.minibatch = 0  # minibatches done in the epoch under way
        self.num_minibatches = 0  # that it has
        self.seconds = 0.0  # spent in it
        self.sums = Sums(len(lanes), recipe.device)
        recordable = recipe.engine.is_recordable and recipe.optimizer.is_recordable
        on_gpu = self.windows.is_cuda and not (ranks or self.read)
        self.step = StepGraph(self._step) if recordable and on_gpu else self._step
        # until loss, gradient, weights or an epoch's perplexity are not finite
        self.healthy = torch.ones(len(lanes), dtype=torch.bool, device=recipe.device)
        self.diverged: list[tuple[int, int] | None] = [None] * len(lanes)  # epoch, minibatch
        self.finish = self._finish
        if recipe.is_one_pass:
            from rnnlab.training.one_pass import OnePass

            theta = self.theta if recipe.clip.uses_theta else None
            self.finish = OnePass(
                self.parameters, self.lr, theta, self.healthy, self.sums, self.state
            )

    def run_epoch(self, stop: Callable[[], bool] = lambda: False) -> list[Epoch | None] | None:
        """Train to the end of the epoch and return each lane's figures, None for an idle lane.

        `stop` is asked before every minibatch; once it says so, run_epoch returns None, and
        a later call goes on where this one left off.
        """
        tf32 = tf32_allowed(self.precision.tf32)
        with tf32, self.engine.session(self.parameters, self.shape):
            self.began = time.perf_counter() - self.seconds
            self._set_lr()
            plan = self._plan()
            self.num_minibatches = len(plan)
            while self.minibatch < self.num_minibatches:
                if stop():
                    self.seconds = time.perf_counter() - self.began
                    return None
                self.step(*plan[self.minibatch], *self._dropout_masks())
                self.minibatch += 1
        self.epoch += 1
        largest = torch.linalg.vector_norm(self.parameters.flat, ord=torch.inf, dim=1)
        self.healthy &= largest.isfinite()
        lanes = self.sums.read()  # the host waits for the device here and in `so_far` only
        self.seconds = time.perf_counter() - self.began
        figures = self._figures(lanes, self.epoch)
        for k, healthy in enumerate(self.healthy.tolist()):
            own = figures[k]
            beyond = own is not None and math.isinf(own["perplexity"])
            if (beyond or not healthy) and self.diverged[k] is None:
                self.healthy[k] = False
                self.diverged[k] = (self.epoch, min(int(lanes[k]["updates"]) + 1, self.minibatch))
        self.sums.clear()
        self.minibatch, self.seconds = 0, 0.0
        return figures

    def so_far(self) -> list[Epoch | None]:
        """Each lane's figures of the epoch under way; may be asked for by `stop`."""
        lanes = self.sums.read()
        self.seconds = time.perf_counter() - self.began
        return self._figures(lanes, self.epoch + 1)

    def _figures(self, lanes: list[dict[str, float]], epoch: int) -> list[Epoch | None]:
        """`lanes` are their sums."""
        given = zip(lanes, self.lanes, self._rates(epoch - 1), strict=True)
        return [
            Epoch.of(sums, epoch, self.seconds, None if lane.schedule.is_constant else rate)
            for sums, lane, rate in given
        ]

    def _rates(self, epoch: int) -> list[float]:
        """Each lane's learning rate in the epoch after so many."""
        return [lane.lr * lane.schedule.after(epoch) for lane in self.lanes]

    def _set_lr(self) -> None:
        """In place: a recorded step, and one in numpy, look where the tensor has been."""
        self.lr.copy_(torch.tensor(self._rates(self.epoch), dtype=self.lr.dtype))

    def snapshot(self, k: int) -> dict[str, Tensor]:
        """Copies of all that lane k's next step depends on, besides its parameters and position."""
        state = {
            f"state.{l}.{i}": tensor[k].clone()
            for l, layer in enumerate(self.state)
            for i, tensor in enumerate(layer)
        }
        optimizer = self.optimizer.snapshot(k)
        return {
            **state,
            **{f"optimizer.{name}": value for name, value in optimizer.items()},
            "sums": self.sums.values[:, k].clone(),
            "healthy": self.healthy[k].clone(),
        }

    def restore(self, k: int, parameters: Parameters, saved: dict[str, Tensor]) -> None:
        """Put lane k where `snapshot` found it; raises KeyError or RuntimeError if it is another's.

        The position, `epoch` and `minibatch`, is the stack's.
        """
        self.parameters.flat[k].copy_(parameters.flat[0])
        for l, layer in enumerate(self.state):
            for i, tensor in enumerate(layer):
                tensor[k].copy_(saved[f"state.{l}.{i}"])
        prefix = "optimizer."
        own = {name.removeprefix(prefix): saved[name] for name in saved if name.startswith(prefix)}
        self.optimizer.restore(k, own)
        self.sums.values[:, k] = saved["sums"].to(self.sums.values)
        self.healthy[k] = bool(saved["healthy"])

    def go_to(self, epoch: int, minibatch: int) -> None:
        """After so many epochs, and minibatches of the next one; all lanes are there together.

        Raises RuntimeError if that epoch has no more than those.
        """
        if (epoch, minibatch) == (self.epoch, self.minibatch):
            return  # another lane was there before
        self.epoch, self.minibatch = epoch, minibatch
        if minibatch and minibatch >= (there := len(self._plan())):
            raise RuntimeError(f"it is after minibatch {minibatch} of an epoch that has {there}")

    def _step(
        self,
        starts: Integer[Tensor, "K B"],
        present: Bool[Tensor, " K"],
        reset: Bool[Tensor, " K"],
        *dropout_masks: Float[Tensor, "K T B H"],
    ) -> None:
        """One minibatch for all lanes, in place: loss, gradients, clipping, update.

        A lane that is not present, or not healthy, keeps all it has.
        """
        for layer in self.state:
            for tensor in layer:
                tensor.masked_fill_(reset[:, None, None], 0)
        X, Y = self._windows(starts)
        wanted = present & self.healthy
        results = self.engine.loss_and_gradients(
            self.parameters, X, Y, self.state, list(dropout_masks), wanted, reset
        )
        self.finish(present, X[0].numel(), *results)

    def _windows(self, starts: Integer[Tensor, "K B"]) -> tuple[Tensor, Tensor]:
        """Inputs X and targets Y (K, B, T): every pair is a token and its successor."""
        if self.read:
            read = self.read(starts.cpu().numpy(), self.recipe.num_steps + 1)
            window = torch.from_numpy(read.astype(np.int64)).to(starts.device)
        else:
            window = self.windows[starts.to(self.windows.device)].to(starts.device, torch.int64)
        return window[:, :, :-1], window[:, :, 1:]

    def _finish(
        self,
        present: Bool[Tensor, " K"],
        tokens: int,
        loss: Float[Tensor, " K"],
        gradients: Parameters,
        state: State,
    ) -> None:
        """What follows the gradients of a minibatch: clipping, update, sums, the state carried."""
        norm = global_norm(gradients.flat)
        is_finite = torch.maximum(loss, norm) < math.inf  # neither is NaN, nor below zero
        active = present & self.healthy & is_finite
        self.healthy &= active | ~present
        clipped = self.clip(gradients.flat, norm, self.theta)
        figures = Minibatch(loss.double(), tokens, norm.double(), clipped.double())
        self.sums.add(active, figures)
        self.optimizer.update(gradients, self.lr, active)
        for layer, new in zip(self.state, state, strict=True):
            for old, carried in zip(layer, new, strict=True):
                torch.where(active[:, None, None], carried, old, out=old)

    def _plan(self) -> Plan:
        """The epoch that begins or goes on now, for all lanes."""
        recipe, own = self.recipe, []
        for lane, text in zip(self.lanes, self.text_starts, strict=True):
            epoch = 0 if recipe.repeat_first_epoch else self.epoch
            starts = lane.sampler.starts(
                len(lane.tokens),
                recipe.batch_size,
                recipe.num_steps,
                generator(lane.seed, "sampler", epoch),
            )
            M = len(starts) if self.epoch < lane.num_epochs else 0
            M = min(M, recipe.max_minibatches or M)
            own.append(LaneEpoch(starts, M, text, lane.sampler.resets(M)))
        return Plan(own, recipe.batch_size, recipe.device)

    def _dropout_masks(self) -> list[Float[Tensor, "K T B H"]]:
        """Inverted dropout between layers: zero with probability p, else 1 / (1 - p)."""
        model, recipe = self.recipe.model, self.recipe
        if not model.cell.dropout:
            return []
        shape = (recipe.num_steps, recipe.batch_size, model.num_hiddens)
        streams = [generator(x.seed, "dropout", self.epoch, self.minibatch) for x in self.lanes]
        masks = []
        for _ in range(model.num_layers - 1):
            keep = [torch.rand(shape, generator=stream) >= model.cell.dropout for stream in streams]
            kept = torch.stack(keep).to(recipe.device, self.precision.parameters)
            masks.append(kept / (1 - model.cell.dropout))
        return masks


def _join(texts: list[Tensor], device: torch.device) -> tuple[Tensor, list[int]]:
    """The lanes' texts end to end, each kept once, and where each lane's begins.

    One alone stays where it is, in a mapped file perhaps; what a GPU should not hold, on the host.
    """
    places: dict[tuple[int, int], int] = {}  # by address and length in memory
    keys = [(text.data_ptr(), len(text)) for text in texts]
    distinct, length = [], 0
    for key, text in zip(keys, texts, strict=True):
        if key not in places:
            places[key] = length
            distinct.append(text)
            length += len(text)
    joined = distinct[0] if len(distinct) == 1 else torch.cat(distinct)
    held = joined.to(device) if joined.nbytes <= ON_A_GPU else joined
    return held, [places[key] for key in keys]
