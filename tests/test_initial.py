"""What weights start from: the knobs change what they name, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import library
from rnnlab._common.errors import ConfigError
from rnnlab.config.identity import config_id
from rnnlab.nn.cells import CELLS
from rnnlab.nn.model import Model, Parameters
from rnnlab.nn.seeding import generator
from rnnlab.nn.spec import Init
from rnnlab.runs import resume as resuming
from rnnlab.runs import stack

V, H, L, SEEDS = 11, 20, 2, [0, 7]


def start(model: Model, dtype: torch.dtype = torch.float32) -> Parameters:
    return model.init(SEEDS, dtype, torch.device("cpu"))


def is_recurrent(name: str) -> bool:
    return ".W_h" in name  # and not W_hq, of the output layer


@pytest.mark.parametrize("form", CELLS)
def test_by_default_all_weights_are_drawn_in_their_order(form):
    """As they always were: any other order, or one more number, would change every run."""
    model = library.model(form, V, H, L)
    parameters = start(model)
    for k, seed in enumerate(SEEDS):
        source = generator(seed, "init")
        for name, shape in model.shapes().items():
            expected = torch.zeros(shape)
            if "W_" in name:
                expected.normal_(0, 0.01, generator=source)
            assert torch.equal(parameters[name][k], expected), name


@pytest.mark.parametrize("init", [Init.orthogonal, Init.identity])
@pytest.mark.parametrize("form", CELLS)
def test_recurrent_weights_alone_start_otherwise(form, init):
    """Each gate's by itself, in every layer and lane."""
    usual, own = start(library.model(form, V, H, L)), start(library.model(form, V, H, L, init=init))
    eye = torch.eye(H).expand(len(SEEDS), H, H)
    for name, value in own.items():
        if not is_recurrent(name):
            assert torch.equal(value, usual[name]), name
        elif init == Init.identity:
            assert torch.equal(value, eye), name
        else:
            torch.testing.assert_close(value.mT @ value, eye, rtol=0, atol=1e-6)
            assert not torch.allclose(value[0], value[1])
    if init == Init.orthogonal:  # numbers are drawn once, and rounded to what is asked for
        double = start(library.model(form, V, H, L, init=init), torch.float64)
        assert torch.equal(double.flat, own.flat.double())


def test_orthogonal_weights_are_q_of_what_was_drawn():
    """W = Q R with a positive diagonal of R: numpy's, or torch's, may have negative ones."""
    usual, own = (start(library.model("rnn_tanh", V, H, init=init)) for init in list(Init)[:2])
    R = own["0.W_hh"].double().mT @ usual["0.W_hh"].double()
    torch.testing.assert_close(R.tril(-1), torch.zeros_like(R), rtol=0, atol=1e-7)
    assert (R.diagonal(dim1=1, dim2=2) > 0).all()


def test_the_forget_gates_bias_starts_where_it_is_said():
    usual, own = (start(library.model("lstm", V, H, L, forget_bias=b)) for b in (0.0, 1.5))
    for name, value in own.items():
        wanted = torch.full_like(value, 1.5) if name.endswith("b_f") else usual[name]
        assert torch.equal(value, wanted), name
    assert (usual["1.b_f"] == 0).all()


def test_they_are_part_of_the_experiment_where_they_are_not_what_all_had(compose):
    typed = ["model=lstm", "model=lstm model.init=orthogonal", "model=lstm model.forget_bias=1"]
    configs = [compose(*words.split()) for words in typed]
    ids = [config_id(config, "f" * 64) for config in configs]
    assert len({*ids}) == 3
    assert config_id(compose("model=lstm", "optimizer=adam"), "f" * 64) == "78c94e1069f8"  # before
    assert configs[1].model == replace(configs[0].model, init=Init.orthogonal)


def test_a_run_trains_with_them_and_a_change_is_refused_with_what_differs(compose):
    small = ["num_hiddens=8", "batch_size=4", "num_steps=10", "num_epochs=2", "model=lstm"]
    small += ["dataset.max_tokens=600", "log.sample_length=5", "model.forget_bias=1"]
    result = stack.run(compose(*small, "model.init=orthogonal"), Path("run"))
    assert result.settings["model.init"] == "orthogonal"
    with pytest.raises(ConfigError, match=r"model\.init: orthogonal -> identity"):
        resuming.resume(Path("run"), {"model.init": "identity"})
    began = stack.run(compose(*small, "init_from=run", "model.forget_bias=0"), Path("next"))
    assert began.status == "completed"  # trained parameters fit, whatever they began with
