"""The report's figures by hand, its escaping, and that it reads whatever folder it is given."""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import pytest

from rnnlab._common.errors import ConfigError
from rnnlab.config.identity import differing, flat
from rnnlab.runs import stack as experiment
from rnnlab.runs.result import Result, Status
from rnnlab.studies.report.page import write_report
from rnnlab.studies.report.tables import (
    best_command,
    changed_names,
    interval,
    median_where,
    read,
    student,
)

SMALL = ["num_hiddens=4", "batch_size=2", "num_steps=5", "dataset.max_tokens=150", "num_epochs=2"]


@pytest.fixture
def study(compose) -> Path:
    """lr x theta x seed in eight runs, of which one diverges."""
    home = Path("study")
    number = 0
    for lr in (0.5, 1e39):
        for theta in (1, 2):
            for seed in (0, 1):
                if lr > 1 and (theta, seed) != (2, 1):
                    continue
                folder = home / f"{number}_lr={lr},theta={theta},seed={seed}"
                folder.mkdir(parents=True)
                overrides = [f"lr={lr}", f"theta={theta}", f"seed={seed}"]
                experiment.run(compose(*SMALL, *overrides), folder)
                number += 1
    return home


def test_a_report_has_every_run_and_why_one_did_not_complete(study):
    page = write_report(study).read_text()
    rows = list(csv.DictReader((study / "results.csv").open()))
    assert [row["status"] for row in rows] == ["completed"] * 4 + ["diverged"]
    assert [(row["lr"], row["theta"], row["seed"]) for row in rows[:2]] == [
        ("0.5", "1.0", "0"),
        ("0.5", "1.0", "1"),
    ]
    assert float(rows[0]["perplexity"]) == Result.read(study / rows[0]["folder"]).perplexity
    for text in (page, (study / "report.md").read_text()):
        assert "5 runs: 4 completed, 1 diverged." in text
        assert "were not finite in epoch 1" in text
        assert "mean and 95 % confidence interval" in text
    assert page.count("<svg") == 3  # curves, effects, lr x theta


def test_a_report_is_one_file_that_fetches_nothing(study):
    page = write_report(study).read_text()
    links = re.findall(r"(?:src|href)=[\"']?([^\"' >]+)", page)
    assert all(link.startswith(("#", "data:image/png;base64,")) for link in links)
    assert "<script" not in page
    assert "@import" not in page


def test_what_comes_from_a_text_is_escaped(study):
    evil = "<script>alert(1)</script>|`\n&"
    folder = sorted(study.iterdir())[0]
    result = Result.read(folder)
    result.samples = {evil: evil}
    result.error, result.status = evil, Status.failed
    result.write(folder)
    page = write_report(study).read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "<script" not in (study / "report.md").read_text()


def test_confidence_intervals_by_hand():
    """1, 2, 3: mean 2, s = 1, t(2) = 4.30, half width 4.30 / sqrt(3)."""
    mean, half = interval([1.0, 2.0, 3.0])
    assert mean == 2.0
    assert half == pytest.approx(4.30 / math.sqrt(3), rel=1e-3)
    assert math.isnan(interval([5.0])[1])


def test_settings_are_named_as_one_types_them():
    values = {"lr": 1, "model": {"name": "gru", "reset": "after"}, "log": {"every": 2}}
    assert flat(values) == {"lr": 1, "model": "gru", "model.reset": "after", "log.every": 2}


def test_a_torn_result_is_named_and_the_others_are_reported(study):
    (sorted(study.iterdir())[1] / "result.json").write_text("{")
    entries, skipped = read(study)
    assert len(entries) == 4
    assert "is not a result of rnnlab, or is damaged" in skipped[0]
    assert changed_names(entries) == ["lr", "theta", "seed"]
    assert "rnnlab reproduce" in best_command(entries)


def test_a_clip_that_is_no_name_is_reported_like_any_other(study):
    """A stored config may say anything: what cannot be a name is no choice, and no error."""
    folder = sorted(study.iterdir())[0]
    result = Result.read(folder)
    result.config["clip"] = ["norm"]
    result.write(folder)
    assert len(read(study)[0]) == 5


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="it has no run's folder in it"):
        write_report(tmp_path)


def test_what_comes_with_a_choice_is_not_swept_by_itself():
    """A GRU has a reset that an RNN has not; both have dropout."""
    gru = {"lr": 1.0, "model": "gru", "model.reset": "before", "model.dropout": 0.0}
    rnn = {"lr": 1.0, "model": "rnn", "model.activation": "tanh", "model.dropout": 0.5}
    assert differing([gru, rnn]) == ["model", "model.dropout"]
    assert differing([gru, gru | {"model.reset": "after"}]) == ["model.reset"]
    assert differing([]) == []


def test_a_median_counts_what_did_not_complete_as_worse_than_all_else(study):
    """At lr 0.5 four of four completed; at lr 1e39, theta 2, none of one."""
    entries, _ = read(study)
    ends = sorted(entry.figure for entry in entries if entry.figure is not None)
    assert median_where(entries, {"lr": "0.5"}) == ends[2]  # the upper one of the middle two
    assert median_where(entries, {"lr": "1e+39"}) == math.inf
    assert math.isnan(median_where(entries, {"lr": "7"}))


def test_students_t_beyond_the_table():
    """Abramowitz and Stegun's table 26.10: 2.201 at 11 degrees, 2.042 at 30, 1.980 at 120."""
    for freedom, point in ((11, 2.201), (30, 2.042), (120, 1.980)):
        assert student(freedom) == pytest.approx(point, abs=1e-3)


def test_a_parquet_file_is_written_where_there_is_a_library(study):
    parquet = pytest.importorskip("pyarrow.parquet")
    write_report(study)
    table = parquet.read_table(study / "results.parquet").to_pydict()
    assert table["status"] == ["completed"] * 4 + ["diverged"]
