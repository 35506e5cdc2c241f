"""A cell of one's own: a stack of 16 lanes beside an nn.Module trained sixteen times, one by one.

python benchmarks/own_cell.py writes benchmarks/results/own_cell.json. Both compute the equations of
docs/cells with autograd, on all cores, and take turns; the module is written as its users would.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from functools import partial
from pathlib import Path

import torch
from peers import LR, THETA, B, T, V, minibatches, text
from torch import Tensor, nn
from torch.nn import functional as F

from rnnlab.config.own_cells import typed_cell
from rnnlab.nn.engines import ENGINES
from rnnlab.nn.model import Model
from rnnlab.training.loop import Lane, Recipe, Training
from rnnlab.training.rules import SGD
from rnnlab.training.samplers import Sequential

HERE = Path(__file__).resolve().parent
CELLS = HERE.parent / "docs" / "cells"
CPU = torch.device("cpu")
H, LANES, ROUNDS, MINIBATCHES = 64, 16, 5, 32


class MinGRU(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate, self.candidate = nn.Linear(V, H), nn.Linear(V, H)

    def forward(self, x: Tensor, h: Tensor) -> tuple[Tensor]:
        z = torch.sigmoid(self.gate(x))
        return ((1 - z) * h + z * self.candidate(x),)


class SLSTM(nn.Module):
    """All four gates are one product."""

    def __init__(self) -> None:
        super().__init__()
        self.inputs, self.states = nn.Linear(V, 4 * H), nn.Linear(H, 4 * H, bias=False)

    def forward(self, x: Tensor, h: Tensor, c: Tensor, n: Tensor, m: Tensor) -> tuple[Tensor, ...]:
        log_i, log_f, o, z = (self.inputs(x) + self.states(h)).chunk(4, dim=1)
        log_f = F.logsigmoid(log_f)
        new = torch.maximum(log_f + m, log_i)
        i, f = torch.exp(log_i - new), torch.exp(log_f + m - new)
        c, n = f * c + i * torch.tanh(z), f * n + i
        return torch.sigmoid(o) * c / n, c, n, new


MODULES = {"mingru": (MinGRU, 1), "slstm": (SLSTM, 4)}  # and how many states


class Module:
    """A plain loop over time and minibatches, torch.optim.SGD, clip_grad_norm_."""

    def __init__(self, name: str) -> None:
        module, self.num_states = MODULES[name]
        self.cell, self.linear = module(), nn.Linear(H, V)
        self.params = [*self.cell.parameters(), *self.linear.parameters()]
        self.optimizer = torch.optim.SGD(self.params, lr=LR)
        self.minibatches, self.nats = minibatches(text(CPU)), 0.0
        self.state: tuple[Tensor, ...] = ()

    def step(self) -> int:
        X, Y, anew = next(self.minibatches)
        if anew:
            self.state = tuple(torch.zeros(B, H) for _ in range(self.num_states))
        outputs, state = [], self.state
        for x in F.one_hot(X.T, V).float():
            state = self.cell(x, *state)
            outputs.append(state[0])
        loss = F.cross_entropy(self.linear(torch.stack(outputs)).flatten(0, 1), Y.T.reshape(-1))
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.params, THETA)
        self.optimizer.step()
        self.state = tuple(each.detach() for each in state)
        self.nats += float(loss.detach()) * Y.numel()
        return Y.numel()


class Stack:
    """The file's cell in one stack of lanes, as a study trains it."""

    def __init__(self, name: str) -> None:
        cell = typed_cell(str(CELLS / f"{name}.py"))(name=f"{name}.py")
        recipe = Recipe(
            model=Model(cell=cell, vocab_size=V, num_hiddens=H),
            batch_size=B,
            num_steps=T,
            optimizer=SGD(),
            engine=ENGINES["eager"],
            device=CPU,
        )
        lane = partial(Lane, tokens=text(CPU), sampler=Sequential(), lr=LR, theta=THETA)
        lanes = [lane(seed=k, num_epochs=10**9) for k in range(LANES)]
        self.training = Training(recipe, lanes)

    def step(self) -> int:
        """An epoch of every lane."""
        return sum(int(lane["tokens"]) for lane in self.training.run_epoch() or [] if lane)


def speed(trained: Module | Stack) -> float:
    """Tokens a second, of about as many tokens for both."""
    wanted, done, started = MINIBATCHES * B * T, 0, time.perf_counter()
    while done < wanted:
        done += trained.step()
    return done / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    rows = []
    for name in MODULES:
        module, stack = Module(name), Stack(name)
        module.step(), stack.step()
        turns = [(speed(module), speed(stack)) for _ in range(rounds)]
        ratios = [ours / theirs for theirs, ours in turns]
        theirs, ours = (statistics.median(each) for each in zip(*turns, strict=True))
        low, high = min(ratios), max(ratios)
        row = {"cell": name, "module": theirs, "stack": ours, "ratio": statistics.median(ratios)}
        rows.append(row | {"from": low, "to": high})
        print(
            f"{name}: nn.Module {theirs:,.0f} tokens/s, {LANES} lanes {ours:,.0f}, "
            f"{row['ratio']:.2f} x ({low:.2f} to {high:.2f})",
            flush=True,
        )
    table = {"H": H, "lanes": LANES, "threads": torch.get_num_threads(), "rows": rows}
    (HERE / "results" / "own_cell.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
