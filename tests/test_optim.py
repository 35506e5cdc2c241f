"""Update rules against torch.optim over twenty steps; clipping from both sides."""

from typing import Any

import pytest
import torch

import library
from rnnlab.nn.model import Parameters
from rnnlab.training.clips import ByNorm, ByValue, NoClip
from rnnlab.training.optim import FromScratch, TorchOptimizer, global_norm

CASES: dict[str, tuple[dict[str, float], Any, dict[str, Any]]] = {
    "sgd": ({}, torch.optim.SGD, {}),
    "momentum": ({"momentum": 0.9}, torch.optim.SGD, {"momentum": 0.9}),
    "adam": (
        {"beta1": 0.8, "beta2": 0.99, "eps": 1e-6},
        torch.optim.Adam,
        {"betas": (0.8, 0.99), "eps": 1e-6},
    ),
    "adamw": (
        {"beta1": 0.8, "beta2": 0.99, "eps": 1e-6, "weight_decay": 0.1},
        torch.optim.AdamW,
        {"betas": (0.8, 0.99), "eps": 1e-6, "weight_decay": 0.1},
    ),
    "rmsprop": ({"alpha": 0.9, "eps": 1e-6}, torch.optim.RMSprop, {"alpha": 0.9, "eps": 1e-6}),
}
MODEL = library.model("rnn_tanh", 3, 2)


def lanes(K: int, generator: torch.Generator, dtype: torch.dtype = torch.float64) -> Parameters:
    return Parameters(MODEL, torch.randn(K, MODEL.num_parameters, generator=generator, dtype=dtype))


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
@pytest.mark.parametrize("name", CASES)
def test_twenty_steps_equal_torch_optim(name, dtype, rtol):
    """Two lanes with different learning rates, and lane 1 sits out every third step: a shared
    step count, a slot that moves while masked, or a wrong bias correction would show."""
    hyperparameters, reference, options = CASES[name]
    g = torch.Generator().manual_seed(0)
    parameters = lanes(2, g, dtype)
    start = parameters.flat.clone()
    lr = torch.tensor([0.1, 0.02], dtype=dtype)
    leaves = [[value[k].clone().requires_grad_() for value in parameters.values()] for k in (0, 1)]
    references = [
        reference(own, lr=rate, **options) for own, rate in zip(leaves, lr.tolist(), strict=True)
    ]
    ours = library.optimizer(name, **hyperparameters).start(parameters)
    for step in range(20):
        gradients = lanes(2, g, dtype)
        active = torch.tensor([True, step % 3 != 0])
        for k in (0, 1):
            if active[k]:
                for leaf, gradient in zip(leaves[k], gradients.values(), strict=True):
                    leaf.grad = gradient[k].clone()
                references[k].step()
        ours.update(gradients, lr, active)
    start = parameters.like(start)
    for k in (0, 1):
        for leaf, key in zip(leaves[k], parameters, strict=True):
            moved, expected = parameters[key][k] - start[key][k], leaf.detach() - start[key][k]
            torch.testing.assert_close(moved, expected, rtol=rtol, atol=rtol)


@pytest.mark.parametrize("name", CASES)
def test_a_masked_lane_is_not_touched_by_a_gradient_that_is_not_a_number(name):
    """Neither at its first step nor once its slots have moved."""
    hyperparameters, _, _ = CASES[name]
    parameters = lanes(2, torch.Generator().manual_seed(1))
    optimizer = library.optimizer(name, **hyperparameters).start(parameters)
    assert isinstance(optimizer, FromScratch)
    for _ in range(2):
        before = [tensor.clone() for tensor in (parameters.flat, *optimizer.slots)]
        gradients = parameters.like(torch.ones_like(parameters.flat))
        gradients.flat[1] = torch.nan
        optimizer.update(gradients, torch.ones(2).double(), torch.tensor([True, False]))
        for old, new in zip(before, (parameters.flat, *optimizer.slots), strict=True):
            assert torch.equal(new[1], old[1])
            assert not torch.equal(new[0], old[0])
            assert new.isfinite().all()
        both = parameters.like(torch.ones_like(parameters.flat))
        optimizer.update(both, torch.ones(2).double(), torch.tensor([True, True]))


def test_a_torch_optimizer_moves_the_parameters_it_was_given():
    parameters = lanes(1, torch.Generator().manual_seed(2))
    before = parameters.flat.clone()
    optimizer = TorchOptimizer("SGD", parameters, {"momentum": 0.5})
    gradients = parameters.like(torch.ones_like(parameters.flat))
    on = torch.tensor([True])
    rates = torch.tensor([[0.1], [0.2], [9.0]], dtype=torch.float64)
    optimizer.update(gradients, rates[0], on)
    optimizer.update(gradients, rates[1], on)
    optimizer.update(gradients, rates[2], ~on)
    # 0.1 * 1 + 0.2 * 1.5
    torch.testing.assert_close(parameters.flat, before - 0.4, rtol=1e-12, atol=1e-14)


def test_the_norm_is_over_all_parameters_of_a_lane():
    """3-4-5 and 6-8-10: lanes must not share a norm."""
    assert global_norm(torch.tensor([[3.0, 4.0], [6.0, 8.0]])).tolist() == [5.0, 10.0]


@pytest.mark.parametrize("theta", [1e-3, 0.5, 1e3])
def test_clipping_by_norm_has_two_sides(theta):
    """A small theta gives exactly that norm and the same direction; a large one changes nothing."""
    g = lanes(2, torch.Generator().manual_seed(3)).flat
    norm, clipped = global_norm(g), g.clone()
    was = ByNorm().clip(clipped, norm, torch.full((2,), theta, dtype=torch.float64))
    assert was.tolist() == (norm > theta).tolist()
    expected = torch.minimum(norm, torch.tensor(theta, dtype=torch.float64))
    torch.testing.assert_close(global_norm(clipped), expected, rtol=1e-12, atol=0)
    if theta > norm.max():
        assert torch.equal(clipped, g)
    ratio = clipped / g
    torch.testing.assert_close(ratio, ratio[:, :1].expand_as(ratio))


def test_clipping_by_norm_is_torchs():
    """torch.nn.utils divides by the norm plus 1e-6, hence the tolerance."""
    gradients = lanes(1, torch.Generator().manual_seed(4))
    leaves = [value[0].clone().requires_grad_() for value in gradients.values()]
    for leaf in leaves:
        leaf.grad = leaf.detach().clone()
    torch.nn.utils.clip_grad_norm_(leaves, 0.7)
    ByNorm().clip(gradients.flat, global_norm(gradients.flat), torch.tensor([0.7]).double())
    for leaf, value in zip(leaves, gradients.values(), strict=True):
        torch.testing.assert_close(value[0], leaf.grad, rtol=2e-6, atol=0)


def test_no_gradient_stays_no_gradient():
    """theta / 0 must not become NaN."""
    zero = torch.zeros(1, 4)
    was = ByNorm().clip(zero, global_norm(zero), torch.ones(1))
    assert torch.equal(zero, torch.zeros(1, 4))
    assert not was.any()


def test_clipping_by_value_cuts_each_component_at_its_lanes_bound():
    g = torch.tensor([[-3.0, 0.5], [-3.0, 0.5]])
    norm, theta = global_norm(g), torch.tensor([1.0, 0.25])
    assert ByValue().clip(g.clone(), norm, 5 * theta).tolist() == [False, True]
    unclipped = g.clone()
    assert not NoClip().clip(unclipped, norm, theta).any()
    assert torch.equal(unclipped, g)
    assert ByValue().clip(g, norm, theta).tolist() == [True, True]
    assert g.tolist() == [[-1, 0.5], [-0.25, 0.25]]
