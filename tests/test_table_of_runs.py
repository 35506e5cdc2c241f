"""TensorBoard's table of runs: a column a setting, a row all its seeds, perplexity first."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path
from statistics import fmean

import pytest

from boards import Board, row
from rnnlab.runs.differences import FORMER_TAGS, differences
from rnnlab.runs.events import read_numbers
from rnnlab.runs.result import Result
from rnnlab.runs.row import group_of, hparams_of
from rnnlab.runs.trackers import tensorboard
from rnnlab.training.metrics import FIGURES
from typed import SMALL, typed

RUN = [*SMALL, "num_epochs=2"]
MIXTURE = {  # single runs, by their folders
    "base": [],
    "again": ["seed=1"],
    "remarked": ["seed=4", "note=mine", "tags=[talk]", "log.every=2"],
    "gru": ["model=gru", "model.reset=after"],
    "lstm": ["model=lstm", "num_layers=2", "model.dropout=0.1"],
    "unclipped": ["clip=none", "lr=0.1"],
    "adam": ["optimizer=adam", "max_minibatches=3"],
    "torch": ["optimizer=torch", "optimizer.algorithm=Adam", "+optimizer.options.amsgrad=true"],
    "held_out": ["dataset.val_fraction=0.2", "log.every_minibatches=2"],
    "mine": ["dataset=text", "dataset.path=mine.txt", "dataset.max_tokens=null"],
    "broken": ["lr=1e39", "clip=none"],
}
STUDIES = {
    "rates": ["lr=0.5,1", "seed=2,3"],
    "momenta": ["lr=0.1", "optimizer=momentum", "optimizer.momentum=0.5,0.9", "seed=0,1"],
    "engines": ["engine=fused,eager", "lr=2"],
}


def single(folder: str, *words: str) -> Path:
    assert typed(*RUN, *words, f"hydra.run.dir={folder}")[2] == ""
    return Path(folder)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    """On a folder of eleven single runs and three studies."""
    home = tmp_path_factory.mktemp("mixed")
    (home / "mine.txt").write_text("some words that are a text " * 20)
    for name, words in MIXTURE.items():
        typed(*RUN, *words, f"hydra.run.dir=runs/{name}", at=str(home))
    for name, words in STUDIES.items():
        typed("-m", *RUN, *words, f"sweep=runs/{name}", at=str(home))
    return Board(str(home / "runs"))


def by_runs(board: Board) -> dict[frozenset[str], dict]:
    groups = board.groups(board.columns())
    return {frozenset(run["name"] for run in group["sessions"]): group for group in groups}


@pytest.mark.browser
def test_every_setting_is_one_column_whatever_the_folder_holds(board):
    """Whether it was typed for a run alone, or is one that a study varies."""
    columns = {column["name"]: column for column in board.columns()}
    assert len(columns) == len(board.columns())
    assert not [name for name in columns if name.endswith(".name")]
    assert {"seed", "note", "tags", "log.every"} & set(columns) == set()
    differ = {name for name, column in columns.items() if column.get("differs")}
    assert differ == set(
        "lr model num_layers model.dropout clip optimizer optimizer.momentum engine dataset "
        "dataset.clean dataset.val_fraction".split()
    )
    groups = board.groups([])
    for name in ("lr", "model", "num_epochs", "dataset.val_fraction"):
        assert all(name in group["hparams"] for group in groups), name


@pytest.mark.browser
def test_no_run_is_lost_however_mixed_a_column_is(board):
    """TensorBoard keeps of a column of texts what has one of them: no number, and no truth."""
    names = [run["name"] for group in by_runs(board).values() for run in group["sessions"]]
    assert len(names) == len(set(names)) == 11 + 4 + 4 + 2
    assert {"base", "broken", "mine", "rates/0_lr=0.5,seed=2"} < set(names)
    for column in board.columns():
        kinds = {
            type(group["hparams"][column["name"]])
            for group in board.groups([])
            if column["name"] in group["hparams"]
        }
        assert kinds == {str if "domainDiscrete" in column else float}, column["name"]


@pytest.mark.browser
def test_perplexity_is_the_first_figure_of_the_table(board):
    assert board.metrics() == [
        "perplexity/train",
        "perplexity/val",
        "speed/tokens_per_second",
        "training/bits_per_token",
        "training/clipped_fraction",
        "training/gradient_norm",
        "training/loss",
        "within_epoch/perplexity",
    ]


@pytest.mark.browser
def test_seeds_of_one_setting_are_one_row_with_their_mean(board):
    """Single runs, and jobs of a study, whose settings are those of all of them."""
    rows = by_runs(board)
    seeds = {"base", "again", "remarked", "rates/2_lr=1,seed=2", "rates/3_lr=1,seed=3"}
    together = rows[frozenset(seeds)]
    assert sorted(map(len, rows)) == [1] * 10 + [2] * 3 + [5]
    (mean,) = [m for m in together["metricValues"] if m["name"]["tag"] == "perplexity/train"]
    own = [
        figure["value"]
        for run in together["sessions"]
        for figure in run["metricValues"]
        if figure["name"]["tag"] == "perplexity/train"
    ]
    assert len(set(own)) == 5
    assert mean["value"] == pytest.approx(fmean(own))
    assert (together["hparams"]["lr"], together["hparams"]["model"]) == (1, "rnn")


@pytest.mark.browser
def test_runs_are_named_by_their_folders_and_charts_are_there(board):
    assert {"base", "engines/0_engine=fused", "rates/3_lr=1,seed=3"} < {*board.ask("runs")}
    layout = board.ask("plugin/custom_scalars/layout")
    assert [category["title"] for category in layout["category"]] == ["Perplexity", "Gradient"]
    charts = [chart for category in layout["category"] for chart in category["chart"]]
    tags = {tag for chart in charts for tag in chart["multiline"]["tag"]}
    assert tags - {"perplexity/floor"} < {  # which texts of a known floor have
        *board.ask("plugin/scalars/tags")["held_out"]
    }


def test_a_run_of_an_older_version_is_compared_by_its_former_tags(monkeypatch):
    """`rnnlab reproduce` would find a difference in each of its figures."""
    more = ["instruments=light", "dataset.val_fraction=0.2", "eval.lengths=[5]"]
    with monkeypatch.context() as older:
        for former, tag in FORMER_TAGS.items():
            name = next((name for name, figure in FIGURES.items() if figure.tag == tag), None)
            if name:
                older.setitem(FIGURES, name, replace(FIGURES[name], tag=former))
        older.setattr(tensorboard, "PROBE", "instruments")
        older.setattr(tensorboard, "LENGTHS", "lengths")
        old = single("old", *more)
    tags = {tag for _, tag, _ in read_numbers(old)}
    for former in {*FORMER_TAGS} - {"perplexity/running"}:
        assert any(tag.startswith(former) for tag in tags), former
    assert list(differences(old, single("new", *more))) == []


# --- what a group is -------------------------------------------------------------------------


def test_a_group_is_named_by_its_settings(compose):
    config = compose("model=gru", "lr=0.5", "num_hiddens=64", "seed=3")
    name = group_of(config, ["lr", "seed"], "its text")
    assert re.fullmatch(r"gru lr=0\.5 theta=1 sgd 64x1 num_epochs=500 [0-9a-f]{12}", name)
    unclipped = group_of(compose("clip=none", "num_layers=2"), ["engine", "note"], "its text")
    assert unclipped.startswith("rnn lr=1 sgd 512x2 num_epochs=500 engine=auto ")


@pytest.mark.parametrize(
    "word",
    "lr=2 theta=2 model=gru model.activation=relu optimizer=momentum sampler=random clip=none "
    "num_epochs=3 precision=fp64 dataset.val_fraction=0.1 max_minibatches=3".split(),
)
def test_what_differs_in_more_than_its_seed_is_another_group(compose, word):
    """And says so in a column."""
    base, other = compose("seed=1"), compose("seed=2", word)
    assert group_of(base, [], "its text") != group_of(other, [], "its text")
    assert hparams_of(base, []) != hparams_of(other, [])


def test_another_text_is_another_group(compose):
    config = compose()
    assert group_of(config, [], "its text") != group_of(config, [], "another")


@pytest.mark.parametrize("word", ["seed=7", "note=mine", "log.every=2", "device=cpu"])
def test_what_is_no_part_of_the_experiment_makes_no_group(compose, word):
    assert group_of(compose(), [], "its text") == group_of(compose(word), [], "its text")
    assert hparams_of(compose(), []) == hparams_of(compose(word), [])


def test_a_run_that_is_moved_and_goes_on_keeps_its_group(stop_after):
    """A longer one has another, as its perplexity is that of more epochs."""
    stop_after(30)
    folder = single("run", "seed=4")
    before = row(folder)
    stop_after(float("inf"))
    shutil.move(folder, "moved")
    assert typed("resume=moved")[0] == 0
    whole = row(single("whole"))
    assert (before.group, before.status, row(Path("moved")).status) == (whole.group, None, 1)
    assert row(Path("moved")).group == whole.group
    assert typed("resume=moved", "num_epochs=3")[0] == 0
    assert row(Path("moved")).group == row(single("longer", "num_epochs=3")).group != whole.group
    assert Result.read(Path("moved")).epochs == 3


def test_what_a_study_compares_later_is_a_column_of_its_first_jobs_too():
    assert typed("-m", *RUN, "lr=0.5", "seed=0,1", "sweep=S")[0] == 0
    assert typed("-m", *RUN, "lr=0.5", "engine=eager", "seed=2,3", "sweep=S")[0] == 0
    rows = {folder.name: row(folder) for folder in Path("S").glob("*_*")}
    assert {tuple(sorted(own.values)) for own in rows.values()} == {
        tuple(sorted({*rows["0_seed=0"].values} | {"engine"}))
    }
    assert len({own.group for own in rows.values()}) == 2
