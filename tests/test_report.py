"""The report's figures by hand, its rule of ranking, and that it reads whatever folder it has."""

from __future__ import annotations

import csv
import json
import math
import re
import time
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rnnlab._common.errors import ConfigError
from rnnlab.config.compose import compose as composed
from rnnlab.config.identity import as_typed, differing, flat
from rnnlab.config.schema import Config
from rnnlab.runs import stack as experiment
from rnnlab.runs.result import Result, Status
from rnnlab.studies.report.axes import median
from rnnlab.studies.report.entries import Entry, changed_names, read
from rnnlab.studies.report.grids import grids
from rnnlab.studies.report.ranking import HELD_OUT, TRAINING, Ranking
from rnnlab.studies.report.statistics import mean_and_half
from rnnlab.studies.report.tables import best, overview
from rnnlab.studies.report.write import write_report

SMALL = ["num_hiddens=4", "batch_size=2", "num_steps=5", "dataset.max_tokens=150", "num_epochs=2"]
HOME = Path("study")


@pytest.fixture
def study(compose) -> Path:
    """lr x theta x seed in five runs, of which one diverges."""
    number = 0
    for lr in (0.5, 1e39):
        for theta in (1, 2):
            for seed in (0, 1):
                if lr > 1 and (theta, seed) != (2, 1):
                    continue
                folder = HOME / f"{number}_lr={lr},theta={theta},seed={seed}"
                folder.mkdir(parents=True)
                overrides = [f"lr={lr}", f"theta={theta}", f"seed={seed}"]
                experiment.run(compose(*SMALL, *overrides), folder)
                number += 1
    return HOME


@cache
def config(*choices: str) -> Config:
    return composed([*SMALL, *choices])


def forge(
    name: str,
    perplexity: float | None,
    *choices: str,
    held_out: float | None = None,
    status: Status = Status.completed,
    text: str = "a",
    epochs: int = 3,
    **knobs: Any,
) -> Entry:
    """A run's folder as if it had been trained."""
    own = replace(config(*choices), **knobs)
    if held_out is not None:
        own = replace(own, dataset=replace(own.dataset, val_fraction=0.1))
    blank = Result.without_run("")
    result = replace(
        blank, status=status, error=None, perplexity=perplexity, val_perplexity=held_out,
        best_perplexity=perplexity if held_out is None else held_out, epochs=epochs,
        config=own.as_dict(), seed=own.seed,
        dataset={"name": own.dataset.name, "sha256": text, "vocab_size": 28},
    )  # fmt: skip
    folder = HOME / name
    folder.mkdir(parents=True)
    result.write(folder)
    figures = {"perplexity": perplexity, "val_perplexity": held_out}
    lines = [json.dumps({"epoch": epoch + 1, **figures}) + "\n" for epoch in range(epochs)]
    (folder / "metrics.jsonl").write_text("".join(lines))
    return Entry.of(folder, Result.read(folder), HOME)


def table() -> list[dict[str, str]]:
    return list(csv.DictReader((HOME / "results.csv").open(newline="")))


def test_a_report_has_every_run_and_why_one_did_not_complete(study):
    write_report(study)
    rows = table()
    assert [row["status"] for row in rows] == ["completed"] * 4 + ["diverged"]
    assert [(row["lr"], row["theta"], row["seed"]) for row in rows[:2]] == [
        ("0.5", "1", "0"),
        ("0.5", "1", "1"),
    ]
    trained = Result.read(study / rows[0]["folder"])
    assert float(rows[0]["training_perplexity"]) == trained.perplexity
    for name in ("report.html", "report.md"):
        text = (study / name).read_text()
        assert "5 runs: 4 completed, 1 diverged. Ranked by training perplexity" in text
        assert "were not finite in epoch 1" in text
    assert "mean and 95 % confidence interval" in text


def test_a_report_is_one_file_that_fetches_nothing():
    for k in range(12):
        forge(f"{k}", 2.0 + k, lr=1.0 + k)
    page = write_report(HOME).read_text()
    assert "default-src 'none'" in page
    assert not re.findall(r"(?:src|href)=", page.partition("<script")[0])
    assert "@import" not in page
    assert "url(http" not in page


# --- who is best -----------------------------------------------------------------------------


def test_the_best_is_a_mean_over_seeds_and_not_a_lucky_seed():
    """lr 1 has the lowest run of all, and the lower mean is lr 2's; at lr 3 one seed diverged."""
    ends = {1: (1.5, 4.0), 2: (2.0, 2.2), 3: (1.6, 1e60)}
    entries = [
        forge(f"{lr}-{seed}", end, lr=float(lr), seed=seed)
        for lr, own in ends.items()
        for seed, end in enumerate(own)
    ]
    ranking = Ranking(entries)
    assert [group.entries[0].settings["lr"] for group in ranking.groups] == [2, 1, 3]
    assert ranking.groups[0].mean == pytest.approx(2.1)
    ((said, command),) = best(ranking)
    assert said == (
        "Best: lr=2: training perplexity 2.1 ± 1.3, mean of 2 seeds; "
        "next is lr=1 with 2.75 ± 16, 0.65 more"
    )
    assert command.startswith("rnnlab train -m ")
    assert command.endswith(" lr=2 num_hiddens=4 batch_size=2 num_steps=5 num_epochs=2 seed=0,1")
    assert str(ranking.groups[2]) == "1 of 2 diverged"


@pytest.mark.parametrize(
    ("held_out", "measure", "first"), [((9.0, 8.0), HELD_OUT, 2), ((9.0, None), TRAINING, 1)]
)
def test_held_out_text_counts_where_every_completed_run_has_it(held_out, measure, first):
    """At lr 1 training is better, at lr 2 what is held out; a run that failed has no say."""
    ends = zip((1, 2), (1.5, 2.0), held_out, strict=True)
    entries = [forge(f"{lr}", end, lr=float(lr), held_out=held) for lr, end, held in ends]
    entries.append(forge("failed", None, lr=3.0, status=Status.failed))
    ranking = Ranking(entries)
    assert ranking.measure == measure
    assert [entry.settings["lr"] for entry in ranking.runs] == [first, 3 - first, 3]
    assert f"Ranked by {measure} (" in overview(ranking)


def test_training_and_held_out_perplexity_are_told_apart_everywhere():
    for lr in (1, 2):
        forge(f"{lr}", 1.25 * lr, lr=float(lr), held_out=9.5 * lr)
    text = write_report(HOME).with_suffix(".md").read_text()
    heads = [line for line in text.splitlines() if line.startswith("| run | lr")]
    assert heads == ["| run | lr | status | training perplexity | held-out perplexity | epochs |"]
    assert [(row["training_perplexity"], row["held_out_perplexity"]) for row in table()] == [
        ("1.25", "9.5"),
        ("2.5", "19.0"),
    ]
    assert (table()[0]["best_perplexity"], table()[0]["best_of"]) == ("9.5", "held out")


def test_each_text_has_its_own_best():
    """Perplexity 2 of one text is not better than 3 of another."""
    for text, least in (("a", 2.0), ("b", 3.0)):
        for lr in (1, 2):
            forge(f"{text}{lr}", least * lr, lr=float(lr), text=text)
    ranking = Ranking(read(HOME)[0])
    assert [entry.name for entry in ranking.runs] == ["a1", "a2", "b1", "b2"]
    assert len(best(ranking)) == 2
    assert "perplexities of different texts do not compare" in overview(ranking)


def test_a_run_that_ended_far_beyond_guessing_is_no_value():
    """It was completed, says its folder. Held-out text of an overfitted model is still a value."""
    entries = [forge(f"{lr}", end, lr=lr) for lr, end in ((0.5, 28.0), (1.0, 1e60), (2.0, 1.5))]
    write_report(HOME)
    assert [(row["status"], row["training_perplexity"]) for row in table()] == [
        ("completed", "28.0"),
        ("diverged", ""),
        ("completed", "1.5"),
    ]
    text = (HOME / "report.md").read_text()
    assert "3 runs: 2 completed, 1 diverged." in text
    assert "| 1.0 | diverged | it ended at perplexity 1e+60, where guessing among its 28" in text
    assert entries[1].curves == ([], [])
    overfitted = forge("overfitted", 1.1, held_out=2800.0)
    assert Ranking([overfitted]).groups[0].mean == 2800.0


# --- figures ---------------------------------------------------------------------------------


def test_confidence_intervals_by_hand():
    """1, 2, 3: mean 2, s = 1, t(2) = 4.30, half width 4.30 / sqrt(3)."""
    mean, half = mean_and_half([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert half == pytest.approx(4.30 / math.sqrt(3), rel=1e-3)
    assert math.isnan(mean_and_half([5.0])[1])


def test_a_median_counts_what_diverged_as_worse_than_all_else():
    """What has not ended is not known."""
    assert median([3.0, 1.0, 2.0, 4.0]) == 2.5
    assert median([1.0, math.inf]) == math.inf
    assert median([1.0, 2.0, math.inf]) == 2.0
    assert median([1.0, None, None]) == 1.0
    assert math.isnan(median([None]))


# --- settings --------------------------------------------------------------------------------


def test_settings_are_named_as_one_types_them():
    values = {"lr": 1, "model": {"name": "gru", "reset": "after"}, "log": {"every": 2}}
    assert flat(values) == {"lr": 1, "model": "gru", "model.reset": "after", "log.every": 2}


@pytest.mark.parametrize(
    ("value", "typed"),
    [(1.0, "1"), (0.1, "0.1"), (1e-5, "1e-05"), (1e39, "1e+39"), (0.10000001, "0.10000001")]
    + [(7, "7"), (True, "true"), (None, "null"), ([1.5, "a"], "[1.5,a]"), ({"a": 2.0}, "{a:2}")],
)
def test_a_setting_is_as_short_as_it_reads_back_the_same(value, typed):
    assert as_typed(value) == typed


def test_settings_that_differ_in_the_seventh_digit_are_two():
    """And 1 is 1.0, which is neither true nor the text 1."""
    entries = [
        forge(f"{lr}-{seed}", lr, lr=lr, seed=seed) for lr in (0.1, 0.10000001) for seed in (0, 1)
    ]
    groups = Ranking(entries).groups
    assert [len(group.entries) for group in groups] == [2, 2]
    assert [group.entries[0].setting("lr") for group in groups] == ["0.1", "0.10000001"]
    assert differing([{"x": 1}, {"x": 1.0}]) == []
    for other in (True, "1", None):
        assert differing([{"x": 1}, {"x": other}]) == ["x"]


def test_what_comes_with_a_choice_is_not_swept_by_itself():
    """A GRU has a reset that an RNN has not; both have dropout. Two GRUs may differ in it."""
    gru = {"lr": 1.0, "model": "gru", "model.reset": "before", "model.dropout": 0.0}
    rnn = {"lr": 1.0, "model": "rnn", "model.activation": "tanh", "model.dropout": 0.5}
    assert differing([gru, rnn]) == ["model", "model.dropout"]
    assert differing([gru, gru | {"model.reset": "after"}]) == ["model.reset"]
    assert differing([gru, rnn, gru | {"model.reset": "after"}])[1:] == [
        "model.reset",
        "model.dropout",
    ]
    assert differing([]) == []


def test_the_table_of_results_has_every_setting_that_differs():
    """Empty where a run has no such setting; folders as seen from the report."""
    forge("runs/a", 2.0, "model=gru", "log.every=2", lr=1.0)
    forge("sweeps/x/0_b", 3.0, "clip=none", lr=1e-5)
    forge("sweeps/x/1_c", 4.0, "model=gru", "model.reset=after", "clip=value", theta=5.0)
    write_report(HOME)
    names = "model model.reset clip lr theta log.every".split()
    rows = [[row["folder"], *(row[name] for name in names)] for row in table()]
    assert rows == [
        ["runs/a", "gru", "before", "norm", "1", "1", "2"],
        ["sweeps/x/0_b", "rnn", "", "none", "1e-05", "", "1"],
        ["sweeps/x/1_c", "gru", "after", "value", "1", "5", "1"],
    ]
    assert [*table()[0]] == ["folder", *names, *FIGURES]


FIGURES = """
    seed text vocab_size status training_perplexity held_out_perplexity best_perplexity best_of
    floor_perplexity excess_nats
    gradient_norm clipped_fraction epochs tokens seconds tokens_per_second stack_tokens_per_second
    used_device used_engine used_precision began ended config_id error stopped
""".split()


def test_the_columns_of_figures_are_always_the_same():
    """A seed that differs is not there twice, nor the asked engine for the one that trained."""
    for seed, asked in ((3, "auto"), (4, "eager")):
        entry = forge(f"{seed}", 2.0, seed=seed, engine=asked)
        entry.result.engine, entry.result.began = "fused", "2026-01-02T03:04:05+00:00"
        entry.result.stack_tokens_per_second = 7.5
        entry.result.write(entry.folder)
        lines = [
            {"epoch": 1, "perplexity": 3.0, "val_perplexity": None, "gradient_norm": 9.0},
            {"epoch": 2, "perplexity": 2.0, "val_perplexity": None, "gradient_norm": 0.25}
            | {"clipped_fraction": 0.5},
        ]
        text = "".join(json.dumps(line) + "\n" for line in lines)
        (entry.folder / "metrics.jsonl").write_text(text)
    write_report(HOME)
    assert [*table()[0]] == ["folder", "engine", *FIGURES]
    first, second = table()
    assert [first["engine"], second["engine"]] == ["auto", "eager"]
    assert [first["seed"], second["seed"]] == ["3", "4"]
    assert [first["text"], first["vocab_size"]] == ["sample", "28"]
    assert [first["gradient_norm"], first["clipped_fraction"]] == ["0.25", "0.5"]
    assert [first["used_engine"], first["began"]] == ["fused", "2026-01-02T03:04:05+00:00"]
    assert [first["stack_tokens_per_second"], first["ended"]] == ["7.5", ""]


def test_a_setting_called_like_a_figure_has_no_column_of_its_own():
    """A stored config may say anything."""
    for number in range(2):
        entry = forge(f"{number}", 2.0)
        entry.result.config |= {"status": f"x{number}", "folder": number}
        entry.result.write(entry.folder)
    write_report(HOME)
    (head, *_) = csv.reader((HOME / "results.csv").open(newline=""))
    assert head == ["folder", *FIGURES]
    assert table()[0]["status"] == "completed"


# --- any folder ------------------------------------------------------------------------------


def test_runs_that_have_little_in_common():
    """Tables have room, and name what is unusual; there is no grid."""
    varied: list[list[str]] = [["model=gru"], ["model=lstm"], ["sampler=random"], ["clip=none"]]
    varied += [["optimizer=adam"], ["optimizer=torch", "optimizer.algorithm=NAdam"]]
    varied += [["num_layers=2", "model.dropout=0.3"], ["num_steps=7"], ["batch_size=3"], ["lr=3"]]
    for number, choices in enumerate(varied):
        forge(f"{number}", 2.0 + number, *choices, epochs=number + 1)
    forge("words", 40.0, "dataset=text", "dataset.path=x", held_out=50.0, text="b")
    text = write_report(HOME).with_suffix(".md").read_text()
    ranking = Ranking(read(HOME)[0])
    assert "Best of sample: model=gru" in text
    assert grids(ranking) == []
    (head,) = re.findall(r"^\| run \|.*$", text, re.MULTILINE)[:1]
    assert head.count("|") <= 14
    assert "| other settings |" in head
    assert "Where no other setting is named: " in text


def test_a_study_that_is_still_running():
    """What has not ended is neither good nor bad."""
    for lr in (1, 2):
        forge(f"{lr}-0", 2.0 + lr, lr=float(lr), seed=0)
        forge(f"{lr}-1", None, lr=float(lr), seed=1, status=Status.running)
    write_report(HOME)
    ((said, command),) = best(Ranking(read(HOME)[0]))
    assert said == "Best: lr=1: training perplexity 3; next is lr=2 with 4, 1 more"
    assert "seed" not in command


@pytest.mark.slow
def test_a_thousand_jobs_are_one_page_that_a_browser_can_open():
    for k in range(1000):
        lr, theta = 0.01 * (k // 100 + 1), k // 10 % 10 + 1.0
        forge(f"{k}", 1.5 + k / 100, lr=lr, theta=theta, seed=k % 10)
    started = time.process_time()
    assert write_report(HOME).stat().st_size < 3_000_000
    assert time.process_time() - started < 30


def test_a_torn_result_is_named_and_the_others_are_reported():
    for lr in (1.0, 2.0, 3.0):
        forge(f"{lr}", 1.5, lr=lr)
    (HOME / "1.0/result.json").write_text("{")
    entries, skipped = read(HOME)
    assert [entry.name for entry in entries] == ["2.0", "3.0"]
    assert "is not a result of rnnlab, or is damaged" in skipped[0]
    assert changed_names(entries) == ["lr"]


def test_a_clip_that_is_no_name_is_reported_like_any_other():
    """A stored config may say anything: what cannot be a name is no choice, and no error."""
    result = forge("run", 1.5).result
    result.config["clip"] = ["norm"]
    result.write(HOME / "run")
    assert len(read(HOME)[0]) == 1


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="it has no run's folder in it"):
        write_report(tmp_path)
