"""Loss and gradients: the engines against each other, against torch.nn alone, and against
finite differences."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import library
from rnnlab.nn.cells import CELLS
from rnnlab.nn.engines import ENGINES
from rnnlab.nn.engines.stacked import aten
from rnnlab.nn.model import Model

CPU = torch.device("cpu")
BY_HAND = ["fused", *(["compiled"] if find_spec("numba") else [])]
BOTH = ["rnn_tanh", "rnn_relu", "lstm", "gru_after"]  # what torch.nn has too


def problem(model: Model, K: int, B: int, T: int, seed: int, dtype: torch.dtype = torch.float64):
    """Parameters of ordinary size, a minibatch, and a state that is not zero."""
    g = torch.Generator().manual_seed(seed)
    drawn = {
        name: 0.5 * torch.randn(K, *shape, generator=g, dtype=dtype)
        for name, shape in model.shapes().items()
    }
    parameters = model.gather(drawn)
    X, Y = torch.randint(model.vocab_size, (2, K, B, T), generator=g)
    state = tuple(
        tuple(0.5 * torch.randn(K, B, model.num_hiddens, generator=g, dtype=dtype) for _ in layer)
        for layer in model.zero_state(K, B, dtype, CPU)
    )
    return parameters, X, Y, state


def assert_close(left, right, rtol: float) -> None:
    """Loss, gradients and state agree: relative to each tensor's largest entry."""
    loss, gradients, state = left
    other_loss, other_gradients, other_state = right
    torch.testing.assert_close(loss, other_loss, rtol=rtol, atol=0)
    assert gradients.keys() == other_gradients.keys()
    pairs = [(gradients[name], other_gradients[name]) for name in gradients]
    pairs += [
        pair
        for layers in zip(state, other_state, strict=True)
        for pair in zip(*layers, strict=True)
    ]
    for tensor, other in pairs:
        scale = float(tensor.abs().max())
        torch.testing.assert_close(tensor, other, rtol=rtol, atol=rtol * scale)


seeds = st.integers(0, 999)
sizes = st.fixed_dictionaries(
    {"K": st.integers(1, 3), "B": st.integers(1, 4), "T": st.integers(1, 6)}
)


@pytest.mark.parametrize("cell_name", BOTH)
@given(sizes=sizes, V=st.integers(2, 9), H=st.integers(1, 8), L=st.integers(1, 3), seed=seeds)
@settings(max_examples=15, deadline=None)
def test_eager_and_torch_nn_agree_in_float64(cell_name, sizes, V, H, L, seed):
    model = library.model(cell_name, V, H, L)
    given = problem(model, seed=seed, **sizes)
    eager, torch_nn = (ENGINES[name].computation() for name in ("eager", "torch_nn"))
    assert_close(eager.loss_and_gradients(*given), torch_nn.loss_and_gradients(*given), 1e-10)


@pytest.mark.parametrize("cell_name", CELLS)
@given(
    sizes=sizes,
    V=st.integers(2, 9),
    H=st.integers(1, 8),
    L=st.integers(1, 3),
    seed=seeds,
    dropout=st.booleans(),
)
@settings(max_examples=25, deadline=None)
@pytest.mark.parametrize("engine", BY_HAND)
def test_eager_and_what_is_derived_by_hand_agree_in_float64(
    engine, cell_name, sizes, V, H, L, seed, dropout
):
    """Twice in a row: a buffer that is not cleared would show in the second call."""
    model = library.model(cell_name, V, H, L)
    given = problem(model, seed=seed, **sizes)
    masks = None
    if dropout:
        g = torch.Generator().manual_seed(seed)
        shape = (sizes["K"], sizes["T"], sizes["B"], H)
        masks = [2 * (torch.rand(shape, generator=g) > 0.5).double() for _ in range(L - 1)]
    expected = ENGINES["eager"].computation().loss_and_gradients(*given, masks)
    by_hand = ENGINES[engine].computation()
    by_hand.loss_and_gradients(*problem(model, seed=seed + 1, **sizes), masks)
    assert_close(expected, by_hand.loss_and_gradients(*given, masks), 1e-10)


@pytest.mark.parametrize("engine", [*BY_HAND, "torch_nn"])
@pytest.mark.parametrize("cell_name", CELLS)
def test_engines_agree_in_float32(cell_name, engine):
    if (cell_name, engine) == ("gru_before", "torch_nn"):
        pytest.skip("torch.nn.GRU has no such form")
    model = library.model(cell_name, 28, 32, 2)
    given = problem(model, K=2, B=4, T=10, seed=0, dtype=torch.float32)
    given[0].flat.mul_(0.5)  # with larger weights the states are chaotic, and rounding grows
    eager, other = (ENGINES[name].computation() for name in ("eager", engine))
    assert_close(eager.loss_and_gradients(*given), other.loss_and_gradients(*given), 1e-5)


@pytest.mark.parametrize("engine", ["eager", *BY_HAND, "torch_nn"])
def test_dropout_masks_scale_what_goes_up(engine):
    """With all masks at 2 a layer sees twice its input, as with doubled W_xh."""
    model = library.model("rnn_tanh", 5, 4, 2)
    parameters, X, Y, state = problem(model, K=2, B=3, T=4, seed=0)
    masks = [torch.full((2, 4, 3, 4), 2.0, dtype=torch.float64)]
    masked = ENGINES[engine].computation().loss_and_gradients(parameters, X, Y, state, masks)
    doubled = model.gather({**parameters, "1.W_xh": 2 * parameters["1.W_xh"]})
    expected = ENGINES[engine].computation().loss_and_gradients(doubled, X, Y, state)
    torch.testing.assert_close(masked[0], expected[0], rtol=1e-12, atol=0)


def test_a_whole_torch_nn_model_with_its_own_loss():
    """An independent reference, written as a user of torch.nn would: nn.LSTM and nn.Linear."""
    model = library.model("lstm", 7, 6, 2)
    parameters, X, Y, state = problem(model, K=1, B=3, T=5, seed=1)
    lstm = nn.LSTM(7, 6, num_layers=2, batch_first=True, dtype=torch.float64)
    linear = nn.Linear(6, 7, dtype=torch.float64)
    with torch.no_grad():
        for layer in range(2):
            for ours, theirs in (("W_x", "weight_ih"), ("W_h", "weight_hh"), ("b_", "bias_ih")):
                gates = [parameters[f"{layer}.{ours}{gate}"][0].T for gate in "ifco"]
                value = torch.cat(gates).squeeze(-1) if ours == "b_" else torch.cat(gates)
                getattr(lstm, f"{theirs}_l{layer}").copy_(value)
            getattr(lstm, f"bias_hh_l{layer}").zero_()
        linear.weight.copy_(parameters["W_hq"][0].T)
        linear.bias.copy_(parameters["b_q"][0, 0])
    H_0, C_0 = (torch.cat([layer[i] for layer in state]) for i in range(2))
    output, _ = lstm(nn.functional.one_hot(X[0], 7).double(), (H_0, C_0))
    loss = nn.CrossEntropyLoss()(linear(output).flatten(0, 1), Y[0].flatten())
    loss.backward()
    ours, gradients, _ = ENGINES["eager"].computation().loss_and_gradients(parameters, X, Y, state)
    torch.testing.assert_close(ours[0], loss.detach(), rtol=1e-12, atol=0)
    torch.testing.assert_close(gradients["W_hq"][0].T, linear.weight.grad, rtol=1e-10, atol=1e-14)
    weight = dict(lstm.named_parameters())["weight_hh_l0"]
    assert weight.grad is not None
    W_hf = weight.grad[6:12].T
    torch.testing.assert_close(gradients["0.W_hf"][0], W_hf, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("engine", ["eager", *BY_HAND])
@pytest.mark.parametrize("cell_name", ["rnn_tanh", "lstm", "gru_before", "gru_after"])
def test_gradients_are_the_slopes_of_the_loss(cell_name, engine):
    """Central differences, entry by entry: the only reference that knows no autograd."""
    model = library.model(cell_name, 3, 2, 2)
    parameters, X, Y, state = problem(model, K=1, B=2, T=3, seed=2)
    engine = ENGINES[engine].computation()
    _, gradients, _ = engine.loss_and_gradients(parameters, X, Y, state)
    gradients = {name: gradient.flatten().tolist() for name, gradient in gradients.items()}
    h = 1e-6
    for name, value in parameters.items():
        for place in range(value.numel()):
            losses = []
            for sign in (1, -1):
                moved = value.contiguous().clone()
                moved.view(-1)[place] += sign * h
                loss, _, _ = engine.loss_and_gradients(
                    model.gather({**parameters, name: moved}), X, Y, state
                )
                losses.append(loss.item())
            slope = (losses[0] - losses[1]) / (2 * h)
            assert gradients[name][place] == pytest.approx(slope, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("engine", ["eager", *BY_HAND, "torch_nn"])
def test_a_lane_computes_what_it_computes_alone(engine):
    model = library.model("lstm", 5, 4)
    parameters, X, Y, state = problem(model, K=3, B=2, T=4, seed=3)
    loss, gradients, _ = ENGINES[engine].computation().loss_and_gradients(parameters, X, Y, state)
    for k in range(3):
        alone = parameters.like(parameters.flat[k : k + 1])
        lane_state = tuple(tuple(t[k : k + 1] for t in layer) for layer in state)
        lane = (
            ENGINES[engine]
            .computation()
            .loss_and_gradients(alone, X[k : k + 1], Y[k : k + 1], lane_state)
        )
        torch.testing.assert_close(loss[k], lane[0][0], rtol=1e-12, atol=0)
        for name, gradient in lane[1].items():
            torch.testing.assert_close(gradients[name][k], gradient[0], rtol=1e-10, atol=1e-14)


def test_an_untrained_model_without_weights_knows_nothing():
    """All parameters zero: every token has probability 1 / V, so the loss is log V."""
    model = library.model("rnn_tanh", 28, 4, init_std=0.0)
    parameters = model.init([0], torch.float64, CPU)
    X, Y = torch.randint(28, (2, 1, 3, 5))
    state = model.zero_state(1, 3, torch.float64, CPU)
    loss, _, _ = ENGINES["eager"].computation().loss_and_gradients(parameters, X, Y, state)
    torch.testing.assert_close(loss.exp(), torch.tensor([28.0], dtype=torch.float64))


def test_initial_weights_are_a_lanes_own_and_as_wide_as_asked():
    model = library.model("gru_after", 28, 64, init_std=0.02)
    parameters = model.init([5, 6], torch.float32, CPU)
    alone = model.init([6], torch.float64, CPU)
    assert torch.equal(parameters["0.W_hh"][1:].double(), alone["0.W_hh"])
    assert not torch.equal(parameters["0.W_hh"][0], parameters["0.W_hh"][1])
    assert parameters["0.W_hh"].std().item() == pytest.approx(0.02, rel=0.05)
    assert parameters["0.W_hh"].mean().item() == pytest.approx(0.0, abs=0.002)
    assert not any(value.any() for name, value in parameters.items() if "b_" in name)


# --- operations of torch that have no documented name ------------------------------------------


def slope(function, a: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    """What autograd says flows through a documented function."""
    leaf = a.clone().requires_grad_()
    (found,) = torch.autograd.grad(function(leaf), leaf, gradient)
    return found


@pytest.mark.parametrize("name", ["tanh", "sigmoid", "relu"])
def test_what_flows_through_an_activation_is_what_autograd_says(name):
    a, gradient = torch.randn(2, 3, 5, generator=torch.Generator().manual_seed(0)).double()
    function, out = getattr(torch, name), torch.empty_like(a)
    getattr(aten, f"through_{name}")(gradient, function(a), out)
    torch.testing.assert_close(out, slope(function, a, gradient), rtol=1e-14, atol=1e-15)
    getattr(aten, f"through_{name}")(gradient, function(a), gradient)  # in place of the gradient
    assert torch.equal(gradient, out)


def test_relu_and_log_softmax_write_into_a_buffer():
    a = torch.randn(4, 7, generator=torch.Generator().manual_seed(1)).double()
    out = torch.empty_like(a)
    aten.relu(a, out)
    assert torch.equal(out, torch.relu(a))
    aten.log_softmax(a, out)
    torch.testing.assert_close(out, torch.log_softmax(a, -1), rtol=1e-14, atol=0)


def test_rows_are_summed_by_their_number():
    values = torch.randn(6, 3, generator=torch.Generator().manual_seed(2)).double()
    rows = torch.tensor([4, 0, 4, 1, 4, 0])
    expected = torch.zeros(5, 3).double().index_add_(0, rows, values)
    torch.testing.assert_close(aten.sum_by_row(values, rows, 5), expected, rtol=1e-14, atol=1e-15)
