"""A cell and a sampler that are defined here do all that those of rnnlab do; nothing is patched.

A choice that is named somewhere else than where it is defined would break one of these.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rnnlab.runs.differences import differences
from rnnlab.runs.result import Result

MIN_GRU = '''
from dataclasses import dataclass

import torch

from rnnlab._common.choices import choice
from rnnlab.nn.spec import Cell


@choice("mingru")
@dataclass(frozen=True, kw_only=True)
class MinGRU(Cell):
    """Feng et al. 2024: h_t = (1 - z_t) h_{t-1} + z_t n_t, z and n from x_t alone."""

    name: str = "mingru"

    def step(self, X, H, *, W_xz, b_z, W_xn, b_n):
        Z = torch.sigmoid(X @ W_xz + b_z)
        N = torch.tanh(X @ W_xn + b_n)
        return ((1 - Z) * H + Z * N,)

    def shapes(self, inputs, hiddens):
        W, b = (inputs, hiddens), (1, hiddens)
        return {"W_xz": W, "b_z": b, "W_xn": W, "b_n": b}
'''
ALTERNATE = '''
from dataclasses import dataclass

import torch

from rnnlab._common.choices import choice, knob
from rnnlab.training.samplers import Sequential


@choice("alternate")
@dataclass(frozen=True, kw_only=True)
class Alternate(Sequential):
    """Minibatches that adjoin; the state is carried over every second border only."""

    name: str = "alternate"
    every: int = knob("minibatches from one reset to the next", default=2, at_least=1)

    def resets(self, M):
        return torch.arange(M) % self.every == 0
'''
START = """
import sys

import own

if __name__ == "__main__":
    if sys.argv[1] == "rnnlab":
        del sys.argv[1]
        from rnnlab.cli import main
    else:
        from rnnlab.cli.train import main
    main()
"""
SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "dataset.max_tokens=600", "lr=0.5"]
SMALL += ["log.sample_length=5", "dataset.val_fraction=0.1", "log.val_every=2"]
SMALL += ["checkpoint.seconds=0.05"]


@pytest.fixture(params=[(MIN_GRU, "model=mingru"), (ALTERNATE, "sampler=alternate")])
def choice(request) -> str:
    """The words that choose what own.py defines; start.py starts rnnlab with it."""
    definition, words = request.param
    Path("own.py").write_text(definition)
    Path("start.py").write_text(START)
    return words


def start(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "start.py", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


def run(*arguments: str) -> str:
    process = start(*arguments)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, err) == (0, ""), out
    return out


def test_it_trains_evaluates_generates_and_is_resumed_bit_for_bit(choice):
    settings = [choice, *SMALL, "num_epochs=60"]
    out = run(*settings, "hydra.run.dir=whole")
    result = Result.read(Path("whole"))
    assert result.perplexity is not None
    assert result.val_perplexity is not None
    assert 1 < result.val_perplexity < 28
    assert result.config[choice.partition("=")[0]]["name"] == choice.partition("=")[2]
    is_cell = choice.startswith("model")
    assert result.engine == ("eager" if is_cell else "compiled")
    said = "engine=auto takes eager, not compiled: its backward pass is not derived"
    assert (said in " ".join(out.split())) == is_cell

    text = run("rnnlab", "generate", "whole", "--prefix", "traveller", "--length", "5")
    assert text.rstrip("\n") == result.samples["traveller"]

    process = start(*settings, "hydra.run.dir=killed")
    for number in range(2):
        metrics, deadline = Path("killed/metrics.jsonl"), time.monotonic() + 60
        checkpoint = Path("killed/checkpoints/last.safetensors")
        while not (checkpoint.exists() and len(metrics.read_bytes().splitlines()) > 10 * number):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        process = start("resume=killed")
    process.communicate()
    assert process.returncode == 0
    assert list(differences(Path("whole"), Path("killed"))) == []


def test_it_trains_in_a_study_with_two_others(choice):
    group, _, name = choice.partition("=")
    others = {"model": "rnn,lstm", "sampler": "random,sequential"}[group]
    study = ["-m", "hydra.launcher.workers=2", *SMALL, "num_epochs=4", "sweep=S"]
    run(*study, f"{group}={others},{name}", "seed=0,1")
    found = [Result.read(path.parent) for path in sorted(Path("S").glob("*/result.json"))]
    assert [result.status for result in found] == ["completed"] * 6
    own = [result for result in found if result.config[group]["name"] == name]
    assert len(own) == 2
    assert len(own[0].stack) in (1, 2, 3)
    alone = run(choice, *SMALL, "seed=1", "num_epochs=4", "hydra.run.dir=alone")
    assert alone
    figures = [
        json.loads(line)["perplexity"]
        for line in Path("alone/metrics.jsonl").read_text().splitlines()
    ]
    assert own[1].perplexity == pytest.approx(figures[-1], rel=1e-5)


def test_its_knobs_are_checked_and_shown():
    Path("own.py").write_text(ALTERNATE)
    Path("start.py").write_text(START)
    process = start("sampler=alternate", "sampler.every=0")
    _, err = process.communicate()
    assert process.returncode == 2
    assert err == ("sampler.every=0 is not allowed: sampler.every is a whole number >= 1.\n")
    assert "minibatches from one reset to the next" in run("--help")
    assert not Path("outputs").exists()
