"""What rnnlab is measured against, each written as its users would write it.

A runner's `step` trains whole minibatches (windows, forward, loss, gradients, clipping at theta 1,
SGD, the running sum of the loss) and returns how many tokens it trained on. All use the same random
text, sequential partitioning, batch 32, 35 time steps, fp32.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rnnlab.nn.cells import CELLS
from rnnlab.nn.engines import ENGINES
from rnnlab.nn.model import Model
from rnnlab.training.loop import Lane, Recipe, Training
from rnnlab.training.precision import PRECISIONS, tf32_allowed
from rnnlab.training.rules import SGD
from rnnlab.training.samplers import Sequential

V, B, T, N = 28, 32, 35, 10_000
THETA, LR = 1.0, 1.0
LARGE = 2e7  # parameters of a stack of which an epoch takes long


def text(device: torch.device) -> Tensor:
    return torch.randint(1, V, (N,), generator=torch.Generator().manual_seed(0)).to(device)


def minibatches(tokens: Tensor) -> Iterator[tuple[Tensor, Tensor, bool]]:
    """Sequential partitioning without end: X, Y (B, T), and whether the state begins anew."""
    columns = (N - 1) // B
    X = tokens[: B * columns].reshape(B, columns)
    Y = tokens[1 : B * columns + 1].reshape(B, columns)
    while True:
        for start in range(0, columns - T + 1, T):
            yield X[:, start : start + T], Y[:, start : start + T], start == 0


class AutogradLoop:
    """The chapter's model from scratch: parameters in a list, a loop over time, autograd."""

    def __init__(self, H: int, device: torch.device) -> None:
        self.H, self.device = H, device
        shapes = [(V, H), (H, H), (H,), (H, V), (V,)]
        self.params = [
            (torch.randn(shape) * 0.01 if len(shape) == 2 else torch.zeros(shape)).to(device)
            for shape in shapes
        ]
        for param in self.params:
            param.requires_grad_()
        self.minibatches = minibatches(text(device))
        self.state, self.nats = torch.zeros(B, H, device=device), 0.0

    def step(self) -> int:
        X, Y, anew = next(self.minibatches)
        self.state = torch.zeros(B, self.H, device=self.device) if anew else self.state.detach()
        W_xh, W_hh, b_h, W_hq, b_q = self.params
        outputs = []
        for X_t in F.one_hot(X.T, V).float():
            self.state = torch.tanh(X_t @ W_xh + self.state @ W_hh + b_h)
            outputs.append(self.state @ W_hq + b_q)
        loss = F.cross_entropy(torch.cat(outputs), Y.T.reshape(-1))
        loss.backward()
        norm = torch.sqrt(sum((p.grad**2).sum() for p in self.params))
        if norm > THETA:
            for p in self.params:
                p.grad *= THETA / norm
        with torch.no_grad():
            for p in self.params:
                p -= LR * p.grad
                p.grad = None
        self.nats += float(loss.detach()) * Y.numel()
        return Y.numel()


class TorchNN:
    """torch.nn.RNN, LSTM or GRU on one-hot input with torch.optim.SGD.

    With sync=False the loss stays on the device and clipping is nn.utils.clip_grad_norm_, so
    that nothing waits for the host.
    """

    def __init__(
        self, cell: str, H: int, device: torch.device, *, sync: bool = True, tf32: bool = False
    ) -> None:
        kind = {"rnn": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}[cell]
        self.rnn, self.linear = kind(V, H).to(device), nn.Linear(H, V).to(device)
        self.params = [*self.rnn.parameters(), *self.linear.parameters()]
        self.optimizer = torch.optim.SGD(self.params, lr=LR)
        self.minibatches, self.sync, self.tf32 = minibatches(text(device)), sync, tf32
        zero = torch.zeros(1, B, H, device=device)
        self.state = (zero, zero.clone()) if cell == "lstm" else (zero,)
        self.nats = torch.zeros((), device=device)

    def step(self) -> int:
        X, Y, anew = next(self.minibatches)
        if anew:
            self.state = tuple(torch.zeros_like(s) for s in self.state)
        with tf32_allowed(self.tf32):
            self.state = self.train(X, Y)
        return Y.numel()

    def train(self, X: Tensor, Y: Tensor) -> tuple[Tensor, ...]:
        """One minibatch, from self.state to the state that is returned."""
        state = self.state if len(self.state) > 1 else self.state[0]
        outputs, state = self.rnn(F.one_hot(X.T, V).float(), state)
        loss = F.cross_entropy(self.linear(outputs).flatten(0, 1), Y.T.reshape(-1))
        self.optimizer.zero_grad()
        loss.backward()
        if self.sync:
            norm = torch.sqrt(sum((p.grad**2).sum() for p in self.params))
            if norm > THETA:
                for p in self.params:
                    p.grad *= THETA / norm
            self.nats += float(loss.detach()) * Y.numel()
        else:
            nn.utils.clip_grad_norm_(self.params, THETA)
            self.nats += loss.detach() * Y.numel()
        self.optimizer.step()
        return tuple(s.detach() for s in (state if isinstance(state, tuple) else (state,)))


class GraphedTorchNN(TorchNN):
    """The same without a word from the host: the whole step in one CUDA graph."""

    def __init__(self, cell: str, H: int, device: torch.device, *, tf32: bool = False) -> None:
        super().__init__(cell, H, device, sync=False, tf32=tf32)
        self.X, self.Y = (torch.zeros(B, T, dtype=torch.int64, device=device) for _ in range(2))
        with tf32_allowed(tf32):
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(3):
                    self.train(self.X, self.Y)
            torch.cuda.current_stream().wait_stream(stream)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                for kept, new in zip(self.state, self.train(self.X, self.Y), strict=True):
                    kept.copy_(new)

    def step(self) -> int:
        X, Y, anew = next(self.minibatches)
        self.X.copy_(X)
        self.Y.copy_(Y)
        if anew:
            for kept in self.state:
                kept.zero_()
        self.graph.replay()
        return Y.numel()


class Ours:
    """rnnlab's training loop on a stack of K lanes."""

    def __init__(
        self,
        engine: str,
        cell_name: str,
        H: int,
        K: int,
        device: torch.device,
        *,
        precision: str = "fp32",
    ) -> None:
        model = Model(cell=CELLS[cell_name], vocab_size=V, num_hiddens=H)
        recipe = Recipe(
            model=model,
            batch_size=B,
            num_steps=T,
            optimizer=SGD(),
            engine=ENGINES[engine],
            device=device,
            precision=PRECISIONS[precision],
            max_minibatches=1 if K * model.num_parameters > LARGE else None,
        )
        tokens = text(device)
        lane = partial(Lane, tokens=tokens, sampler=Sequential(), lr=LR, theta=THETA)
        lanes = [lane(seed=k, num_epochs=10**9) for k in range(K)]
        self.training = Training(recipe, lanes)

    def step(self) -> int:
        """An epoch of every lane: eight minibatches, or one of a large stack."""
        return sum(int(lane["tokens"]) for lane in self.training.run_epoch() or [] if lane)
