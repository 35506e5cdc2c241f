"""The command beside "Best" trains that run: the same figure, bit for bit."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

import commands
from rnnlab.config.schema import Config
from rnnlab.runs import stack
from rnnlab.runs.result import Result
from rnnlab.runs.resume import resume
from rnnlab.studies.report.commands import commands as commands_of
from rnnlab.studies.report.entries import read
from rnnlab.studies.report.ranking import Ranking
from rnnlab.studies.report.tables import best

SMALL = ["num_hiddens=4", "batch_size=2", "num_steps=5", "dataset.max_tokens=150", "num_epochs=2"]
TEXT = "it's (1) é.txt"
OPTUNA = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "lr=tag(log,interval(0.1,10))"]
RUNS = [
    [],
    ["clip=none", "lr=1e-05", "sampler=random", "seed=3"],
    ["optimizer=torch", "optimizer.algorithm=NAdam", "+optimizer.options.weight_decay=0.1"],
    ["dataset=text", f'dataset.path="{TEXT}"', "dataset.val_fraction=0.1", "model=gru"],
]


def trained_again(home: Path, compose: Callable[..., Config]) -> Result:
    """By the command of the report of a folder with one run."""
    ((_, command),) = best(Ranking(read(home)[0]))
    program, script, *words = shlex.split(command)
    assert (program, script) == ("rnnlab", "train")
    again = Path("again")
    again.mkdir()
    return stack.run(compose(*words), again)


@pytest.mark.parametrize("words", RUNS, ids=" ".join)
def test_it_trains_what_was_trained(compose, words):
    Path(TEXT).write_text("a night that was calm and long, by the sea. " * 8)
    home = Path("home/run")
    home.mkdir(parents=True)
    first = stack.run(compose(*SMALL, *words), home)
    again = trained_again(home.parent, compose)
    assert (again.perplexity, again.val_perplexity) == (first.perplexity, first.val_perplexity)
    assert again.samples == first.samples


def test_it_trains_a_run_that_was_lengthened_and_moved(compose):
    """Its overrides say two epochs, and another folder."""
    Path("home/run").mkdir(parents=True)
    stack.run(compose(*SMALL), Path("home/run"))
    Path("home").rename("moved")
    longer = resume(Path("moved/run"), {"num_epochs": 5})
    again = trained_again(Path("moved"), compose)
    assert (again.epochs, again.perplexity) == (5, longer.perplexity)


@pytest.mark.parametrize(
    "search",
    [
        pytest.param(["lr=0.5,1,2"], id="grid"),
        pytest.param(OPTUNA, id="optuna", marks=pytest.mark.slow),
    ],
)
def test_each_run_of_a_study_has_its_own_in_a_new_folder(search, monkeypatch):
    assert commands.run("-m", *SMALL, *search, "sweep=S")[0] == 0
    entries = read(Path("S"))[0]
    assert len(entries) == 3
    own = [entry.training for entry in entries]
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    for typed in commands_of([[entry] for entry in entries]):
        assert commands.run(*shlex.split(typed)[2:])[0] == 0
    again = {entry.training for entry in read(Path())[0]}
    assert again == {*own}


@pytest.mark.slow
def test_it_trains_the_seeds_of_the_best_settings_of_a_study():
    """As a user types it; what the page says was the mean is the mean again."""
    asked = ["-m", *SMALL, "lr=0.5,1", "seed=0,1", "hydra.sweep.dir=S"]
    assert commands.run(*asked)[0] == 0
    page = (Path("S") / "report.md").read_text()
    (command,) = re.findall(
        r"^Best: .* mean of 2 seeds; next is .*: `rnnlab train (.*)`$", page, re.MULTILINE
    )
    assert commands.run(*shlex.split(command), "hydra.sweep.dir=again")[0] == 0
    ranking, again = (Ranking(read(Path(home))[0]) for home in ("S", "again"))
    assert again.groups[0].values == ranking.groups[0].values
    assert len(again.entries) == 2
