"""What is handed on computes what the run computes: in torch.nn, by a script alone, in a page."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn

import commands
import library
from rnnlab._common.errors import ConfigError
from rnnlab.config.identity import config_id
from rnnlab.data.corpus import Vocabulary, load
from rnnlab.nn.cells import RNN
from rnnlab.nn.engines.eager import Loop
from rnnlab.nn.generation import generate
from rnnlab.nn.model import Model
from rnnlab.runs.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from rnnlab.runs.demo import trained
from rnnlab.runs.export.write import write_export
from rnnlab.runs.folder import LAST
from rnnlab.training.evaluation import evaluate

CPU = torch.device("cpu")
RUN = Path("run")
BOTH = ["rnn_tanh", "rnn_relu", "lstm", "gru_after"]  # what torch.nn has too
TOKENS = ("<unk>", *" etaoinshrd")
GENERATE = ["generate", "demo", "--prefix", "time traveller"]


def stored(
    model: Model, dtype: torch.dtype = torch.float32, tokens: tuple[str, ...] = TOKENS, kind="char"
) -> Checkpoint:
    """A run's folder with random weights and biases of ordinary size."""
    source = torch.Generator().manual_seed(1)
    drawn = {
        name: (torch.randn(1, *shape, generator=source) / 3).to(dtype)
        for name, shape in model.shapes().items()
    }
    config = {"dataset": {"name": "sample", "clean": "letters", "prefixes": ["the rain"]}}
    checkpoint = Checkpoint(
        model=model, vocabulary=Vocabulary(tokens, kind), parameters=model.gather(drawn), epoch=3,
        config=config, config_id="x",
    )  # fmt: skip
    (RUN / "checkpoints").mkdir(parents=True, exist_ok=True)
    save_checkpoint(RUN, LAST, checkpoint)
    return checkpoint


def export(to: str, output: Path | None = None, weights: str | None = None) -> list[str]:
    return list(write_export(RUN, to, output, weights, is_best=False))


def executed(snippet: str) -> nn.ModuleDict:
    """What the three lines make."""
    names: dict = {}
    exec(snippet, names)
    return names["model"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("form", BOTH)
def test_logits_of_torchs_modules_are_ours(form, layers, dtype):
    """Gates in another order, or a bias on the wrong side of the reset gate, would show."""
    model = library.model(form, len(TOKENS), 7, layers, dropout=0.5)
    checkpoint = stored(model, dtype)
    X = torch.randint(len(TOKENS), (1, 4, 30))
    expected, _ = Loop().forward(
        checkpoint.parameters, X, model.zero_state(1, 4, dtype, CPU)
    )  # (1, T, B, V)
    _, snippet = export("torch")
    assert len(snippet.splitlines()) == 3
    exported = executed(snippet)
    output, _ = exported["rnn"](nn.functional.one_hot(X[0].T, len(TOKENS)).to(dtype))
    rtol = 1e-6 if dtype == torch.float32 else 1e-14
    scale = float(expected.abs().max())
    torch.testing.assert_close(
        exported["linear"](output), expected[0], rtol=0, atol=rtol * max(1, scale)
    )


@pytest.mark.parametrize("form", BOTH)
def test_the_script_beside_it_writes_what_we_write(form):
    """In a process of its own, which knows nothing of rnnlab."""
    checkpoint = stored(library.model(form, len(TOKENS), 7, 2))
    export("torch")
    said = subprocess.run(
        [sys.executable, "-I", "run/load_model.py"], capture_output=True, text=True, check=True
    )
    prompt = checkpoint.vocabulary.encode("the rain")
    (tokens,) = generate(checkpoint.parameters, [prompt], 200)
    assert said.stdout == checkpoint.vocabulary.decode(tokens) + "\n"
    assert "rnnlab" not in Path("run/load_model.py").read_text().split('"""', 2)[2]


def test_the_vocabulary_is_in_the_metadata():
    stored(library.model("lstm", len(TOKENS), 3))
    export("torch")
    with safe_open("run/model.safetensors", "pt") as file:
        found = file.metadata()
    assert tuple(json.loads(found.pop("vocabulary"))) == TOKENS
    assert found == {"format": "pt", "cell": "lstm", "token": "char", "clean": "letters"}
    assert {*load_file("run/model.safetensors")} == {
        "rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0", "rnn.bias_hh_l0",
        "linear.weight", "linear.bias",
    }  # fmt: skip


def test_a_gru_of_the_other_form_is_told_what_to_do():
    stored(library.model("gru_before", len(TOKENS), 3))
    status, _, sentence = commands.run("export", "run", "--to", "torch", module=True)
    assert status == 2
    assert sentence == (
        "--to torch of a gru is not allowed: torch.nn.GRU has only the form reset=after, and this "
        "one was trained with reset=before; use --to html, or train one with model.reset=after.\n"
    )
    assert not Path("run/model.safetensors").exists()
    export("html")
    assert Path("run/model.html").exists()


@dataclass(frozen=True, kw_only=True)
class Own(RNN):
    """A cell of somebody's own, which calls itself like one of ours."""

    def step(self, X, H, **weights):  # type: ignore[override]
        return (-super().step(X, H, **weights)[0],)


@pytest.mark.parametrize("to", ["torch", "html"])
def test_a_cell_of_somebodys_own_is_not_taken_for_another(monkeypatch, to):
    model = Model(cell=Own(), vocab_size=len(TOKENS), num_hiddens=3)
    checkpoint = stored(model)
    monkeypatch.setattr("rnnlab.runs.export.write.load_checkpoint", lambda *_: checkpoint)
    with pytest.raises(ConfigError, match=f"^--to {to} of a rnn is not allowed: .*"):
        export(to)


MISTAKES = [
    ({"to": "onnx"}, "--to onnx is not allowed: there are torch, html."),
    (
        {"to": "torch", "weights": "fp16"},
        "--weights fp16 with --to torch is not allowed: a page has fp16, fp32, fp64, and torch "
        "what the run has.",
    ),
    (
        {"to": "html", "output": Path("no/x.html")},
        "--output no/x.html is not allowed: there is no folder no.",
    ),
    (
        {"to": "html", "output": RUN},
        "--output run is not allowed: it is a folder; name a file in it.",
    ),
    (
        {"to": "torch", "output": RUN / LAST},
        "--output run/checkpoints/last.safetensors is not allowed: it is the run's own checkpoint.",
    ),
]


@pytest.mark.parametrize(("asked", "sentence"), MISTAKES)
def test_a_mistake_is_a_sentence_and_writes_nothing(asked, sentence):
    stored(library.model("lstm", len(TOKENS), 3))
    before = {path: path.read_bytes() for path in RUN.rglob("*.*")}
    with pytest.raises(ConfigError, match=f"^{re.escape(sentence)}$"):
        export(**asked)
    assert {path: path.read_bytes() for path in RUN.rglob("*.*")} == before


def test_a_program_of_somebody_else_is_not_overwritten():
    stored(library.model("lstm", len(TOKENS), 3))
    Path("run/load_model.py").write_text("print('mine')\n")
    with pytest.raises(ConfigError, match="a file is there that no export wrote"):
        export("torch")
    export("torch", Path("run/other.safetensors"))
    export("torch", Path("run/other.safetensors"))
    assert {path.name for path in RUN.iterdir()} == {
        "checkpoints", "load_model.py", "load_other.py", "other.safetensors",
    }  # fmt: skip


def test_weights_too_large_for_halves_are_said():
    model = library.model("rnn_tanh", len(TOKENS), 3)
    checkpoint = stored(model)
    checkpoint.parameters.flat[0, 0] = 7e4
    save_checkpoint(RUN, LAST, checkpoint)
    with pytest.raises(ConfigError, match="--weights fp16 is not allowed: a weight is too large"):
        export("html", weights="fp16")
    export("html")


def test_pages_are_as_large_as_their_weights():
    """At 512 hidden units: 1.6 MB, and 0.8 MB in halves; 12 kB are the page itself."""
    model = library.model("rnn_tanh", 28, 512)
    stored(model, tokens=tuple(map(chr, range(65, 93))))
    sizes = []
    for kind, per_number in (("fp32", 4), ("fp16", 2)):
        export("html", weights=kind)
        sizes.append(
            Path("run/model.html").stat().st_size - model.num_parameters * per_number * 4 / 3
        )
    assert all(12_000 < own < 30_000 for own in sizes)


# --- the model that comes with the package ---------------------------------------------------


def test_the_demo_writes_without_any_run():
    status, out, err = commands.run(*GENERATE, module=True)
    assert (status, err) == (0, "")
    assert re.fullmatch("time traveller[a-z ]{200}\n", out)
    assert len({*out.split()} & {"the", "and", "on", "said", "i"}) > 2
    assert not Path("demo").exists()


def test_a_folder_that_is_called_demo_is_meant_where_there_is_one():
    Path("demo").mkdir()
    status, _, err = commands.run(*GENERATE, module=True)
    assert (status, err) == (
        2,
        "demo/checkpoints/last.safetensors is not there: is demo the folder of a run?\n",
    )
    stored(library.model("gru_before", len(TOKENS), 3))
    shutil.copytree(RUN, "demo", dirs_exist_ok=True)
    (said,) = write_export(Path("demo"), "html", None, None, is_best=False)
    assert said.startswith("demo/model.html")


def test_the_demo_is_handed_on_into_this_folder():
    (said,) = write_export(Path("demo"), "html", None, None, is_best=False)
    assert said.startswith("demo.html (")
    _, snippet = write_export(Path("demo"), "torch", None, None, is_best=False)
    assert isinstance(executed(snippet)["rnn"], nn.LSTM)
    assert {path.name for path in Path().iterdir()} == {
        "demo.html", "demo.safetensors", "load_demo.py",
    }  # fmt: skip


def test_the_demo_is_what_its_experiment_says(compose):
    """make demo after whatever changes what the experiment is."""
    checkpoint, config = load_checkpoint(trained(Path("demo")), LAST), compose("experiment=demo")
    corpus = load(config.dataset)
    assert checkpoint.config_id == config_id(config, corpus.sha256)
    assert checkpoint.training == {}
    assert (trained(Path("demo")) / LAST).stat().st_size < 400_000
    assert evaluate(checkpoint.parameters, torch.from_numpy(corpus.train.copy())) < 2.2
