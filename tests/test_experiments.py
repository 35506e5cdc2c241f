"""Every file under conf/ composes, and every named experiment runs in miniature."""

import json
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_file_loader import EventFileLoader
from tensorboard.plugins.hparams import api_pb2, plugin_data_pb2

import library
from conftest import ROOT
from rnnlab._common.errors import ConfigError
from rnnlab.config.schema import Config
from rnnlab.data.synthetic import Synthetic
from rnnlab.nn.cells import CELLS
from rnnlab.nn.engines import resolve
from rnnlab.nn.spec import Init
from rnnlab.runs import build
from rnnlab.runs import run as record
from rnnlab.runs import stack as experiment
from rnnlab.runs.checkpoint import load_checkpoint
from rnnlab.runs.differences import differences
from rnnlab.runs.folder import BEST, LAST, ROW
from rnnlab.runs.preflight import Corpora, check
from rnnlab.runs.result import Result
from rnnlab.runs.resume import resume
from rnnlab.runs.row import hparams_of
from rnnlab.training.loop import Training
from rnnlab.training.rules import AdamW
from rnnlab.training.samplers import Random
from rnnlab.training.schedules import Cosine

CHOICES = [
    (path.parent.name, path.stem)
    for path in sorted((ROOT / "conf").glob("*/*.yaml"))
    if path.parent.name not in ("experiment", "debug")
]
TASKS = [(g, p.stem) for g in ("experiment", "debug") for p in (ROOT / "conf" / g).glob("*.yaml")]
SMALL = ["num_hiddens=6", "batch_size=3", "num_steps=5", "num_epochs=2", "log.sample_length=5"]
SMALL += ["dataset.max_tokens=200", "dataset.prefixes=[]"]


def run(config: Config) -> Result:
    folder = Path("run")
    folder.mkdir()
    return experiment.run(config, folder)


@pytest.fixture
def text() -> str:
    Path("text.txt").write_text("It was a fine evening, and the time traveller was late.\n" * 20)
    return "dataset.path=text.txt"


@pytest.mark.parametrize(("group", "choice"), CHOICES)
def test_every_choice_trains(compose, text, group, choice, request):
    overrides = [f"{group}={choice}", *SMALL, "lr=0.01"]
    if choice == "text":
        overrides.append(text)
    if choice == "time_machine":
        overrides.append(f"dataset.root={request.getfixturevalue('time_machine_folder')}")
    result = run(compose(*overrides))
    assert result.status == "completed"
    assert result.perplexity is not None
    assert 1 < result.perplexity < 40


@pytest.mark.parametrize(("group", "name"), TASKS)
def test_every_named_experiment_runs_in_miniature(compose, text, group, name):
    """The file's own choices of sampler, optimizer, model and schedule, on a small text."""
    drawn = isinstance(compose(f"{group}={name}").dataset, Synthetic)
    on = ["dataset.length=2000"] if drawn else ["dataset=text", text]
    assert run(compose(f"{group}={name}", *on, *SMALL)).status == "completed"


CELLS_OF_MODELS = ["rnn", "rnn model.activation=relu", "lstm", "gru", "gru model.reset=after"]
OPTIMIZERS = ["sgd", "momentum", "adam", "adamw", "rmsprop"]
OPTIMIZERS += ["torch optimizer.algorithm=NAdam lr=0.0005"]


@pytest.mark.parametrize("cell", CELLS_OF_MODELS)
def test_one_subsequence_is_known_by_heart(compose, cell):
    """At a learning rate of almost nothing it is not."""
    quick = f"debug=overfit size=tiny model={cell} log.every=100 checkpoint.seconds=0".split()
    assert run(compose(*quick, "num_epochs=1200")).perplexity == pytest.approx(1, abs=0.01)
    again = experiment.run(compose(*quick, "lr=1e-5", "num_epochs=20"), Path("again"))
    assert again.perplexity == pytest.approx(28, abs=1)


@pytest.mark.slow
@pytest.mark.parametrize("cell", CELLS_OF_MODELS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_every_cell_and_optimizer_overfits_at_its_defaults(compose, cell, optimizer):
    overrides = f"debug=overfit log.every=100 model={cell} optimizer={optimizer}".split()
    assert run(compose(*overrides)).perplexity == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("token", ["char", "word"])
@pytest.mark.parametrize("clean", ["letters", "none"])
@pytest.mark.parametrize("engine", ["eager", "fused", "torch_nn"])
def test_tokens_cleaning_and_engines(compose, text, token, clean, engine):
    result = run(
        compose(
            "dataset=text", text, *SMALL, f"dataset.token={token}", f"dataset.clean={clean}",
            f"engine={engine}", "num_layers=2", "model.dropout=0.5", "precision=fp64",
        )
    )  # fmt: skip
    assert result.status == "completed"
    assert (result.engine, result.precision) == (engine, "fp64")


def test_a_torch_optimizer_with_options_trains(compose):
    config = compose(
        "optimizer=torch",
        "optimizer.algorithm=NAdam",
        "+optimizer.options.weight_decay=0.1",
        *SMALL,
    )
    assert run(config).status == "completed"


def test_a_failed_run_says_so_in_its_result_and_its_log(compose, monkeypatch):
    def broken(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setattr(record, "generate", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        run(compose(*SMALL))
    assert '"status": "failed"' in Path("run/result.json").read_text()
    assert '"error": "RuntimeError: a bug"' in Path("run/result.json").read_text()


def test_the_chapters_settings_are_the_chapters(compose):
    for name in ("sequential", "random"):
        config = compose(f"experiment=chapter_{name}")
        assert (config.lr, config.theta, config.num_hiddens, config.num_epochs) == (1, 1, 512, 500)
        assert (config.batch_size, config.num_steps, config.num_layers) == (32, 35, 1)
        assert (config.dataset.name, config.dataset.max_tokens) == ("time_machine", 10_000)
        assert (config.sampler.name, config.model.name, config.optimizer.name) == (
            name,
            "rnn",
            "sgd",
        )


EVERYTHING = {
    "lr": 0.25,
    "theta": 3.5,
    "num_hiddens": 7,
    "num_layers": 2,
    "batch_size": 3,
    "num_steps": 6,
    "num_epochs": 9,
    "seed": 11,
    "engine": "torch_nn",
    "precision": "fp64",
    "max_minibatches": 4,
    "repeat_first_epoch": "true",
    "sampler": "random",
    "clip": "value",
    "model": "lstm",
    "model.dropout": 0.25,
    "model.init_std": 0.5,
    "model.init": "orthogonal",
    "model.forget_bias": 1.5,
    "schedule": "cosine",
    "schedule.warmup": 2,
    "schedule.end": 0.3,
    "optimizer": "adamw",
    "optimizer.beta1": 0.7,
    "optimizer.beta2": 0.8,
    "optimizer.eps": 0.001,
    "optimizer.weight_decay": 0.2,
}


def test_every_knob_reaches_the_library(compose):
    """Each value is off its default, so one that is dropped or mixed up on the way shows."""
    config = compose(*(f"{name}={value}" for name, value in EVERYTHING.items()))
    model = build.build_model(config, 28)
    start = {"init_std": 0.5, "init": Init.orthogonal, "forget_bias": 1.5}
    assert model == library.model("lstm", 28, 7, 2, dropout=0.25, **start)
    recipe = build.build_recipe(config, model, torch.device("cpu"))
    assert (recipe.batch_size, recipe.num_steps, recipe.engine.name) == (3, 6, "torch_nn")
    assert (recipe.clip.name, recipe.precision, recipe.max_minibatches) == (
        "value", library.precision("fp64"), 4,
    )  # fmt: skip
    assert recipe.repeat_first_epoch
    assert recipe.optimizer == AdamW(beta1=0.7, beta2=0.8, eps=0.001, weight_decay=0.2)
    lane = build.build_lane(config, check(config, Corpora()))
    assert (lane.sampler, lane.lr, lane.theta, lane.seed, lane.num_epochs) == (
        Random(), 0.25, 3.5, 11, 9,
    )  # fmt: skip
    assert lane.schedule == Cosine(warmup=2, end=0.3, epochs=9)
    for activation, cell in (("tanh", "rnn_tanh"), ("relu", "rnn_relu")):
        chosen = compose(f"model.activation={activation}")
        assert build.build_model(chosen, 5).cell.form == cell
    for reset in ("before", "after"):
        chosen = compose("model=gru", f"model.reset={reset}")
        assert build.build_model(chosen, 5).cell.form == f"gru_{reset}"


def test_auto_is_an_engine_and_says_which(compose):
    found = [
        resolve(name, CELLS[form], device, products).name
        for name, form, device, products in (
            *(("auto", form, "cpu", "float32") for form in CELLS),
            ("auto", "lstm", "cpu", "float64"), ("auto", "lstm", "cpu", "bfloat16"),
            ("auto", "lstm", "cuda", "float32"), ("eager", "lstm", "cpu", "float32"),
        )
    ]  # fmt: skip
    assert found == [*["compiled"] * len(CELLS), "compiled", "torch_nn", "fused", "eager"]
    result = run(compose("model=lstm", *SMALL))
    assert (result.engine, result.config["engine"]) == ("compiled", "auto")


def test_without_numba_auto_takes_what_there_is_and_says_so_once(compose, monkeypatch, capsys):
    monkeypatch.setattr("rnnlab.nn.engines._has_numba", lambda: False)
    result = run(compose(*SMALL))
    assert (result.status, result.engine) == ("completed", "fused")
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("engine=auto takes fused, not compiled: numba is not installed") == 1
    with pytest.raises(ConfigError, match="pip install numba, or use engine=fused"):
        check(compose(*SMALL, "engine=compiled"), Corpora())


def test_the_first_run_says_that_it_compiles(compose, monkeypatch, capsys):
    monkeypatch.setattr("rnnlab.runs.needs.is_compiled", lambda _: False)
    run(compose(*SMALL))
    monkeypatch.setattr("rnnlab.runs.needs.is_compiled", lambda _: True)
    first = " ".join(capsys.readouterr().out.split())
    Path("run").rename("first")
    run(compose(*SMALL))
    said = "engine=compiled compiles for this processor, once"
    assert said in first
    assert said not in " ".join(capsys.readouterr().out.split())


def test_best_is_the_lowest_and_last_is_the_last(compose, monkeypatch):
    figures = iter([5.0, 3.0, 4.0])
    monkeypatch.setattr(record, "evaluate", lambda *_: next(figures))
    result = run(compose(*SMALL, "num_epochs=3", "dataset.val_fraction=0.2", "log.val_every=1"))
    assert (result.best_perplexity, result.val_perplexity) == (3.0, 4.0)
    best, last = (load_checkpoint(Path("run"), name) for name in (BEST, LAST))
    assert (best.epoch, last.epoch) == (2, 3)
    assert not torch.equal(best.parameters["W_hq"], last.parameters["W_hq"])


def test_intervals_are_kept(compose, monkeypatch):
    """5 epochs, lines every 3 and at the end; samples every 2; checkpoints every 2 and at the end;
    result.json says running from the beginning."""
    saved, statuses = [], []
    save, epoch = record.save_checkpoint, Training.run_epoch

    def watch_save(folder, name, checkpoint):
        saved.append((Path(name).stem, checkpoint.epoch))
        save(folder, name, checkpoint)

    def watch_epoch(self, stop):
        statuses.append(json.loads(Path("run/result.json").read_text())["status"])
        return epoch(self, stop)

    monkeypatch.setattr(record, "save_checkpoint", watch_save)
    monkeypatch.setattr(Training, "run_epoch", watch_epoch)
    run(compose(*SMALL, "num_epochs=5", "log.every=3", "log.sample_every=2", "checkpoint.every=2"))
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == [3, 5]
    samples = Path("run/samples.txt").read_text().splitlines()
    assert [line.split(":")[0] for line in samples] == ["epoch 2", "epoch 4", "epoch 5"]
    assert [epoch for name, epoch in saved if name == "next"] == [0, 2, 4, 5]
    assert statuses == ["running"] * 5


@pytest.mark.parametrize(
    ("extra", "status"),
    [([], api_pb2.STATUS_SUCCESS), (["lr=1e39", "clip=none"], api_pb2.STATUS_FAILURE)],
)
def test_the_event_file_has_the_hparams_and_how_the_run_ended(compose, extra, status):
    run(compose(*SMALL, "theta=2.5", *extra))
    found = {}
    for event in EventFileLoader(str(Path("run") / ROW)).Load():
        for value in event.summary.value:
            if value.metadata.plugin_data.plugin_name == "hparams":
                data = plugin_data_pb2.HParamsPluginData()
                data.ParseFromString(value.metadata.plugin_data.content)
                found[value.tag] = data
    assert set(found) == {"_hparams_/session_start_info", "_hparams_/session_end_info"}
    assert found["_hparams_/session_start_info"].session_start_info.group_name.startswith("rnn lr=")
    start = found["_hparams_/session_start_info"].session_start_info.hparams
    assert ("theta" in start) == ("clip=none" not in extra)  # what has no meaning is left out
    assert start["lr"].number_value == (1e39 if extra else 1)
    assert start["sampler"].string_value == "sequential"
    assert found["_hparams_/session_end_info"].session_end_info.status == status


def test_a_column_of_the_hparams_is_of_numbers_or_of_texts(compose):
    """Of both TensorBoard makes texts, and a filter loses rows; it keeps those with nothing."""
    configs = [compose(), compose("dataset.max_tokens=null", "max_minibatches=3", "lr=1e-5")]
    configs += [compose("clip=none", "dataset.prefixes=[]", "model=gru"), compose("theta=2")]
    configs += [compose("optimizer=torch", f"+optimizer.options.{o}") for o in ("a=true", "a=x")]
    rows = [hparams_of(config, ["dataset.prefixes"]) for config in configs]
    assert [row.get("dataset.max_tokens") for row in rows[:4]] == [10_000, None, 10_000, 10_000]
    assert [row.get("theta") for row in rows[:4]] == [1, 1, None, 2]
    for name in {name for row in rows for name in row}:
        kinds = {isinstance(row[name], str) for row in rows if name in row}
        assert len(kinds) == 1, name


WILD = ["size=tiny", "dataset.max_tokens=1500", "lr=100", "theta=10", "log.sample_length=5"]


def test_what_ends_far_beyond_guessing_has_diverged_and_may_still_be_lengthened(compose):
    """Perplexity 3e4 where guessing has 28: no figure, though every number is finite."""
    result = run(compose(*WILD, "num_epochs=2"))
    assert result.status == "diverged"
    assert result.error is not None
    assert "guessing among its 28 tokens has 28" in result.error
    lengthened = resume(Path("run"), {"num_epochs": 3})
    assert lengthened.epochs == 3
    assert lengthened.status == "diverged"
    assert resume(Path("run"), {"num_epochs": 3}).resumed == lengthened.resumed  # nothing to do

    left_alone = experiment.run(compose(*WILD, "num_epochs=3"), Path("left_alone"))
    assert left_alone.perplexity == lengthened.perplexity
    assert list(differences(Path("run"), Path("left_alone"))) == []


def test_a_run_that_called_itself_completed_is_read_as_what_it_is(compose):
    run(compose(*WILD, "num_epochs=2"))
    path = Path("run/result.json")
    path.write_text(path.read_text().replace('"status": "diverged"', '"status": "completed"'))
    assert Result.read(Path("run")).status == "diverged"
    values = json.loads(path.read_text()) | {"perplexity": 279.0}
    path.write_text(json.dumps(values))
    assert Result.read(Path("run")).status == "completed"  # bad, and no more than that


def test_weights_that_overflow_in_the_last_update_are_divergence(compose):
    """The loss was finite before it: without a look at the weights this run would be a success."""
    result = run(compose(*SMALL, "lr=1e39", "max_minibatches=1", "num_epochs=1"))
    assert result.status == "diverged"
