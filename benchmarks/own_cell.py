"""A cell of one's own: 16 lanes beside an nn.Module trained sixteen times, one after the other.

python benchmarks/own_cell.py writes benchmarks/results/own_cell.json. Both compute the equations of
docs/cells with autograd, on all cores, and take turns: the module, written as its users would, with
torch's threads; the lanes as a study trains them, a process for each core with a stack of its own.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable
from functools import partial
from multiprocessing.connection import Connection
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
H, LANES, ROUNDS, MINIBATCHES = 64, 16, 5, 256
WORKERS = os.cpu_count() or 1


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
    """The file's cell in one stack of lanes."""

    def __init__(self, name: str, lanes: int) -> None:
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
        self.training = Training(recipe, [lane(seed=k, num_epochs=10**9) for k in range(lanes)])

    def step(self) -> int:
        """An epoch of every lane."""
        return sum(int(lane["tokens"]) for lane in self.training.run_epoch() or [] if lane)


def train(name: str, lanes: int, orders: Connection) -> None:
    """A worker: trains so many tokens for each order, and answers with how many it were."""
    torch.set_num_threads(1)
    stack = Stack(name, lanes)
    while wanted := orders.recv():
        orders.send(_trained(stack, wanted))


class Study:
    """Worker processes, a core and a stack each."""

    def __init__(self, name: str) -> None:
        self.orders, method = [], multiprocessing.get_context("spawn")
        for _ in range(WORKERS):
            ours, theirs = method.Pipe()
            method.Process(target=train, args=(name, LANES // WORKERS, theirs), daemon=True).start()
            self.orders.append(ours)

    def trained(self, wanted: int) -> int:
        for each in self.orders:
            each.send(wanted // WORKERS)
        return sum(each.recv() for each in self.orders)

    def end(self) -> None:
        for each in self.orders:
            each.send(0)


def _trained(own: Module | Stack, wanted: int) -> int:
    done = 0
    while done < wanted:
        done += own.step()
    return done


def speed(trained: Callable[[int], int]) -> float:
    """Tokens a second."""
    started = time.perf_counter()
    return trained(MINIBATCHES * B * T) / (time.perf_counter() - started)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    rounds = parser.parse_args().rounds
    rows = []
    for name in MODULES:
        module, study = partial(_trained, Module(name)), Study(name)
        module(1), study.trained(WORKERS)
        turns = [(speed(module), speed(study.trained)) for _ in range(rounds)]
        study.end()
        ratios = [ours / theirs for theirs, ours in turns]
        theirs, ours = (statistics.median(each) for each in zip(*turns, strict=True))
        low, high = min(ratios), max(ratios)
        row = {"cell": name, "module": theirs, "lanes": ours, "ratio": statistics.median(ratios)}
        rows.append(row | {"from": low, "to": high})
        print(
            f"{name}: nn.Module {theirs:,.0f} tokens/s, {LANES} lanes {ours:,.0f}, "
            f"{row['ratio']:.2f} x ({low:.2f} to {high:.2f})",
            flush=True,
        )
    table = {
        "H": H,
        "lanes": LANES,
        "workers": WORKERS,
        "threads": torch.get_num_threads(),
        "rows": rows,
    }
    (HERE / "results" / "own_cell.json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
