"""model.norm, model.tied, model.first_state: equations against ones written out by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import library
from cases import SMALL
from commands import answer
from rnnlab._common.errors import ConfigError
from rnnlab.config.identity import config_id
from rnnlab.nn.cells import CELLS, Norm
from rnnlab.nn.engines.eager import Loop
from rnnlab.nn.generation import generate
from rnnlab.nn.model import Parameters
from rnnlab.nn.spec import FirstState
from rnnlab.nn.states import states
from rnnlab.runs import stack
from rnnlab.runs.checkpoint import load_checkpoint
from rnnlab.runs.differences import differences
from rnnlab.runs.export.to_html import to_html
from rnnlab.runs.export.to_torch import state_dict
from rnnlab.runs.folder import LAST
from rnnlab.runs.resume import resume
from rnnlab.studies.verify import verify
from rnnlab.training.evaluation import evaluate

V, H, K, B, T = 7, 5, 2, 3, 4
CPU = torch.device("cpu")
ALL: dict[str, Any] = {"tied": True, "first_state": FirstState.learned, "norm": Norm.layer}
WORDS = [f"model.{name}={str(value).lower()}" for name, value in ALL.items()]


def started(form: str, L: int = 1, **knobs: Any) -> Parameters:
    """Numbers everywhere, first states and gains included."""
    parameters = library.model(form, V, H, L, init_std=0.5, **knobs).init(
        [3, 4], torch.float64, CPU
    )
    noise = torch.randn(
        parameters.flat.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64
    )
    return parameters.like(parameters.flat + 0.3 * noise)


def tokens(*shape: int) -> Tensor:
    return torch.randint(V, shape, generator=torch.Generator().manual_seed(sum(shape)))


def with_norm(a: Tensor, gain: Tensor) -> Tensor:
    """Ba et al. 2016, equation 4, of one vector."""
    mean = a.sum() / len(a)
    deviation = (((a - mean) ** 2).sum() / len(a) + 1e-5).sqrt()
    return gain * (a - mean) / deviation


def rnn_by_hand(w: dict[str, Tensor], text: Tensor) -> Tensor:
    """Logits (T, V) of one lane and one text: a tanh rnn with all three."""
    h, found = w["0.H_0"][0], []
    for token in text:
        x = w["W_hq"][:, token]
        a = w["0.W_xh"].T @ x + w["0.W_hh"].T @ h
        h = torch.tanh(with_norm(a, w["0.g_h"][0]) + w["0.b_h"][0])
        found.append(w["W_hq"].T @ h + w["b_q"][0])
    return torch.stack(found)


def test_an_rnn_with_all_of_them_is_as_its_equations_say():
    parameters, X = started("rnn_tanh", **ALL), tokens(K, B, T)
    logits, _ = Loop().forward(parameters, X, parameters.first_state(B))
    for k in range(K):
        own = {name: value[k] for name, value in parameters.items()}
        expected = torch.stack([rnn_by_hand(own, text) for text in X[k]], dim=1)
        torch.testing.assert_close(logits[k], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("form", ["lstm", "gru_before", "gru_after", "rnn_relu"])
def test_a_normed_cell_is_the_plain_one_whose_sums_are_normed_by_hand(form):
    """One step; every gate's gain counts, and a gain of one with units that have variance one."""
    parameters = started(form, norm=Norm.layer)
    own, cell = parameters.layer(0), parameters.model.cell
    plain = CELLS[form]
    X, H_0 = (torch.randn(K, B, n, dtype=torch.float64) for n in (V, H))
    given = (H_0, H_0 / 2) if form == "lstm" else (H_0,)
    before = cell.step(X, *given, **own)
    for gate in plain.gates:
        changed = own | {f"g_{gate}": own[f"g_{gate}"] * 1.1}
        assert not torch.allclose(cell.step(X, *given, **changed)[0], before[0], atol=1e-9), gate
    if form != "lstm":
        return
    sums = {g: X @ own[f"W_x{g}"] + H_0 @ own[f"W_h{g}"] for g in "ifoc"}
    a = {
        g: torch.stack(
            [
                torch.stack([with_norm(row, own[f"g_{g}"][k, 0]) for row in sums[g][k]])
                for k in range(K)
            ]
        )
        + own[f"b_{g}"]
        for g in sums
    }
    C = torch.sigmoid(a["f"]) * H_0 / 2 + torch.sigmoid(a["i"]) * torch.tanh(a["c"])
    torch.testing.assert_close(before[0], torch.sigmoid(a["o"]) * torch.tanh(C), rtol=1e-12, atol=0)


@pytest.mark.parametrize("form", CELLS)
def test_gradients_are_those_of_differences(form):
    """Two layers, of which lane 0 begins anew: its first states have a gradient, lane 1's none."""
    parameters, (X, Y) = started(form, 2, **ALL), tokens(2, K, B, T)
    model = parameters.model
    carried = tuple(
        tuple(torch.full((K, B, H), 0.1, dtype=torch.float64) for _ in model.cell.states)
        for _ in range(2)
    )
    begins = torch.tensor([True, False])

    def losses(p: Parameters) -> Tensor:
        return Loop().loss_and_gradients(p, X, Y, carried, begins=begins)[0]

    _, gradient, _ = Loop().loss_and_gradients(parameters, X, Y, carried, begins=begins)
    for seed in range(3):
        source = torch.Generator().manual_seed(seed)
        way = torch.randn(parameters.flat.shape, generator=source, dtype=torch.float64)
        ends = [losses(parameters.like(parameters.flat + h * way)) for h in (1e-6, -1e-6)]
        found = (gradient.flat * way).sum(1)
        torch.testing.assert_close(found, (ends[0] - ends[1]) / 2e-6, rtol=1e-6, atol=1e-9)
    for name in (name for name in gradient if name.endswith("_0")):
        assert (gradient[name][0] != 0).all() and (gradient[name][1] == 0).all()


@pytest.mark.parametrize("form", ["rnn_tanh", "lstm"])
def test_a_first_state_is_where_every_text_begins(form):
    """Training, held-out text, generation and what units do over a text, all of them alike."""
    parameters = started(form, 2, **ALL)
    one = Parameters(parameters.model, parameters.flat[:1])
    text = tokens(30)
    logits, _ = Loop().forward(one, text[None, None, :-1], one.first_state(1))
    cost = cross_entropy(logits[0, :, 0], text[1:])
    assert evaluate(one, text) == pytest.approx(cost.exp().item(), rel=1e-12)
    likeliest = [int(logits[0, 9, 0].argmax())]
    assert generate(one, [text[:10].tolist()], 1)[0][10:] == likeliest
    first = [states(one, text[:1])[name][0, 0] for name in one.model.cell.states]
    x = one["W_hq"][:, :, text[0]][None]
    expected = one.model.cell.step(x, *one.first_state(1)[0], **one.layer(0))
    for own, new in zip(first, expected, strict=True):
        torch.testing.assert_close(own, new[0, 0], rtol=1e-12, atol=1e-12)


def test_what_they_begin_with():
    """Gains at one, first states at zero, and all other numbers as without them."""
    usual, own = (
        library.model("gru_before", V, H, 1, **knobs).init([3], torch.float64, CPU)
        for knobs in ({}, {"norm": Norm.layer, "first_state": FirstState.learned})
    )
    for name, value in own.items():
        new = {"0.g": torch.ones_like(value), "0.H": torch.zeros_like(value)}.get(name[:3])
        assert torch.equal(value, usual[name] if new is None else new), name
    assert {*own} - {*usual} == {"0.g_z", "0.g_r", "0.g_h", "0.H_0"}


def test_the_knobs_are_part_of_the_experiment_and_younger_than_ids(compose):
    usual = config_id(compose("model=lstm"), "sha")
    ids = {config_id(compose("model=lstm", word), "sha") for word in WORDS}
    assert len(ids | {usual}) == 4
    spelled = ["model.tied=false", "model.norm=none", "model.first_state=zero"]
    assert config_id(compose("model=lstm", *spelled), "sha") == usual


@pytest.mark.parametrize("model", ["rnn", "lstm"])
def test_a_run_with_them_goes_on_as_if_it_had_never_stopped(compose, model):
    words = [*SMALL, f"model={model}", *WORDS, "num_layers=2", "device=cpu"]
    stack.run(compose(*words, "num_epochs=4"), Path("whole"))
    stack.run(compose(*words, "num_epochs=2"), Path("parts"))
    resume(Path("parts"), {"num_epochs": 4})
    assert [*differences(Path("whole"), Path("parts"))] == []


@pytest.mark.slow
@pytest.mark.parametrize("model", ["rnn", "lstm"])
def test_a_run_with_them_is_killed_and_resumed_bit_for_bit(compose, tmp_path, model):
    words = [*SMALL, f"model={model}", *WORDS, "num_layers=2", "dataset.val_fraction=0.1"]
    config = compose(*words, "num_epochs=6", "checkpoint.every=1", "device=cpu")
    assert verify([config], tmp_path / "killed", 2, 0).differences == []


def test_another_text_takes_what_it_knows(compose):
    """Of tied weights the columns alone are tokens'."""
    Path("first.txt").write_text("the cab bed. " * 60)
    Path("second.txt").write_text("bed the cab. " * 60)
    on = [*SMALL, "model=gru", *WORDS, "num_epochs=2", "dataset=text", "device=cpu"]
    stack.run(compose(*on, "dataset.path=first.txt"), Path("before"))
    stack.run(compose(*on, "dataset.path=second.txt", "init_from=before", "lr=0"), Path("after"))
    before, after = (load_checkpoint(Path(name), LAST) for name in ("before", "after"))
    assert (before.parameters["0.H_0"] != 0).all()  # it has been trained
    place = [before.vocabulary.tokens.index(token) for token in after.vocabulary.tokens]
    assert torch.equal(after.parameters["W_hq"], before.parameters["W_hq"][..., place])
    assert torch.equal(after.parameters["0.W_xh"], before.parameters["0.W_xh"])


def test_who_has_no_such_thing_says_so(compose):
    for words, said in {
        ("engine=fused", "model.tied=true"): "engine=fused with model=rnn is not allowed: "
        "model.tied=true is differentiated by autograd alone; use engine=eager",
        ("engine=torch_nn", "model.norm=layer"): "torch.nn has no such cell; use engine=eager",
    }.items():
        assert said in answer(*words)
    stack.run(compose(*SMALL, "num_epochs=1", "model.tied=true", "device=cpu"), Path("run"))
    checkpoint = load_checkpoint(Path("run"), LAST)
    with pytest.raises(ConfigError, match=r"--to torch of a rnn with model.tied=true"):
        state_dict(checkpoint)
    with pytest.raises(ConfigError, match=r"--to html of a model with model.tied=true"):
        to_html(checkpoint, "title", "a")
