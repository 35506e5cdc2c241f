"""Every file under conf/ composes, and every named experiment runs in miniature."""

from pathlib import Path

import pytest

from conftest import ROOT
from rnnlab import experiment
from rnnlab.config import Config
from rnnlab.results import Result

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
    config = compose(f"{group}={name}", "dataset=text", text, *SMALL)
    assert run(config).status == "completed"


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

    monkeypatch.setattr(experiment, "generate", broken)
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
