"""The loop: state carried but not its gradient, lanes apart, divergence, stopping and going on."""

from __future__ import annotations

import math
from contextlib import nullcontext
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot
from torch.profiler import ProfilerActivity, profile

import library
from rnnlab.nn.engines import ENGINES
from rnnlab.nn.seeding import generator
from rnnlab.training.clips import ByNorm, ByValue, NoClip
from rnnlab.training.loop import Lane, Recipe, Training
from rnnlab.training.metrics import Epoch, Minibatch, Sums, perplexity
from rnnlab.training.precision import PRECISIONS

TOKENS = torch.randint(1, 9, (400,), generator=torch.Generator().manual_seed(0))
V, H, B, T = 9, 6, 4, 7


def recipe(cell_name: str = "rnn_tanh", optimizer: str = "sgd", **changes) -> Recipe:
    layers, dropout = changes.pop("num_layers", 1), changes.pop("dropout", 0.0)
    settings: dict[str, Any] = {
        "model": library.model(cell_name, V, H, layers, dropout=dropout, init_std=0.3),
        "batch_size": B,
        "num_steps": T,
        "optimizer": library.sgd_or_adam(optimizer),
        "device": torch.device("cpu"),
        "precision": PRECISIONS["fp64"],
    }
    for name, known in (("engine", ENGINES), ("precision", PRECISIONS)):
        if name in changes:
            changes[name] = known[changes[name]]
    return Recipe(**(settings | changes))


def lane(**changes) -> Lane:
    settings: dict[str, Any] = {"tokens": TOKENS, "sampler": "sequential", "lr": 0.5, "theta": 1.0}
    settings |= {"seed": 0, "num_epochs": 3} | changes
    return Lane(**(settings | {"sampler": library.sampler(settings["sampler"])}))


def run_epoch(training: Training) -> list[Any]:
    """Each lane's figures of an epoch that nobody stops."""
    lanes = training.run_epoch()
    assert lanes is not None
    return lanes


def curve(training: Training, epochs: int, k: int = 0) -> list[float]:
    figures = [run_epoch(training) for _ in range(epochs)]
    return [lanes[k]["perplexity"] for lanes in figures if lanes[k]]


def textbook(sampler: str, epochs: int, lr: float, theta: float, seed: int) -> list[float]:
    """The chapter's own loop for the same weights and minibatches: no lanes, no stacking, and
    every product written for one matrix."""
    start = recipe().model.init([seed], torch.float64, torch.device("cpu"))
    parameters = [value[0].requires_grad_() for value in start.values()]
    W_xh, W_hh, b_h, W_hq, b_q = parameters
    figures = []
    for epoch in range(epochs):
        state, nats, tokens = None, 0.0, 0
        for starts in library.sampler(sampler).starts(
            len(TOKENS), B, T, generator(seed, "sampler", epoch)
        )[:]:
            rows = [TOKENS[s : s + T + 1] for s in starts.tolist()]
            if state is None or sampler == "random":
                state = torch.zeros(B, H, dtype=torch.float64)
            state = state.detach()
            outputs = []
            for t in range(T):
                X_t = one_hot(torch.stack([row[t] for row in rows]), V).double()
                state = torch.tanh(X_t @ W_xh + state @ W_hh + b_h)
                outputs.append(state @ W_hq + b_q)
            targets = torch.cat([torch.stack([row[t + 1] for row in rows]) for t in range(T)])
            loss = cross_entropy(torch.cat(outputs), targets)
            gradients = torch.autograd.grad(loss, parameters)
            norm = torch.stack([(g**2).sum() for g in gradients]).sum().sqrt()
            scale = theta / norm if norm > theta else 1.0
            with torch.no_grad():
                for p, g in zip(parameters, gradients, strict=True):
                    p -= lr * scale * g
            nats += loss.item() * len(targets)
            tokens += len(targets)
        figures.append(perplexity(nats, tokens))
    return figures


@pytest.mark.parametrize("sampler", ["sequential", "random"])
@pytest.mark.parametrize("theta", [0.05, 100.0])
def test_the_loop_is_the_textbooks(sampler, theta):
    """A gradient that crosses the minibatch border, a state that is reset or kept at the wrong
    place, clipping on the wrong norm: each would leave this curve."""
    ours = curve(Training(recipe(), [lane(sampler=sampler, theta=theta, num_epochs=5)]), 5)
    assert ours == pytest.approx(textbook(sampler, 5, 0.5, theta, 0), rel=1e-10)


def test_the_gradient_does_not_cross_the_border_between_minibatches():
    """The second minibatch's gradient is that of this minibatch alone, from the state that the
    first one left; through both at once it is another one, so the test can fail."""
    training = Training(recipe(), [lane(lr=0.0)])
    plan = training._plan()
    first, second = (training._windows(starts) for starts in (plan[0].starts, plan[1].starts))
    seen = []

    def watch(g, norm, theta):
        seen.append(training.parameters.like(g.clone()))
        return norm > theta

    training.clip = watch
    training._step(*plan[0])
    carried = tuple(tuple(tensor.clone() for tensor in layer) for layer in training.state)
    assert carried[0][0].abs().min() > 0
    training._step(*plan[1])
    eager = ENGINES["eager"].computation()
    alone = eager.loss_and_gradients(training.parameters, *second, carried)[1]
    zero = training.recipe.model.zero_state(1, B, torch.float64, torch.device("cpu"))
    X, Y = (torch.cat(pair, 2) for pair in zip(first, second, strict=True))
    through = eager.loss_and_gradients(training.parameters, X, Y, zero)[1]
    torch.testing.assert_close(seen[1]["0.W_hh"], alone["0.W_hh"])
    assert not torch.allclose(seen[1]["0.W_hh"], through["0.W_hh"])


def test_windows_are_tokens_and_their_successors():
    training = Training(recipe(), [lane(), lane(sampler="random", seed=4)])
    plan = training._plan()
    X, Y = training._windows(plan[0].starts)
    for k in range(2):
        for b in range(B):
            start = int(plan[0].starts[k, b])
            assert X[k, b].tolist() == TOKENS[start : start + T].tolist()
            assert Y[k, b].tolist() == TOKENS[start + 1 : start + T + 1].tolist()


def test_the_state_is_reset_at_each_minibatch_or_each_epoch():
    plan = Training(recipe(), [lane(), lane(sampler="random")])._plan()
    first, *later = [plan[i].reset.tolist() for i in range(len(plan))]
    assert (first, later) == ([True, True], [[False, True]] * (len(plan) - 1))


NEIGHBOURS = [
    {"sampler": "random", "lr": 0.1, "seed": 3},
    {"theta": 0.01, "seed": 1},
    {"num_epochs": 1, "seed": 2},
    {"lr": 1.7e308, "theta": 1e308, "seed": 5},  # diverges
    {"tokens": TOKENS[:150], "sampler": "random", "seed": 6},  # fewer minibatches
]


@pytest.mark.parametrize("cell_name", ["rnn_tanh", "lstm", "gru_before"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_lanes_curve_does_not_depend_on_its_neighbours(cell_name, optimizer):
    lanes = [lane(), *(lane(**changes) for changes in NEIGHBOURS)]
    stack = Training(recipe(cell_name, optimizer), lanes)
    figures = [run_epoch(stack) for _ in range(3)]
    for k, own in enumerate(lanes):
        alone = Training(recipe(cell_name, optimizer), [own])
        for epoch in figures:
            expected, got = run_epoch(alone)[0], epoch[k]
            assert (got is None) == (expected is None)
            if got:
                assert got["loss"] == pytest.approx(expected["loss"], rel=1e-9)
                assert got["tokens"] == expected["tokens"]
                assert got["gradient_norm"] == pytest.approx(expected["gradient_norm"], rel=1e-8)
        assert stack.diverged[k] == alone.diverged[0]
    assert stack.diverged[4] is not None


@pytest.mark.parametrize("K", [2, 7, 16])
def test_a_lanes_curve_is_the_same_in_stacks_of_any_depth(K):
    """Lane 1 diverges; the others differ in lr, theta, sampler and seed."""
    lanes = [lane(), lane(lr=1.7e308, theta=1e308, seed=9)]
    for k in range(2, K):
        sampler = "random" if k % 2 else "sequential"
        lanes.append(lane(sampler=sampler, lr=0.1 * k, theta=1 / k, seed=k))
    stack = Training(recipe("gru_after"), lanes)
    figures = [run_epoch(stack) for _ in range(3)]
    for k in range(0, K, 3):
        alone = curve(Training(recipe("gru_after"), [lanes[k]]), 3)
        assert [epoch[k]["perplexity"] for epoch in figures] == pytest.approx(alone, rel=1e-9)
    assert [place is not None for place in stack.diverged] == [k == 1 for k in range(K)]


@pytest.mark.parametrize("cell_name", ["rnn_tanh", "lstm", "gru_before", "gru_after"])
def test_two_hundred_steps_of_fused_stay_with_eager(cell_name):
    """In float64: rounding grows along a trajectory, an error of any size would grow with it."""
    runs = [Training(recipe(cell_name, engine=name), [lane(num_epochs=16)]) for name in ENGINES][:2]
    figures = [[run_epoch(run)[0] for _ in range(16)] for run in runs]
    assert sum(epoch["updates"] for epoch in figures[0]) >= 200
    for eager, fused in zip(*figures, strict=True):
        assert fused["loss"] == pytest.approx(eager["loss"], rel=1e-8)
    first, second = (run.parameters.flat for run in runs)
    torch.testing.assert_close(second, first, rtol=1e-4, atol=1e-6)


def allocated(cell_name: str, hiddens: int, K: int) -> int:
    """Bytes that torch allocates in one step of a stack that has its buffers."""
    model = library.model(cell_name, V, hiddens)
    lanes = [lane(seed=k) for k in range(K)]
    training = Training(recipe(model=model, precision="fp32"), lanes)
    run_epoch(training)
    step = training._plan()[0]
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiler:
        training.step(*step)
    return sum(max(0, event.self_cpu_memory_usage) for event in profiler.key_averages())


@pytest.mark.parametrize("cell_name", ["rnn_tanh", "lstm", "gru_before", "gru_after"])
@pytest.mark.parametrize("K", [1, 3])
def test_a_step_allocates_token_indices_and_nothing_else(cell_name, K):
    """So it does not depend on the number of hidden units."""
    small = allocated(cell_name, 8, K)
    assert small == allocated(cell_name, 64, K)
    assert small < K * (100 * B * T + 1000)


def test_bf16_products_train_fp32_parameters():
    """Gradients within bf16's three digits of the exact ones; what is kept is fp32."""
    start = Training(recipe(precision="bf16"), [lane()])
    exact = Training(recipe(precision="fp32"), [lane()])
    plan = start._plan()
    state = start.state
    results = [
        run.engine.loss_and_gradients(run.parameters, *run._windows(plan[0].starts), state)
        for run in (start, exact)
    ]
    (loss, gradients, _), (exact_loss, exact_gradients, _) = results
    assert gradients.flat.dtype == torch.float32
    torch.testing.assert_close(loss, exact_loss, rtol=1e-2, atol=0)
    error = (gradients.flat - exact_gradients.flat).norm() / exact_gradients.flat.norm()
    assert 0 < error < 0.02
    assert curve(start, 3)[-1] == pytest.approx(curve(exact, 3)[-1], rel=0.05)
    assert start.parameters.flat.dtype == start.state[0][0].dtype == torch.float32


def test_a_lane_that_diverges_says_where_and_keeps_its_last_finite_weights():
    training = Training(recipe("rnn_relu"), [lane(lr=1e100, theta=1e100)])
    run_epoch(training)
    assert training.diverged[0] is not None
    assert not training.healthy.any()
    assert all(value.isfinite().all() for value in training.parameters.values())


@pytest.mark.parametrize("sampler", ["sequential", "random"])
def test_stopping_between_minibatches_changes_nothing(sampler):
    """Stopped after every minibatch and called again, an epoch gives the very same figures."""
    whole = curve(Training(recipe(), [lane(sampler=sampler)]), 3)
    training, figures = Training(recipe(), [lane(sampler=sampler)]), []
    while len(figures) < 3:
        calls = count()
        lanes = training.run_epoch(stop=lambda calls=calls: next(calls) > 0)
        if lanes and lanes[0]:
            figures.append(lanes[0]["perplexity"])
    assert figures == whole


def test_the_first_minibatch_repeated_is_learnt_by_heart():
    training = Training(
        recipe("gru_after", "adam", max_minibatches=1, repeat_first_epoch=True),
        [lane(lr=0.03, num_epochs=300)],
    )
    figures = curve(training, 300)
    assert figures[0] > 5
    assert figures[-1] < 1.2


def test_max_minibatches_cuts_the_epoch():
    figures = run_epoch(Training(recipe(max_minibatches=2), [lane()]))
    assert figures[0]["updates"] == 2
    assert figures[0]["tokens"] == 2 * B * T


def test_dropout_is_a_lanes_own_stream_and_keeps_the_mean():
    training = Training(recipe(num_layers=2, dropout=0.25), [lane(seed=1), lane(seed=2)])
    first, again = training._dropout_masks(), training._dropout_masks()
    assert torch.equal(first[0], again[0])  # addressed by epoch and minibatch, not carried along
    assert not torch.equal(first[0][0], first[0][1])
    assert set(first[0].unique().tolist()) == {0.0, 1 / 0.75}
    training.minibatch = 1
    assert not torch.equal(training._dropout_masks()[0], first[0])
    means = []
    for training.minibatch in range(200):
        means.append(training._dropout_masks()[0].mean().item())
    assert sum(means) / 200 == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_a_step_of_all_zero_inputs_changes_nothing(optimizer):
    """What recording a CUDA graph relies on: its warm-up steps must leave no trace."""
    runs = [Training(recipe("lstm", optimizer), [lane(), lane(seed=1)]) for _ in range(2)]
    expected = [run_epoch(training) for training in runs]
    for _ in range(3):
        starts = torch.zeros(2, B, dtype=torch.int64)
        absent = torch.zeros(2, dtype=torch.bool)
        runs[1]._step(starts, absent, absent)
    for k in range(2):
        assert expected[0][k]["loss"] == expected[1][k]["loss"]
        first, second = (training.parameters["0.W_hi"][k] for training in runs)
        assert torch.equal(first, second)
    after = [run_epoch(training) for training in runs]
    assert [lane["loss"] for lane in after[0]] == [lane["loss"] for lane in after[1]]


def test_every_minibatch_is_trained_with_masks_of_its_own():
    training = Training(recipe(num_layers=2, dropout=0.5), [lane()])
    seen, engine = [], training.engine.loss_and_gradients

    def watch(parameters, X, Y, state, masks, *wanted):
        seen.append(masks[0])
        return engine(parameters, X, Y, state, masks, *wanted)

    training.engine = SimpleNamespace(loss_and_gradients=watch, session=lambda *_: nullcontext())
    run_epoch(training)
    run_epoch(training)
    assert len(seen) == len({mask.numpy().tobytes() for mask in seen}) > 10


@pytest.mark.parametrize("clip", [ByNorm(), NoClip()], ids=str)
@pytest.mark.parametrize("precision", ["fp32", "fp64"])
def test_one_compiled_pass_is_clipping_sgd_and_sums(clip, precision):
    """Of lanes that are clipped often, never, and until they diverge; one has ended before."""
    pytest.importorskip("numba")
    own = recipe(engine="compiled", precision=precision, clip=clip)
    lanes = [lane(theta=0.05), lane(theta=1e9, seed=1), lane(lr=1e30, seed=2), lane(num_epochs=1)]
    compiled, plain = (Training(own, lanes) for _ in range(2))
    assert own.is_one_pass
    plain.finish = plain._finish
    for _ in range(3):
        for first, second in zip(*map(run_epoch, (compiled, plain)), strict=True):
            assert (first is None) == (second is None)
            if first and second:
                expected = {**second.figures, "seconds": 0, "tokens_per_second": 0}
                found = {**first.figures, "seconds": 0, "tokens_per_second": 0}
                assert found == pytest.approx(expected, rel=1e-4 if precision == "fp32" else 1e-11)
    assert compiled.diverged == plain.diverged
    assert compiled.diverged[2] and not any(compiled.diverged[:2])
    rtol = 1e-3 if precision == "fp32" else 1e-10
    pairs = [(compiled.parameters.flat, plain.parameters.flat)]
    pairs += [(a[0], b[0]) for a, b in zip(compiled.state, plain.state, strict=True)]
    for first, second in pairs:
        torch.testing.assert_close(first, second, rtol=rtol, atol=rtol * 1e-2, equal_nan=True)


@pytest.mark.parametrize("changes", [{"optimizer": "adam"}, {"clip": ByValue()}])
def test_other_rules_take_the_compiled_gradients_as_they_are(changes):
    pytest.importorskip("numba")
    own = recipe(engine="compiled", **changes)
    assert not own.is_one_pass
    expected = curve(Training(recipe(**changes), [lane()]), 3)
    assert curve(Training(own, [lane()]), 3) == pytest.approx(expected, rel=1e-10)


def test_an_epochs_sums_leave_out_what_is_not_active():
    sums = Sums(2, torch.device("cpu"))
    loss, norm = torch.tensor([2.0, torch.nan]), torch.tensor([3.0, torch.inf])
    only_first = torch.tensor([True, False])
    sums.add(only_first, Minibatch(loss, 10, norm, torch.tensor([True, True])))
    sums.add(only_first, Minibatch(loss / 2, 10, norm / 6, torch.tensor([False, True])))
    figures, idle = (Epoch.of(lane, epoch=3, seconds=2.0) for lane in sums.read())
    assert idle is None
    assert figures is not None
    assert (figures["loss"], figures["tokens"], figures["updates"]) == (1.5, 20, 2)
    assert figures["perplexity"] == pytest.approx(math.exp(1.5), rel=1e-14)
    assert figures["bits_per_token"] == pytest.approx(1.5 / math.log(2), rel=1e-14)
    assert (figures["gradient_norm"], figures["clipped_fraction"]) == (1.75, 0.5)
    assert figures["tokens_per_second"] == 10.0


def test_sums_are_over_tokens_and_not_over_minibatches():
    """exp of a mean of nats: 2 tokens at 1 nat and 6 at 3 are exp(20 / 8), not a mean of exps."""
    assert perplexity(2 * 1.0 + 6 * 3.0, 8) == pytest.approx(12.182493960703473, rel=1e-14)
    assert perplexity(1e6, 1) == float("inf")
