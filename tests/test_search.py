"""hydra/sweeper=optuna: what a sweep stands for; tests/test_study.py trains one."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from commands import run
from hydra_plugins.rnnlab_launcher.search import OptunaSweeper, distribution
from rnnlab._common.errors import ConfigError

DISTRIBUTIONS = {
    "lr=interval(1,3)": FloatDistribution(1.0, 3.0),
    "lr=tag(log,interval(0.1,10))": FloatDistribution(0.1, 10, log=True),
    "seed=int(interval(1,3))": IntDistribution(1, 3),
    "seed=tag(log,int(interval(1,9)))": IntDistribution(1, 9, log=True),
    "seed=range(2,9,3)": IntDistribution(2, 8, step=3),  # as in a grid: without its end
    "seed=range(5,2,-1)": IntDistribution(3, 5),
    "theta=range(0.5,2,0.5)": FloatDistribution(0.5, 1.5, step=0.5),
    "model=choice(rnn,gru)": CategoricalDistribution(["rnn", "gru"]),
    "dataset.path='a b','a,b'": CategoricalDistribution(["'a b'", "'a,b'"]),
    "lr=shuffle(range(1,2))": CategoricalDistribution(["1"]),
}


@pytest.mark.parametrize("given", DISTRIBUTIONS)
def test_what_a_sweep_stands_for(given):
    (override,) = OverridesParser.create().parse_overrides([given])
    assert distribution(override) == DISTRIBUTIONS[given]


def test_an_interval_that_is_none():
    (override,) = OverridesParser.create().parse_overrides(["lr=tag(log,interval(0,1))"])
    with pytest.raises(ConfigError, match=r"^lr=tag\(log,interval\(0,1\)\) is not allowed: "):
        distribution(override)


def sweeper(seed: int = 0, **changes: Any) -> OptunaSweeper:
    sampler = OmegaConf.create({"kind": "RandomSampler", "seed": seed})
    settings: dict[str, Any] = {"direction": "minimize", "n_trials": 2, "n_jobs": 1}
    return OptunaSweeper(sampler, **settings | changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"n_jobs": 0}, "hydra.sweeper.n_jobs=0 is not allowed: it is at least 1."),
        (
            {"seed": -1},
            "RandomSampler cannot be made of {'seed': -1}: Seed must be between 0 and 2**32 - 1.",
        ),
        (
            {"direction": "down"},
            "hydra.sweeper.direction=down is not allowed: it is one of minimize, maximize.",
        ),
    ],
)
def test_mistakes_of_its_settings(changes, sentence):
    assert sweeper()._study().ask()
    with pytest.raises(ConfigError) as mistake:
        sweeper(**changes)._study()
    assert str(mistake.value) == sentence


def test_without_optuna(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"^hydra/sweeper=optuna needs Optuna: type pip install"):
        sweeper()._study()


def test_nobody_waits_for_optuna():
    """Hydra imports the sweeper at every start."""
    code = "import sys, hydra_plugins.rnnlab_launcher.search; sys.exit('optuna' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_sampler_that_is_none():
    status, _, err = run("-m", "hydra/sweeper=optuna", "hydra/sweeper/sampler=x", "lr=1,2")
    assert status == 2
    assert err.startswith("hydra/sweeper/sampler=x is not allowed: ")
