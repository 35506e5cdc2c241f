"""Instruments against closed forms, brute force and differences, and beside a training.

Shapes: K lanes, B sequences, T time steps, H hidden units, V vocabulary.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from rnnlab._common.errors import ConfigError
from rnnlab.instruments import LIGHT, NAMES, chosen, named
from rnnlab.instruments.gates import gates_of
from rnnlab.instruments.known.gradient_lag import gradient_norms
from rnnlab.instruments.known.spectral_radius import radius
from rnnlab.instruments.look import Look
from rnnlab.instruments.panel import Panel, Probe, look_at, values_of
from rnnlab.nn.cells import CELLS, LSTM, RNN, Activation
from rnnlab.nn.engines import ENGINES
from rnnlab.nn.model import Model, Parameters
from rnnlab.nn.own_cell import own_cell
from rnnlab.nn.states import states
from rnnlab.runs import resume as resuming
from rnnlab.runs import stack
from rnnlab.runs.differences import differences
from rnnlab.runs.events import read_numbers
from rnnlab.runs.folder import INSTRUMENTS, read_looks
from rnnlab.runs.result import Result
from rnnlab.training.clips import ByNorm, NoClip
from rnnlab.training.evaluation import nats as cost_of

V, H, B, T = 5, 4, 3, 6
SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "num_epochs=4", "log.sample_length=5"]
SMALL += ["dataset.max_tokens=600", "dataset.val_fraction=0.1", "checkpoint.seconds=0"]
ALL = ["instruments=full", "log.inspect_every=2"]


def parameters(cell, K: int = 2, layers: int = 2, size: int = H) -> Parameters:
    """Weights and biases from N(0, 0.5^2), in fp64."""
    model = Model(cell=cell, vocab_size=V, num_hiddens=size, num_layers=layers)
    source = torch.Generator().manual_seed(7)
    flat = torch.randn(K, model.num_parameters, generator=source, dtype=torch.float64)
    return Parameters(model, 0.5 * flat)


def tokens(*shape: int) -> torch.Tensor:
    return torch.randint(V, shape, generator=torch.Generator().manual_seed(3))


def a_look(own: Parameters, clip=ByNorm(), theta: float = 1.0) -> Look:
    K = len(own.flat)
    return Look(
        own, tokens(K, B, T + 1), tokens(K, 20), clip, torch.full((K,), theta, dtype=torch.float64)
    )


def losses(own: Parameters, windows: torch.Tensor, nudge=None) -> torch.Tensor:
    """(K, B, T): -log p of each target; `nudge(l, s, states)` changes what a step has returned."""
    model, layers = own.model, [own.layer(l) for l in range(own.model.num_layers)]
    state = [
        tuple(torch.zeros(*windows.shape[:2], H, dtype=torch.float64) for _ in model.cell.states)
        for _ in layers
    ]
    found = []
    for s in range(windows.shape[2] - 1):
        below = torch.nn.functional.one_hot(windows[:, :, s], V).double()
        for l, weights in enumerate(layers):
            state[l] = model.cell.step(below, *state[l], **weights)
            state[l] = nudge(l, s, state[l]) if nudge else state[l]
            below = state[l][0]
        p = torch.softmax(below @ own.W_hq + own.b_q, -1)
        found.append(-p.gather(2, windows[:, :, s + 1, None])[..., 0].log())
    return torch.stack(found, 2)


class Nudge(NamedTuple):
    """Adds to one unit of one state that a layer has returned at one time step.

    To what is computed from it as well: of an LSTM H = O tanh(C) is that of the C that was nudged.
    """

    layer: int
    s: int
    state: int
    unit: int
    by: float

    def __call__(self, layer: int, s: int, states: tuple[torch.Tensor, ...]):
        if (layer, s) != (self.layer, self.s):
            return states
        moved = states[self.state].clone()
        moved[..., self.unit] += self.by
        if self.state == 1:
            H, C = states
            return H / torch.tanh(C) * torch.tanh(moved), moved
        return (*states[: self.state], moved, *states[self.state + 1 :])


@pytest.mark.parametrize("form", CELLS)
def test_the_gradient_against_the_lag_is_that_of_differences(form):
    """Every unit of every state, layer and time step is nudged, and all losses looked at."""
    own = parameters(CELLS[form])
    look, nudge = a_look(own), 1e-5
    names = [f"{l}.{state}" for l in range(2) for state in CELLS[form].states]
    found = named("gradient_lag").measure(look)
    assert [*found] == names
    squares = torch.zeros(len(names), T, 2, B, T, dtype=torch.float64)  # state, s, K, B, t
    for place, name in enumerate(names):
        layer, i = int(name[0]), CELLS[form].states.index(name[2])
        for s, unit in product(range(T), range(H)):
            ends = [
                losses(own, look.windows, Nudge(layer, s, i, unit, by)) for by in (nudge, -nudge)
            ]
            squares[place, s] += ((ends[0] - ends[1]) / (2 * nudge)) ** 2
    norms = squares.sqrt()
    apart = gradient_norms(look, look.windows, torch.arange(T)).permute(0, 1, 2, 4, 3)
    torch.testing.assert_close(apart, norms, rtol=1e-6, atol=1e-10)
    for place, name in enumerate(names):
        for lag in range(T):
            pairs = [norms[place, t - lag, :, :, t] for t in range(lag, T)]
            wanted = torch.stack(pairs).mean((0, 2))
            torch.testing.assert_close(found[name][:, lag], wanted, rtol=1e-6, atol=1e-10)


def test_a_linear_recurrence_loses_its_gradient_by_its_eigenvalue():
    """relu units that stay positive, W_hh = 0.8 I: each step back has 0.8 of the norm after it."""
    own = parameters(RNN(activation=Activation.relu), K=1, layers=1)
    own["0.W_xh"].abs_()
    own["0.b_h"].fill_(1.0)
    own["0.W_hh"].copy_(0.8 * torch.eye(H, dtype=torch.float64))
    own["W_hq"].mul_(1e-6)  # all losses alike
    (norms,) = named("gradient_lag").measure(a_look(own)).values()
    look = a_look(own)
    apart = gradient_norms(look, look.windows, torch.tensor([T - 1]))[0, :, 0, 0]
    torch.testing.assert_close(apart[:-1], 0.8 * apart[1:], rtol=1e-9, atol=0)
    assert norms[0, 0] > 0


def test_what_is_taken_at_once_changes_nothing(monkeypatch):
    own = parameters(LSTM())
    whole = named("gradient_lag").measure(a_look(own))
    monkeypatch.setattr("rnnlab.instruments.known.gradient_lag.NUMBERS", 1)
    parts = named("gradient_lag").measure(a_look(own))
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, rtol=1e-12, atol=0)


# --- gates -----------------------------------------------------------------------------------


def test_gates_are_those_of_the_equations():
    own = parameters(CELLS["lstm"])
    gates, p, S = a_look(own).gates, own.layer(0), torch.sigmoid
    assert [*gates] == [f"{layer}.{gate}" for layer in range(2) for gate in "ifoc"]
    X = torch.nn.functional.one_hot(a_look(own).inputs[:, :, 0], V).double()
    functions = {"i": S, "f": S, "o": S, "c": torch.tanh}
    first = {g: f(X @ p[f"W_x{g}"] + p[f"b_{g}"]) for g, f in functions.items()}  # H_0 = 0
    H_1 = first["o"] * torch.tanh(first["i"] * first["c"])
    X = torch.nn.functional.one_hot(a_look(own).inputs[:, :, 1], V).double()
    for g, f in functions.items():
        second = f(X @ p[f"W_x{g}"] + H_1 @ p[f"W_h{g}"] + p[f"b_{g}"])
        rows = gates[f"0.{g}"].values.unflatten(1, (T, B))
        torch.testing.assert_close(rows[:, 0], first[g])
        torch.testing.assert_close(rows[:, 1], second)


@pytest.mark.parametrize(
    ("form", "functions"),
    {
        "rnn_tanh": {"h": "tanh"},
        "rnn_relu": {"h": "relu"},
        "gru_before": {"z": "sigmoid", "r": "sigmoid", "h": "tanh"},
        "gru_after": {"z": "sigmoid", "r": "sigmoid", "h": "tanh"},
    }.items(),
)
def test_gates_have_the_names_of_their_weights(form, functions):
    gates = a_look(parameters(CELLS[form], layers=1)).gates
    assert {name: gate.function for name, gate in gates.items()} == {
        f"0.{name}": function for name, function in functions.items()
    }


OWN = """
import torch
from torch.nn import functional

def step(X, H, C, *, W_x, W_h, b_, W_xg, scale):
    A, B = (X @ W_x + H @ W_h + b_).chunk(2, -1)
    F, G = A.sigmoid(), functional.relu(X @ W_xg)
    C = F * C + (1 - F) * torch.tanh(B)
    return torch.tanh(C) * torch.sigmoid(scale) + G, C

def shapes(I, H):
    return {"W_x": (I, 2 * H), "W_h": (H, 2 * H), "b_": (1, 2 * H), "W_xg": (I, H), "scale": (1, H)}
"""


def test_of_a_cell_of_ones_own_gates_are_what_its_functions_give():
    """Two that share their weights, one in its own words, and one that is a parameter alone."""
    cell = own_cell(OWN, "gated.py", "gated.py")(name="gated.py")
    own = parameters(cell, K=1, layers=1)
    weights = own.layer(0)
    X, H_0 = torch.randn(1, 7, V).double(), torch.zeros(1, 7, H).double()
    found = gates_of(cell, [X, H_0, H_0], weights)
    assert {name: gate.function for name, gate in found.items()} == {
        "": "sigmoid", "g": "relu", " 2": "tanh", "scale": "sigmoid",
    }  # fmt: skip
    A, _ = (X @ weights["W_x"] + weights["b_"]).chunk(2, -1)
    torch.testing.assert_close(found[""].values, A.sigmoid())


@pytest.mark.parametrize(
    ("form", "bias", "share"),
    [("rnn_tanh", 9.0, 1), ("rnn_tanh", 0.0, 0), ("rnn_relu", -9.0, 1), ("rnn_relu", 9.0, 0),
     ("lstm", -9.0, 1), ("lstm", 9.0, 1), ("lstm", 0.0, 0)],
)  # fmt: skip
def test_saturated_is_what_is_at_a_limit(form, bias, share):
    """tanh and sigmoids at both ends, relu where it is zero and not where it is large."""
    own = parameters(CELLS[form], layers=1)
    own.flat.mul_(0.01)
    for name, value in own.items():
        if name.startswith("0.b_"):
            value.fill_(bias)
    found = named("saturation").measure(a_look(own))
    for value in found.values():
        assert value.tolist() == [share] * 2


def test_a_histogram_has_each_value_in_its_bin():
    own = parameters(CELLS["lstm"], layers=1)
    look = a_look(own)
    for name, shares in named("gates").measure(look).items():
        values = look.gates[name].values[1].numpy()
        wanted, _ = np.histogram(values, bins=40, range=(-1, 1))
        np.testing.assert_allclose(shares[1], wanted / values.size, rtol=1e-12)
        assert shares[1, :20].sum() == (0 if name != "0.c" else pytest.approx((values < 0).mean()))


# --- matrices --------------------------------------------------------------------------------

SOURCE = torch.Generator().manual_seed(1)
MATRICES = {
    "random": torch.randn(32, 32, generator=SOURCE),
    "small": 1e-30 * torch.randn(32, 32, generator=SOURCE),
    "identity": torch.eye(32),
    "turning": torch.tensor([[0.0, -0.7], [0.7, 0.0]]),
    "orthogonal": torch.linalg.qr(torch.randn(64, 64, generator=SOURCE))[0],
}


def jordan(value: float, size: int) -> torch.Tensor:
    return value * torch.eye(size) + torch.diag(torch.ones(size - 1), 1)


FAR_FROM_NORMAL = {  # and their spectral radius
    "a small block": (jordan(0.5, 8), 0.5),
    "a block": (jordan(0.9, 12), 0.9),
    "a block as large as a layer": (jordan(0.9, 256), 0.9),
    "two": (torch.block_diag(jordan(0.9, 64), jordan(-1.1, 3)), 1.1),
    "triangular": (torch.triu(torch.randn(32, 32, generator=SOURCE), 1) + 0.9 * torch.eye(32), 0.9),
    "nilpotent": (torch.triu(torch.ones(8, 8), 1), 0.0),
    "zero": (torch.zeros(8, 8), 0.0),
}


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_spectral_radius_is_that_of_all_eigenvalues(monkeypatch, name, dtype):
    """By squaring, so that it does not care whether the largest ones are complex, and is cheap."""
    monkeypatch.setattr(torch.linalg, "eigvals", None)
    W = MATRICES[name].to(dtype)
    wanted = np.abs(np.linalg.eigvals(W.double().numpy())).max()
    found = radius(torch.stack([W, 2 * W]))
    assert found[0].item() == pytest.approx(wanted, rel=1e-3)
    assert found[0].item() >= wanted * (1 - 1e-6)
    assert found[1].item() == pytest.approx(2 * found[0].item(), rel=1e-6)


@pytest.mark.parametrize("name", FAR_FROM_NORMAL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_spectral_radius_of_what_is_far_from_normal(name, dtype):
    """Its powers grow by 1e100 before they fall; a lane beside it has what it has alone."""
    W, wanted = FAR_FROM_NORMAL[name]
    turned = MATRICES["orthogonal"][: len(W), : len(W)] if len(W) <= 64 else torch.zeros_like(W)
    found = radius(torch.stack([W, turned]).to(dtype))
    assert wanted * (1 - 1e-6) <= found[0].item() <= wanted * 1.0015
    assert found[1].item() == radius(turned[None].to(dtype)).item()


def test_weights_beyond_all_numbers_have_no_spectral_radius():
    (found,) = radius(torch.full((1, 4, 4), math.inf))
    assert not found.isfinite()


def test_the_spectrum_is_numpys_and_of_square_matrices_only():
    own = parameters(CELLS["gru_after"], layers=2)
    found = named("spectrum").measure(a_look(own))
    assert [*found] == [f"{l}.W_h{g}" for l in range(2) for g in "zrh"]
    assert [*named("spectral_radius").measure(a_look(own))] == [*found]
    for name, points in found.items():
        wanted = np.sort_complex(np.linalg.eigvals(own[name][1].numpy()))
        given = np.sort_complex(points[1].numpy() @ np.array([1, 1j]))
        np.testing.assert_allclose(given, wanted, rtol=1e-9, atol=1e-12)


# --- costs and gradients ---------------------------------------------------------------------


def test_perplexity_by_position_is_of_the_same_targets_at_each():
    """Text 0..19 and windows of 6: targets 6..14 are at each position of some window."""
    own = parameters(CELLS["gru_before"])
    look = a_look(own)
    (found,) = named("perplexity_by_position").measure(look).values()
    for position in range(T):
        read = [look.text[:, j - position - 1 : j + 1] for j in range(T, 15)]
        costs = [losses(own, own_text[:, None])[:, 0, -1] for own_text in read]
        wanted = torch.stack(costs).mean(0).exp()
        torch.testing.assert_close(found[:, position], wanted, rtol=1e-10, atol=0)


def test_perplexity_by_position_of_a_text_as_short_as_a_window():
    own = parameters(CELLS["gru_before"])
    look = replace(a_look(own), text=tokens(2, T + 1))
    (found,) = named("perplexity_by_position").measure(look).values()
    wanted = losses(own, look.text[:, None])[:, 0].exp()
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=0)


def test_a_model_that_knows_nothing_has_the_perplexity_of_guessing_everywhere():
    own = parameters(CELLS["lstm"])
    own.flat.zero_()
    look = a_look(own)
    (found,) = named("perplexity_by_position").measure(look).values()
    torch.testing.assert_close(found, torch.full((2, T), float(V)).double())
    (bits,) = named("surprise").measure(look).values()
    torch.testing.assert_close(bits, torch.full((2, 19), math.log2(V)).double())


@pytest.mark.parametrize("form", ["rnn_relu", "lstm"])
def test_surprise_sums_to_what_evaluation_says_of_the_text(form):
    own = parameters(CELLS[form])
    look = a_look(own)
    (bits,) = named("surprise").measure(look).values()
    for k in range(2):
        cost = cost_of(own.like(own.flat[k : k + 1]), look.text[k])
        assert bits[k].sum().item() * math.log(2) == pytest.approx(cost, rel=1e-12)


def test_hidden_units_are_the_states_that_the_model_has():
    own = parameters(CELLS["lstm"], size=40)
    look = a_look(own)
    found = named("hidden_units").measure(look)
    for k in range(2):
        wanted = states(own.like(own.flat[k : k + 1]), look.text[k])["H"]
        for layer in range(2):
            torch.testing.assert_close(found[f"{layer}.H"][k], wanted[:, layer, :32])


@pytest.mark.parametrize(("clip", "theta"), [(ByNorm(), 1e-3), (ByNorm(), 1e3), (NoClip(), 1e-3)])
@pytest.mark.parametrize("form", CELLS)
def test_the_length_of_the_gradient_is_the_eager_engines(form, clip, theta):
    own = parameters(CELLS[form])
    look = a_look(own, clip, theta)
    found = named("gradient_norm").measure(look)
    X, Y, K = look.windows[..., :-1], look.windows[..., 1:], 2
    zero = own.model.zero_state(K, B, torch.float64, torch.device("cpu"))
    g = ENGINES["eager"].computation().loss_and_gradients(own, X, Y, zero)[1]
    norm = g.flat.square().sum(1).sqrt()
    torch.testing.assert_close(found["all"], norm, rtol=1e-10, atol=0)
    limit = theta if clip.uses_theta else math.inf
    torch.testing.assert_close(found["clipped"], norm.clamp(max=limit), rtol=1e-10, atol=0)
    parts = [value.square() for name, value in found.items() if name not in ("all", "clipped")]
    torch.testing.assert_close(sum(parts), norm.square(), rtol=1e-10, atol=0)
    recurrent = [g[f"1.W_h{gate}"].square().sum((1, 2)) for gate in CELLS[form].gates]
    torch.testing.assert_close(found["1.W_h"].square(), sum(recurrent), rtol=1e-10, atol=0)


def test_a_lane_is_seen_as_if_alone():
    own = parameters(CELLS["gru_before"], K=3)
    probes = [Probe(tokens(B, T + 1) + k - k, tokens(20)) for k in range(3)]
    theta, full = torch.ones(3).double(), chosen("full")
    together = values_of(look_at(own, probes, ByNorm(), theta), full)
    for k in range(3):
        alone = look_at(own.like(own.flat[k : k + 1]), probes[k : k + 1], ByNorm(), theta[:1])
        (values,) = values_of(alone, full)
        for name in set(NAMES) - {"spectrum"}:  # whose order is any
            assert [*together[k][name]] == [*values[name]]
            for key, value in values[name].items():
                one, other = (
                    np.array(v, dtype=np.float64) for v in (together[k][name][key], value)
                )
                np.testing.assert_allclose(one, other, rtol=2e-4, atol=1e-6, err_msg=name)


def test_lanes_that_are_looked_at_together_are_read_once(monkeypatch):
    """As on a GPU: those of one shape, as many as there is room for, and each has its own."""
    own = parameters(CELLS["rnn_tanh"], K=5)
    probes = {k: Probe.of(tokens(200), T) for k in (0, 1, 3, 4)}
    wanted = {k: [named("spectral_radius")] for k in probes}
    panel = Panel(own, torch.ones(5).double(), ByNorm(), probes, wanted)
    monkeypatch.setattr(Panel, "_together", lambda self, k: [0, 1] if k < 2 else [3, 4])
    alone = radius(own["0.W_hh"]).tolist()
    for k in probes:
        given = panel.read(k, epoch=1)["spectral_radius"]["0.W_hh"]
        assert given == pytest.approx(alone[k], rel=1e-4)
    own.flat.mul_(2)
    assert panel.read(0, epoch=1)["spectral_radius"]["0.W_hh"] == pytest.approx(alone[0], rel=1e-4)
    doubled = panel.read(0, epoch=2)["spectral_radius"]["0.W_hh"]
    assert doubled == pytest.approx(2 * alone[0], rel=1e-4)


@pytest.mark.parametrize("N", [T + 1, T + 2, 40, 5000])
def test_a_probe_has_different_windows_over_all_of_a_text(N):
    probe = Probe.of(torch.arange(N), T)
    starts = probe.windows[:, 0].tolist()
    assert probe.windows.shape == (min(32, N - T), T + 1)
    assert (starts[0], starts[-1] + T) == (0, N - 1)
    assert len({*starts}) == len(starts)
    assert torch.equal(probe.windows, probe.windows[:, :1] + torch.arange(T + 1))


# --- beside a training -----------------------------------------------------------------------


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They take longer to draw than these runs to train; test_inspect.py looks at them."""
    monkeypatch.setattr("rnnlab.runs.inspection.pictures.picture", lambda _: Figure(figsize=(1, 1)))


def train(config, name: str) -> Path:
    folder = Path(name)
    folder.mkdir()
    stack.run(config, folder)
    return folder


@pytest.mark.parametrize(
    "choice",
    [["model=rnn"], ["model=lstm", "num_layers=2", "model.dropout=0.3", "sampler=random"],
     ["model=gru", "engine=eager", "precision=fp64", "optimizer=adam"]],
)  # fmt: skip
def test_training_is_the_same_with_and_without(compose, choice):
    """All that the folders differ in is what the instruments have written."""
    drawn = torch.get_rng_state()
    off = train(compose(*SMALL, *choice), "off")
    full = train(compose(*SMALL, *choice, *ALL), "full")
    assert torch.equal(torch.get_rng_state(), drawn)
    assert not (off / INSTRUMENTS).exists()
    assert [look["epoch"] for look in read_looks(full)] == [2, 4]
    found = [line.partition(",")[0].partition(":")[0] for line in differences(off, full)]
    assert found == [INSTRUMENTS, "TensorBoard"]
    scalars = [[x for x in read_numbers(f) if "probe" not in x[1] and "speed" not in x[1]]
               for f in (off, full)]  # fmt: skip
    assert scalars[0] == scalars[1]


def test_off_imports_no_instrument():
    code = (
        "import sys\nfrom rnnlab.cli.train import main\n"
        "try:\n    main()\nexcept SystemExit as e:\n    assert not e.code\n"
        "found = [m for m in sys.modules if m.startswith('rnnlab.instruments')]\n"
        "assert found == ['rnnlab.instruments'], found"
    )
    words = [*SMALL, "num_epochs=1", "engine=fused", "hydra.run.dir=run"]
    done = subprocess.run([sys.executable, "-c", code, *words], check=False, capture_output=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_each_lane_of_a_study_has_its_own_as_if_alone(compose):
    """Instruments, intervals and texts of their own; on a CPU bit for bit."""
    shorter = ["dataset.max_tokens=500", "instruments=light", "log.inspect_every=3"]
    some = "instruments=[saturation,gradient_lag]"
    more = [["seed=0", *ALL], ["seed=1"], ["seed=2", some], ["seed=3", *shorter]]
    configs = [compose(*SMALL, *own) for own in more]
    folders = [Path(f"lane{k}") for k in range(4)]
    stack.run_stack(configs, folders)
    looks = [[*read_looks(folder)] for folder in folders]
    assert [[look["epoch"] for look in own] for own in looks] == [[2, 4], [], [4], [3, 4]]
    assert set(looks[2][0]) == {"epoch", "saturation", "gradient_lag"}
    light = {each.name for each in chosen(LIGHT)}
    assert light == {"gradient_norm", "spectral_radius", "saturation", "perplexity_by_position"}
    assert set(looks[3][0]) == {"epoch", *light}
    for k in (0, 2, 3):
        assert looks[k] == [*read_looks(train(configs[k], f"alone{k}"))]


def test_a_run_that_diverges_breaks_none(compose):
    config = compose(*SMALL, "lr=1e38", "instruments=full", "log.inspect_every=1")
    result = Result.read(train(config, "run"))
    assert (result.status, result.warnings) == ("diverged", [])
    huge = parameters(CELLS["rnn_relu"])
    huge.flat.mul_(1e200)
    (values, _) = values_of(a_look(huge), [named(name) for name in NAMES if name != "spectrum"])
    assert math.isinf(values["gradient_norm"]["all"]) or math.isnan(values["gradient_norm"]["all"])


def test_instruments_may_change_when_a_run_goes_on(compose, stop_after):
    stop_after(17)
    folder = train(compose(*SMALL), "run")
    stop_after(25)
    resuming.resume(folder, {"instruments": ["saturation"], "log.inspect_every": 1})
    stop_after(math.inf)
    resuming.resume(folder, {"instruments": "off"})
    assert [[*look] for look in read_looks(folder)] == [["epoch", "saturation"]] * 2


def test_an_instrument_that_fails_is_a_warning(compose, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("by a probe")

    monkeypatch.setattr(type(named("saturation")), "measure", broken)
    config = compose(*SMALL, "instruments=[saturation]", "log.inspect_every=4")
    result = Result.read(train(config, "run"))
    assert result.status == "completed"
    assert result.warnings == [
        "the instruments could not be read: ZeroDivisionError: by a probe",
    ]


@pytest.mark.parametrize(
    ("setting", "epochs"),
    [(["num_epochs=12"], [12]), (["num_epochs=7", "log.inspect_every=3"], [3, 6, 7]),
     (["num_epochs=5", "max_minibatches=375", "batch_size=1", "num_steps=1"], [2, 4, 5])],
)  # fmt: skip
def test_there_is_a_look_every_750_minibatches_and_at_the_end(compose, setting, epochs):
    folder = train(compose(*SMALL, "instruments=[spectral_radius]", *setting), "run")
    assert [look["epoch"] for look in read_looks(folder)] == epochs


def test_what_is_logged_can_be_read_by_anything(compose):
    folder = train(compose(*SMALL, *ALL, "model=lstm"), "run")
    lines = (folder / INSTRUMENTS).read_text().splitlines()
    assert [[*json.loads(line)] for line in lines] == [["epoch", *NAMES]] * 2
    shown = {tag for _, tag, _ in read_numbers(folder) if "probe" in tag}
    assert "probe_spectral_radius/0.W_hf" in shown
    assert "probe_saturation/0.c" in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("instruments=null", "instruments=null is not allowed: it is off, light, full, or a list"),
        ("instruments=true", "instruments=true is not allowed"),
        ("instruments=[saturation,null]", "instruments=[saturation,null] is not allowed"),
        ("instruments=gates", "type 'instruments=[gates]'"),
    ],
)
def test_what_is_none_is_said_as_it_was_typed(compose, words, said):
    with pytest.raises(ConfigError) as caught:
        compose(words)
    assert said in str(caught.value)


def test_a_state_that_depends_on_nothing_is_seen_too():
    """A step that counts: no weight and no state is in its C, and all that follows has it."""
    code = (
        "import torch\n\ndef step(X, H, C, *, W_xh, W_hh, b_h):\n    C = 0 * C.detach() + 0.5\n"
        "    return torch.tanh(X @ W_xh + (H + C) @ W_hh + b_h), C\n"
    )
    own = parameters(own_cell(code, "counts.py", "counts.py")(name="counts.py"), layers=1)
    found = named("gradient_lag").measure(a_look(own))
    assert not found["0.C"].any()  # each step replaces it, and none uses that of the one before
    assert found["0.H"].all()
