"""How much memory each path takes: a closed form of V, T, B, H, held from both sides.

V vocabulary, T time steps, B texts, H hidden units, L layers, P parameters, K lanes. Everything is
counted, so that a square of V, or one more copy of what grows with it, is seen.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import library
from memory import peak_of_python, peak_of_torch
from rnnlab.data.corpus import Vocabulary
from rnnlab.nn.engines import ENGINES
from rnnlab.nn.generation import generate
from rnnlab.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rnnlab.runs.folder import LAST
from rnnlab.runs.needs import PER_PARAMETER, lane_bytes
from rnnlab.runs.stack import run
from rnnlab.training.evaluation import LOGITS, STEPS, evaluate
from rnnlab.training.loop import Lane, Recipe, Training

pytestmark = pytest.mark.slow

CPU = torch.device("cpu")
MANY = 20_000  # tokens to choose from
# V, T, B, H, L: of what each is most
SIZES = {
    "logits": (MANY, 10, 4, 32, 1),
    "steps": (30, 20, 16, 32, 2),
    "weights": (30, 3, 2, 128, 2),
}
FORMS = ["rnn_tanh", "lstm", "gru_before", "gru_after"]


def ratio(
    engine: str, form: str, size: str, K: int, precision: str = "fp32", shared: float = 0,
    **optimizer: Any,
) -> float:  # fmt: skip
    """What a lane takes of what planning says that it does, but for its best parameters."""
    V, T, B, H, L = SIZES[size]
    model, rule = library.model(form, V, H, L), library.optimizer(**optimizer)
    recipe = Recipe(
        model=model,
        batch_size=B,
        num_steps=T,
        optimizer=rule,
        device=CPU,
        engine=ENGINES[engine],
        precision=library.precision(precision),
    )
    tokens = torch.randint(V, (2 * B * T + T + 2,)).int()
    sampler = library.sampler("sequential")
    lanes = [
        Lane(tokens=tokens, sampler=sampler, lr=1.0, theta=1.0, seed=k, num_epochs=1)
        for k in range(K)
    ]

    def train() -> Training:
        training = Training(recipe, lanes)
        training.run_epoch()
        return training

    copies = PER_PARAMETER - 1 + rule.slots + recipe.precision.copies
    numbers = copies * model.num_parameters + ENGINES[engine].numbers(model, B, T) + shared
    peak = peak_of_torch(train)
    if recipe.engine.is_compiled:
        peak += peak_of_python(train)
    return peak / K / (numbers * recipe.precision.bytes)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("form", FORMS)
def test_training_takes_what_planning_counts(form, size):
    """In a stack exactly; alone a lane keeps its time steps once instead of in two orders."""
    assert 0.95 < ratio("fused", form, size, 3, name="sgd") < 1.05
    assert 0.5 < ratio("fused", form, size, 1, name="sgd") < 1.05


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("K", [1, 3])
def test_compiled_kernels_have_buffers_for_one_lane_whatever_their_number(form, size, K):
    pytest.importorskip("numba")
    V, T, B, H, L = SIZES[size]
    model, engine = library.model(form, V, H, L), ENGINES["compiled"]
    shared = engine.shared_numbers(model, B, T) / K
    torch.set_num_threads(1)
    assert 0.75 < ratio("compiled", form, size, K, name="sgd", shared=shared) < 1.15


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("engine", ["eager", "torch_nn"])
def test_what_autograd_keeps_is_counted_for_its_worst_moment(engine, form, size):
    if engine == "torch_nn" and form == "gru_before":
        pytest.skip("torch.nn.GRU has no such form")
    assert 0.6 < ratio(engine, form, size, 2, name="sgd") < 1.15


@pytest.mark.parametrize("precision", ["bf16", "fp64"])
def test_other_precisions_are_counted(precision):
    assert 0.8 < ratio("fused", "lstm", "logits", 2, precision, name="sgd") < 1.1
    assert 0.8 < ratio("fused", "lstm", "weights", 2, precision, name="sgd") < 1.1


ADAM = {"name": "adam", "beta1": 0.9, "beta2": 0.999, "eps": 1e-8}


@pytest.mark.parametrize(
    "optimizer", [ADAM, {"name": "momentum", "momentum": 0.9}, ADAM | {"name": "adamw"}]
)
def test_an_optimizers_slots_are_counted(optimizer):
    if optimizer["name"] == "adamw":
        optimizer = optimizer | {"weight_decay": 0.1}
    assert 0.95 < ratio("fused", "lstm", "weights", 2, **optimizer) < 1.05


@pytest.mark.parametrize("form", ["rnn_tanh", "lstm"])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_a_text_takes_some_rows_of_the_vocabulary(form, temperature):
    """Nine times B V doubles where they are drawn among the likeliest; never V V, nor W_x."""
    model = library.model(form, MANY, 32)
    parameters = model.init([0], torch.float32, CPU)
    options: dict[str, Any] = {"top_k": 5, "top_p": 0.9} if temperature else {}
    for B in (1, 20):
        prefixes = [[7, 8]] * B
        peak = peak_of_torch(generate, parameters, prefixes, 5, temperature=temperature, **options)
        of_logits = 4 * B * MANY
        assert of_logits < peak < (18 if temperature else 3.2) * of_logits + 100_000


def test_many_texts_take_no_more_than_some(monkeypatch):
    """A million texts of a token each are asked for in one command."""
    monkeypatch.setattr("rnnlab.nn.generation.AT_ONCE", 1 << 16)
    model = library.model("rnn_tanh", 28, 32)
    parameters = model.init([0], torch.float32, CPU)
    few, many = (
        peak_of_torch(generate, parameters, [[1]] * B, 1, temperature=1.0) for B in (1_000, 10_000)
    )
    assert few < many < 2 * few


@pytest.mark.parametrize("V", [28, MANY])
def test_held_out_text_takes_some_logits_however_long_it_is(V):
    H = 32
    parameters = library.model("rnn_tanh", V, H).init([0], torch.float32, CPU)
    steps = min(STEPS, LOGITS // V)
    numbers = steps * (V + 2 * H) + V * H  # logits, a layer's gates and outputs, a copy of W_x
    expected = 4 * numbers + 16 * steps * V  # logits in double precision, and their softmax
    for windows in (2, 5):
        tokens = torch.randint(V, (windows * steps + 1,))
        assert 0.9 < peak_of_torch(evaluate, parameters, tokens) / expected < 1.2


def test_a_checkpoint_is_in_memory_three_times_while_it_is_written(tmp_path):
    """Its tensors' bytes, and the file's; not once more for each of its parts."""
    model = library.model("lstm", MANY, 32)
    parameters = model.init([0], torch.float32, CPU)
    slots = {f"optimizer.slot{i}": torch.zeros_like(parameters.flat[0]) for i in range(2)}
    vocabulary = Vocabulary(("<unk>", *map(str, range(MANY - 1))), "word")
    checkpoint = Checkpoint(
        model=model, vocabulary=vocabulary, parameters=parameters, epoch=0, config={}, config_id="",
        training=slots,
    )  # fmt: skip
    (tmp_path / "checkpoints").mkdir()

    def save() -> None:
        save_checkpoint(tmp_path, LAST, checkpoint)

    size = 3 * 4 * model.num_parameters
    assert peak_of_torch(save) < 0.4 * size  # parameters that lie side by side are taken apart
    assert 0.9 * size < peak_of_python(save) < 2.5 * size
    peak = peak_of_torch(load_checkpoint, tmp_path, LAST)
    assert 0.9 * size < peak < 2.5 * size


def test_a_whole_run_on_many_words_takes_what_planning_counts(compose, tmp_path):
    """Its best parameters, its checkpoints, held-out text and samples included."""
    words = " ".join(map(str, range(MANY)))
    Path("words.txt").write_text(words, encoding="utf-8")
    config = compose(
        "dataset=text", "dataset.path=words.txt", "dataset.token=word", "num_hiddens=32",
        "batch_size=4", "num_steps=10", "num_epochs=2", "max_minibatches=2",
        "dataset.val_fraction=0.01", "log.sample_length=3", "log.sample_every=1", "device=cpu",
    )  # fmt: skip
    planned = lane_bytes(config, MANY + 1, "cpu")
    logits = 20 * LOGITS
    peak = peak_of_torch(run, config, tmp_path / "run")
    assert 0.6 * planned < peak < planned + logits
