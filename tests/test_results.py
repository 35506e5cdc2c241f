"""Results in Python: what rnnlab.load reads, and models against the runs that trained them."""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import library
import rnnlab
from rnnlab._common.errors import ConfigError
from rnnlab.data.corpus import load as corpus_of
from rnnlab.nn.engines.eager import Loop
from rnnlab.results.model import TrainedModel
from rnnlab.results.study import Study
from rnnlab.runs import stack as experiment
from rnnlab.runs.checkpoint import Checkpoint
from rnnlab.runs.result import Result, Status
from rnnlab.studies.report.entries import read
from rnnlab.studies.report.ranking import Ranking
from test_report import HOME, forge, table
from test_report import study as study  # the fixture

TRAINED = ["num_hiddens=8", "batch_size=2", "num_steps=5", "dataset.max_tokens=600"]
TRAINED += ["num_epochs=3", "dataset.val_fraction=0.2", "lr=1"]


def trained(compose: Any, name: str = "run", *overrides: str) -> rnnlab.results.run.Run:
    experiment.run(compose(*TRAINED, *overrides), Path(name))
    (run,) = rnnlab.load(name)
    return run


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether pandas is installed or not, it is not."""
    monkeypatch.setitem(sys.modules, "pandas", None)


# --- what is there ---------------------------------------------------------------------------


def test_importing_it_takes_nothing():
    heavy = "torch numpy hydra yaml pandas matplotlib".split()
    code = f"import sys, rnnlab; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    assert Path(rnnlab.__file__).with_name("py.typed").exists()


def test_a_table_and_the_best_take_no_torch_and_no_curves():
    """The log of metrics is not opened but at its end."""
    for k in range(3):
        forge(f"{k}", 2.0 + k, lr=1.0 + k)
    code = """
import sys, rnnlab
from rnnlab.runs import folder
folder.read_metrics = None
study = rnnlab.load("study")
study.frame, study.best(), repr(study), study.groups
sys.exit(any(name in sys.modules for name in ("torch", "hydra", "matplotlib")))"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.usefixtures("plain")
def test_a_frame_has_what_the_spreadsheet_has_in_its_types(study):
    from rnnlab.studies.report.write import write_report

    write_report(study)
    loaded = rnnlab.load(study)
    frame, rows = loaded.frame, table()
    assert [*frame][: len(rows[0])] == [*rows[0]]
    assert "num_hiddens" in frame  # though it is the same in all
    assert {len(own) for own in frame.values()} == {5}
    assert frame["lr"].dtype == np.float64
    assert frame["seed"].dtype == frame["num_hiddens"].dtype == np.int64
    assert frame["dataset.newlines"].dtype == bool
    assert frame["status"].tolist() == ["completed"] * 4 + ["diverged"]
    assert np.isnan(frame["held_out_perplexity"]).all()
    assert frame["error"][0] is None
    assert "not finite in epoch 1" in frame["error"][4]
    for k, row in enumerate(rows):
        assert row["folder"] == frame["folder"][k] == loaded[k].name
        assert float(row["training_perplexity"] or "nan") == pytest.approx(
            frame["training_perplexity"][k], rel=0, abs=0, nan_ok=True
        )


@pytest.mark.usefixtures("plain")
def test_a_column_is_numbers_or_objects_and_never_half_of_each():
    forge("0", 2.0, "model=gru", tags=("a", "b"))
    forge("1", None, "clip=none", status=Status.failed)
    frame = rnnlab.load(HOME).frame
    assert math.isnan(frame["theta"][1])  # without clipping it has none
    assert frame["theta"].dtype == frame["training_perplexity"].dtype == np.float64
    assert frame["model.reset"].tolist() == ["before", None]
    assert frame["tags"].tolist() == [("a", "b"), ()]
    assert frame["error"].dtype == frame["model.reset"].dtype == object
    assert frame["max_minibatches"].dtype == np.float64  # all of them have none


@pytest.mark.usefixtures("plain")
def test_curves_are_the_log_with_what_tells_the_runs_apart(study):
    loaded = rnnlab.load(study)
    curves = loaded.curves
    assert curves["folder"].tolist() == [run.name for run in loaded[:4] for _ in range(2)]
    assert curves["epoch"].tolist() == [1, 2] * 4
    assert curves["theta"].tolist() == [1] * 4 + [2] * 4
    assert np.isnan(curves["val_perplexity"]).all()
    lines = (loaded[3].folder / "metrics.jsonl").read_text().splitlines()
    for name, value in json.loads(lines[1]).items():
        assert curves[name][7] == value or value is None
    epochs, perplexity = loaded[3].curve()
    assert (epochs == [1, 2]).all()
    assert perplexity[-1] == loaded[3].result.perplexity
    assert [len(own) for own in loaded[3].curve("val_perplexity")] == [0, 0]
    with pytest.raises(ConfigError, match=r"the curve 'loss_' is not allowed: .* has perplexity, "):
        loaded[3].curve("loss_")


def test_frames_are_pandas_where_it_is_installed(study):
    pandas = pytest.importorskip("pandas")
    loaded = rnnlab.load(study)
    frame = loaded.frame
    assert isinstance(frame, pandas.DataFrame)
    assert frame.dtypes["lr"] == np.float64
    assert frame.dtypes["seed"] == np.int64
    assert frame.dtypes["status"] == frame.dtypes["error"] == np.dtype(object)
    assert frame[frame.lr < 1].groupby("theta").training_perplexity.count().tolist() == [2, 2]
    assert frame.error.isna().tolist() == [True] * 4 + [False]
    assert loaded.curves.groupby(["theta", "epoch"]).perplexity.mean().shape == (4,)


# --- which runs ------------------------------------------------------------------------------


def test_runs_by_place_by_name_and_by_what_they_are(study):
    loaded = rnnlab.load(str(study))
    first = loaded["0_lr=0.5,theta=1,seed=0"]
    assert first is loaded[0]
    assert len(loaded) == 5
    assert loaded[-1].status == "diverged"
    assert loaded[-1] in loaded
    assert isinstance(loaded[1:3], Study)
    assert [run.name for run in loaded[1:3]] == [loaded[1].name, loaded[2].name]
    assert [run.settings["seed"] for run in loaded.where(theta=1)] == [0, 1]
    assert [*loaded.where(theta=np.float64(1), seed=np.int64(1))] == [loaded[1]]
    assert [*loaded.where(lambda run: run.figures["epochs"] < 2)] == [loaded[4]]
    assert [*loaded.where(status="diverged", **{"log.every": 1})] == [loaded[4]]
    assert len(loaded.where(theta="1")) == 0
    assert len(loaded.failed) == 0
    assert first.config["model"]["name"] == first.settings["model"] == "rnn"
    assert first.samples == Result.read(first.folder).samples
    assert first.command.startswith("rnnlab train ")
    assert repr(first) == f"<Run {first.name}: completed, perplexity {first.result.figure:.4g}>"
    with pytest.raises(ConfigError, match=r"no run has such a setting; did you mean theta\?"):
        loaded.where(thta=1)
    with pytest.raises(ConfigError, match=r"no runs are called 0_lr=0.5,theta=1,seed=2. did you"):
        loaded["0_lr=0.5,theta=1,seed=2"]
    with pytest.raises(IndexError):
        loaded[5]


def test_the_best_is_the_reports_and_of_its_seeds_the_best():
    """lr 1 has the lowest run of all, and the lower mean is lr 2's."""
    ends = {1: (1.5, 4.0), 2: (2.2, 2.0), 3: (1.6, 1e60)}
    for lr, own in ends.items():
        for seed, end in enumerate(own):
            forge(f"{lr}-{seed}", end, lr=float(lr), seed=seed)
    loaded = rnnlab.load(HOME)
    assert loaded.best().name == "2-1"
    assert [group.settings for group in loaded.groups] == [{"lr": 2}, {"lr": 1}, {"lr": 3}]
    assert loaded.groups[0].mean == pytest.approx(2.1)
    assert loaded.groups[2].mean == math.inf
    assert [run.name for run in loaded.groups[0].runs] == ["2-0", "2-1"]
    ranking = Ranking(read(HOME)[0])
    assert ranking.rule in repr(loaded).replace("\n", " ")
    assert f"best: {ranking.described(ranking.best[0])}>" in repr(loaded)
    assert loaded.where(lr=1).best().name == "1-0"


def test_no_best_where_nothing_completed_or_texts_do_not_compare():
    forge("0", None, status=Status.failed)
    with pytest.raises(ConfigError, match="of 1 runs is not allowed: none of them has completed"):
        rnnlab.load(HOME).best()
    forge("1", 2.0)
    forge("2", 1.5, text="b")
    with pytest.raises(ConfigError, match="2 texts, whose perplexities do not compare"):
        rnnlab.load(HOME).best()


def test_a_damaged_folder_is_listed_and_not_raised(caplog):
    """Torn, of another version, without its result: and the others are there."""
    forge("0", 2.0)
    for name, content in (("1", '{"status": "comp'), ("2", '{"schema_version": 1}'), ("3", "\xff")):
        (HOME / name).mkdir()
        (HOME / name / "result.json").write_text(content, encoding="latin-1")
    forge("4", 2.0)
    (HOME / "4" / "result.json").unlink()
    loaded = rnnlab.load(HOME)
    assert [run.name for run in loaded] == ["0"]
    assert len(loaded.skipped) == 4
    for k, sentence in enumerate(loaded.skipped, 1):
        assert str(HOME.absolute() / f"{k}") in sentence
        assert f"not read: {sentence}" in caplog.text
    assert "4 could not be read: see skipped." in repr(loaded)
    shutil.rmtree(HOME / "0")
    assert len(rnnlab.load(HOME)) == 0
    assert "no runs 4 could not" in repr(rnnlab.load(HOME))


@pytest.mark.usefixtures("plain")
def test_a_name_that_a_terminal_would_obey_is_shown_and_not_obeyed():
    forge("\x1b[2J", 2.0, note="\x1b[2J")
    forge("1", 3.0, "model=gru")
    loaded = rnnlab.load(HOME)
    shown = f"{loaded} {[*loaded]} {loaded.groups}"
    assert "\x1b" not in shown
    assert "<Run \\x1b[2J: completed, perplexity 2>" in shown


def test_what_is_no_folder_of_runs():
    Path("empty").mkdir()
    for given, said in (
        ("nowhere", "loading .*nowhere is not allowed: there is no such folder"),
        ("empty", "loading .*empty is not allowed: it has no run's folder in it"),
        ([], "loading no folder is not allowed: it takes one, or a list of several"),
    ):
        with pytest.raises(ConfigError, match=said):
            rnnlab.load(given)


def test_several_folders_are_one_study_and_each_run_is_there_once(monkeypatch):
    for place in ("a", "b"):
        forge(f"{place}/0", 2.0)
    loaded = rnnlab.load([HOME / "a", str(HOME / "b"), HOME, HOME / "a" / "0"])
    assert [run.name for run in loaded] == ["a/0", "b/0"]
    assert [run.name for run in rnnlab.load(HOME / "a" / "0")] == ["0"]
    with pytest.raises(ConfigError, match="2 runs are called 0"):
        loaded["0"]
    monkeypatch.chdir("/")  # curves are read later
    assert len(loaded[1].curve()[0]) == 3


@pytest.mark.usefixtures("plain")
def test_a_study_that_trains_is_read_as_far_as_it_is():
    """A line that is being written, no checkpoint yet, no figures."""
    run = forge("0", None, status=Status.running, epochs=1)
    with (run.folder / "metrics.jsonl").open("a") as file:
        file.write('{"epoch": 2, "perpl')
    forge("1", 3.0)
    loaded = rnnlab.load(HOME)
    assert loaded.frame["status"].tolist() == ["running", "completed"]
    assert loaded.curves["epoch"].tolist() == [1, 1, 2, 3]
    said = "0 has no model: it is running, without checkpoints/last.safetensors"
    with pytest.raises(ConfigError, match=said):
        loaded[0].model()
    nothing = loaded.where(lr=-1)
    assert {len(own) for own in nothing.frame.values()} == {0}
    assert {*nothing.frame} >= {"folder", "training_perplexity", "error"}
    assert [*nothing.curves] == ["folder", "epoch", "perplexity", "val_perplexity"]


# --- models ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_score_is_the_held_out_evaluation_to_the_last_bit(compose, cell):
    run = trained(compose, "run", f"model={cell}")
    corpus = corpus_of(compose(*TRAINED).dataset)
    text = corpus.vocabulary.decode(corpus.held_out.tolist())
    model = run.model()
    assert len(model.tokens(text)) == 120
    assert math.exp(model.score(text)) == run.result.val_perplexity
    assert math.exp(run.model(best=True).score(text)) == run.result.best_perplexity


def test_a_model_writes_what_its_run_wrote(compose):
    run = trained(compose)
    model = run.model()
    for prefix, text in run.samples.items():
        assert model.generate(prefix, 50) == text
    assert model.generate("time", 9).startswith("time")
    drawn = model.generate("time", 9, 2.0, seed=1, samples=3)
    assert drawn == model.generate("time", 9, 2.0, seed=1, samples=3)
    assert len({*drawn}) == 3
    assert model.generate("time", 9, 2.0, seed=1) == drawn[0]
    assert model.generate("time", 9, 2.0, top_k=1) == model.generate("time", 9)
    assert repr(model) == "<TrainedModel rnn 8x1, 28 in the vocabulary, after epoch 3>"


def model_of(form: str, layers: int = 2) -> TrainedModel:
    """Of random weights, five tokens and six hidden units."""
    from rnnlab.data.corpus import Vocabulary

    model = library.model(form, 5, 6, layers, init_std=1.0)
    parameters = model.init([0], torch.float64, torch.device("cpu"))
    vocabulary = Vocabulary(("<unk>", "a", "b", "c", " "))
    return TrainedModel(
        Checkpoint(
            model=model, vocabulary=vocabulary, parameters=parameters, epoch=1, config={},
            config_id="",
        )
    )  # fmt: skip


@pytest.mark.parametrize("form", ["rnn_tanh", "gru_before", "gru_after", "lstm"])
def test_states_are_the_engines_after_each_token(form):
    """Of every layer, in the order of the text; what comes later changes nothing."""
    trained, text = model_of(form), "abba cab"
    parameters, model = trained.checkpoint.parameters, trained.checkpoint.model
    found = {name: trained.states(text, name) for name in model.cell.states}
    for end in range(1, len(text) + 1):
        X = torch.tensor([[trained.vocabulary.encode(text[:end])]])
        zero = model.zero_state(1, 1, torch.float64, torch.device("cpu"))
        _, state = Loop().forward(parameters, X, zero)
        for layer, own in enumerate(state):
            for name, value in zip(model.cell.states, own, strict=True):
                assert found[name].shape == (8, 2, 6)
                np.testing.assert_allclose(found[name][end - 1, layer], value[0, 0], atol=1e-12)


def test_parameters_are_the_equations_by_their_names():
    """An RNN's first two states, and a score, computed from them by hand."""
    model = model_of("rnn_tanh", layers=1)
    W = model.parameters
    assert {name: own.shape for name, own in W.items()} == {
        "0.W_xh": (5, 6), "0.W_hh": (6, 6), "0.b_h": (1, 6), "W_hq": (6, 5), "b_q": (1, 5),
    }  # fmt: skip
    H = np.zeros((1, 6))
    for t, token in enumerate((1, 2)):  # a, b
        H = np.tanh(np.eye(5)[[token]] @ W["0.W_xh"] + H @ W["0.W_hh"] + W["0.b_h"])
        np.testing.assert_allclose(model.states("ab")[t], H, atol=1e-12)
    logits = (H @ W["W_hq"] + W["b_q"])[0]
    after_b = np.log(np.exp(logits).sum()) - logits[3]
    assert model.score("abc") * 2 - model.score("ab") == pytest.approx(after_b)


@pytest.mark.parametrize(
    ("what", "said"),
    [
        (lambda m: m.score("abx"), "the text 'abx' is not allowed: 'x' is not in the vocabulary"),
        (lambda m: m.score(""), "the text '' is not allowed: it needs at least one token"),
        (lambda m: m.score("a"), "the text 'a' is not allowed: .* a score needs at least two"),
        (lambda m: m.score("x" * 999), f"the text '{'x' * 200}...' is not allowed"),
        (lambda m: m.states("ab", "C"), "the state 'C' is not allowed: gru has H"),
        (lambda m: m.states(""), "the text '' is not allowed: it needs at least one token"),
        (lambda m: m.generate("é"), "the prefix 'é' is not allowed: 'é' is not in the vocab"),
        (lambda m: m.generate("a", 0), "length=0 is not allowed: it is at least 1"),
        (lambda m: m.generate("a", temperature=-1), "temperature=-1 is not allowed: it is a"),
        (lambda m: m.generate("a", top_k=3), "top_k=3 without temperature is not allowed: temp.*;"
         " add temperature=1"),
        (lambda m: m.generate("a", 5, 1, top_p=1.5), "top_p=1.5 is not allowed: it is at most 1"),
        (lambda m: m.generate("a", 5, 1, samples=0), "samples=0 is not allowed: it is at least 1"),
        (lambda m: m.generate("a", samples=2), "samples=2 without temperature is not allowed"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_one_sentence(what, said):
    with pytest.raises(ValueError, match=f"^{re.sub(r'[(]', '[(]', said)}") as error:
        what(model_of("gru_before"))
    assert str(error.value).count("\n") == 0


def test_a_checkpoint_that_is_damaged_is_one_sentence(compose):
    run = trained(compose)
    (run.folder / "checkpoints" / "last.safetensors").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match=r"last.safetensors is not a checkpoint of rnnlab, or is"):
        run.model()
    assert run.model(best=True).checkpoint.epoch
