"""The training library by the names that tests use: needs torch, numpy and pytest only."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rnnlab._common.choices import registered
from rnnlab.nn.cells import CELLS
from rnnlab.nn.model import Model
from rnnlab.training.precision import PRECISIONS, Precision
from rnnlab.training.rules import SGD, Adam, OptimizerChoice
from rnnlab.training.samplers import Sampler


def model(form: str, V: int, H: int, L: int = 1, **knobs: Any) -> Model:
    """A cell by its form, lstm or gru_after, with V entries, H hidden units and L layers."""
    cell = replace(CELLS[form], **knobs)
    return Model(cell=cell, vocab_size=V, num_hiddens=H, num_layers=L)


def sampler(name: str) -> Sampler:
    return registered("sampler")[name]()


def optimizer(name: str, **knobs: Any) -> OptimizerChoice:
    return registered("optimizer")[name](**knobs)


def precision(name: str) -> Precision:
    return PRECISIONS[name]


def sgd_or_adam(name: str) -> OptimizerChoice:
    return SGD() if name == "sgd" else Adam(beta1=0.9, beta2=0.999, eps=1e-8)
