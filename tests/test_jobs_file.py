"""-m jobs=jobs.csv: a column a setting, a row a job, checked and planned like a grid."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest

import commands
from rnnlab._common.errors import ConfigError
from rnnlab.config.jobs_file import rows_of_file
from rnnlab.config.rows import with_rows
from rnnlab.config.stored_words import not_taken
from rnnlab.runs.result import Result

SMALL = ["num_hiddens=4", "batch_size=2", "num_steps=5", "dataset.max_tokens=150", "num_epochs=1"]
LRS, THETAS = (0.1, 0.3, 0.5, 1, 3), (0.5, 1, 2, 5)


def write(*lines: str, name: str = "jobs.csv") -> str:
    Path(name).write_text("\n".join(lines) + "\n")
    return f"jobs={name}"


def ends(study: str) -> dict[tuple[float, float, int], float | None]:
    results = [Result.read(path.parent) for path in Path(study).glob("*/result.json")]
    settings = [(r.settings["lr"], r.settings["theta"], r.seed) for r in results]
    return dict(zip(settings, (r.perplexity for r in results), strict=True))


@pytest.mark.slow
def test_forty_rows_train_as_their_grid_does():
    pairs = itertools.product(LRS, THETAS)
    jobs = write("lr,theta,seed", *(f"{lr},{theta},{k}" for lr, theta in pairs for k in (0, 1)))
    assert len(Path("jobs.csv").read_text().splitlines()) == 41
    assert commands.run("-m", jobs, *SMALL, "sweep=rows")[0] == 0
    lrs, thetas = (",".join(map(str, values)) for values in (LRS, THETAS))
    grid = [f"lr={lrs}", f"theta={thetas}", "seed=0,1"]
    assert commands.run("-m", *grid, *SMALL, "sweep=grid")[0] == 0
    assert len(ends("rows")) == 40
    assert ends("rows") == ends("grid")


def test_rows_are_crossed_with_what_else_has_several_values():
    jobs = write("lr,theta", "0.5,1", "1,2")
    found = commands.jobs("-m", *with_rows([jobs]), *SMALL, "seed=0,1", "theta=9")
    own = [(config.lr, config.theta, config.seed) for config in found]
    assert own == [(0.5, 1, 0), (0.5, 1, 1), (1, 2, 0), (1, 2, 1)]  # a row's theta counts


def test_cells_are_texts_paths_and_nothing():
    Path("a text, é.txt").write_text("x")
    write("dataset,dataset.path, lr ", 'text,"a text, é.txt", 1', "sample,,")
    assert rows_of_file("jobs=jobs.csv") == [
        ["dataset=text", 'dataset.path="a text, é.txt"', "lr=1"],
        ["dataset=sample"],
    ]


def test_a_typo_in_a_row_is_answered_with_its_row_before_anything_starts():
    lines = [f"{0.1 * k:.1f},rnn" for k in range(1, 41)]
    lines[16] = "1.7,rnnn"
    code, _, said = commands.run("-m", write("lr,model", *lines), *SMALL, "sweep=S")
    assert code == 2
    assert said.startswith("job 16 (row 17: lr=1.7 model=rnnn): model=rnnn is not allowed")
    assert not Path("S").exists()


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (["lr,lr", "1,2"], "jobs=jobs.csv is not allowed: it has two columns lr."),
        (["lr,", "1,2"], "its first line names a setting a column."),
        (["lr"], "it has no row below its names."),
        ([], "its first line names a setting a column."),
        (["lr,theta", "1,1", "1"], "jobs=jobs.csv, row 2, is not allowed: it has 1 cells, and the"),
    ],
)
def test_a_file_that_is_no_list_of_jobs(lines, sentence):
    write(*lines)
    with pytest.raises(ConfigError) as caught:
        rows_of_file("jobs=jobs.csv")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["-m", "jobs=none.csv"], "jobs=none.csv is not allowed: No such file or directory."),
        (["jobs=jobs.csv"], "jobs=FILE or zip(...) is not allowed: it is a study's; add -m."),
        (["-m", "jobs=two.csv"], "row 1: lr=1,2 is not allowed: a cell has one value; what is"),
        (["-m", "jobs=odd.csv"], "lrr is not a name in the config"),
    ],
)
def test_a_mistake_is_a_sentence(words, sentence):
    write("lr", "1")
    write("lr", '"1,2"', name="two.csv")
    write("lrr", "1", name="odd.csv")
    code, _, said = commands.run(*words, *SMALL)
    assert (code, said.count("\n")) == (2, 1)
    assert sentence in said
    assert not Path("outputs").exists()


@pytest.mark.slow
def test_a_study_goes_on_as_it_was_asked_for_after_the_file_has_changed():
    jobs = write("lr,theta", "0.5,1", "1,2")
    assert commands.run("-m", jobs, *SMALL, "sweep=S")[0] == 0
    Path("jobs.csv").unlink()
    assert commands.run("resume=S", "num_epochs=2")[0] == 0
    assert [Result.read(path.parent).epochs for path in Path("S").glob("*/result.json")] == [2, 2]


@pytest.mark.parametrize("word", ["hydra.run.dir=/tmp/x", "lr=${oc.env:HOME}", "+x=1", "--help"])
def test_a_stored_row_says_no_more_than_a_stored_word_may(word):
    good, bad = (f"hydra.sweeper.rows={json.dumps([['lr=1', own]])}" for own in ("theta=2", word))
    assert not_taken([good]) == []
    assert not_taken([bad]) == [bad]
