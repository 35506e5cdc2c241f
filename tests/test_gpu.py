"""The GPU against the CPU. Needs torch, numpy and pytest only, for `make gpu-check`."""

from __future__ import annotations

from functools import partial

import pytest
import torch

import library
from rnnlab.nn.engines import ENGINES
from rnnlab.nn.generation import generate
from rnnlab.training.evaluation import evaluate
from rnnlab.training.graph import StepGraph
from rnnlab.training.loop import Lane, Recipe, Training
from rnnlab.training.schedules import Schedule, Step

pytestmark = pytest.mark.gpu

CELLS = ["rnn_tanh", "rnn_relu", "lstm", "gru_before", "gru_after"]
V = 28
TOKENS = torch.randint(1, V, (2000,), generator=torch.Generator().manual_seed(0)).to(torch.uint8)


@pytest.fixture(autouse=True)
def _exact_products():
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False


@pytest.mark.parametrize(("dtype", "rtol"), [(torch.float64, 1e-10), (torch.float32, 1e-4)])
@pytest.mark.parametrize("engine", ["fused", "eager", "torch_nn"])
@pytest.mark.parametrize("cell_name", CELLS)
def test_loss_and_gradients_are_the_cpus(cell_name, engine, dtype, rtol):
    if (cell_name, engine) == ("gru_before", "torch_nn"):
        pytest.skip("torch.nn.GRU has no such form")
    model = library.model(cell_name, V, 48, 2, init_std=0.1)
    results = []
    for device in (torch.device("cpu"), torch.device("cuda")):
        parameters = model.init([0, 1, 2], dtype, device)
        X, Y = torch.randint(V, (2, 3, 8, 20), generator=torch.Generator().manual_seed(1))
        state = model.zero_state(3, 8, dtype, device)
        name = "eager" if device.type == "cpu" else engine
        results.append(
            ENGINES[name]
            .computation()
            .loss_and_gradients(parameters, X.to(device), Y.to(device), state)
        )
    (loss, gradients, _), (gpu_loss, gpu_gradients, _) = results
    torch.testing.assert_close(gpu_loss.cpu(), loss, rtol=rtol, atol=0)
    for key, expected in gradients.items():
        atol = rtol * float(expected.abs().max())
        torch.testing.assert_close(gpu_gradients[key].cpu(), expected, rtol=rtol, atol=atol)


def stack(
    device: str,
    cell_name: str,
    optimizer: str,
    dropout: float = 0.0,
    precision: str = "fp64",
    schedule: Schedule | None = None,
) -> Training:
    recipe = Recipe(
        model=library.model(cell_name, V, 32, 2, dropout=dropout),
        batch_size=4,
        num_steps=16,
        optimizer=library.sgd_or_adam(optimizer),
        device=torch.device(device),
        precision=library.precision(precision),
    )
    lane = partial(Lane, theta=1.0, num_epochs=4, schedule=schedule or Schedule())
    return Training(
        recipe,
        [
            lane(tokens=TOKENS, sampler=library.sampler("sequential"), lr=0.5, seed=0),
            lane(tokens=TOKENS[:900], sampler=library.sampler("random"), lr=0.1, seed=1),
            lane(tokens=TOKENS, sampler=library.sampler("random"), lr=1.7e308, seed=2),  # diverges
        ],
    )


@pytest.mark.parametrize("cell_name", ["rnn_tanh", "lstm", "gru_after"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_a_stack_trains_as_on_the_cpu_in_one_graph(cell_name, optimizer, dropout):
    """Warm-up and recording must leave no trace: the curves begin alike, and stay so."""
    gpu, cpu = (stack(device, cell_name, optimizer, dropout) for device in ("cuda", "cpu"))
    for _ in range(4):
        for got, expected in zip(gpu.run_epoch() or [], cpu.run_epoch() or [], strict=True):
            assert (got is None) == (expected is None)
            if got and expected:
                assert got["loss"] == pytest.approx(expected["loss"], rel=1e-8)
                assert got["tokens"] == expected["tokens"]
    assert gpu.diverged == cpu.diverged
    assert isinstance(gpu.step, StepGraph)
    assert gpu.step.graph is not None


def test_a_recorded_step_has_each_epochs_learning_rate():
    """One that was recorded with the first epoch's would leave the CPU's curve in the second."""
    falls = Step(every=1, factor=0.25)
    gpu, cpu = (stack(device, "lstm", "adam", schedule=falls) for device in ("cuda", "cpu"))
    for _ in range(4):
        for got, expected in zip(gpu.run_epoch() or [], cpu.run_epoch() or [], strict=True):
            if got and expected:
                assert got["loss"] == pytest.approx(expected["loss"], rel=1e-8)
                assert got["lr"] == expected["lr"]
    assert isinstance(gpu.step, StepGraph)
    assert gpu.step.graph is not None


def test_no_minibatch_waits_for_the_host():
    """After the first epoch, which records the graph, a synchronising call is an error."""
    training = stack("cuda", "lstm", "sgd")
    training.run_epoch()
    plan = training._plan()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for i in range(len(plan)):
            training.step(*plan[i])
    finally:
        torch.cuda.set_sync_debug_mode("default")


@pytest.mark.parametrize(("precision", "rel"), [("fp32", 1e-4), ("tf32", 5e-3), ("bf16", 5e-2)])
@pytest.mark.parametrize("cell_name", ["rnn_tanh", "lstm", "gru_before"])
def test_lower_precision_stays_near_the_exact_curve(cell_name, precision, rel):
    gpu = stack("cuda", cell_name, "sgd", precision=precision)
    cpu = stack("cpu", cell_name, "sgd")
    for got, expected in zip(gpu.run_epoch() or [], cpu.run_epoch() or [], strict=True):
        if got and expected:
            assert got["loss"] == pytest.approx(expected["loss"], rel=rel)
    assert gpu.parameters.flat.dtype == torch.float32


@pytest.mark.parametrize("cell_name", CELLS)
def test_evaluation_and_generation_are_the_cpus(cell_name):
    model = library.model(cell_name, V, 16, 2, init_std=0.5)
    parameters = [model.init([0], torch.float64, torch.device(name)) for name in ("cpu", "cuda")]
    cpu, gpu = (evaluate(own, TOKENS.to(own.flat.device)) for own in parameters)
    assert gpu == pytest.approx(cpu, rel=1e-10)
    for temperature in (0.0, 1.0):
        cpu_texts, gpu_texts = (
            generate(own, [[1, 2], [3]], 30, temperature=temperature) for own in parameters
        )
        assert gpu_texts == cpu_texts
