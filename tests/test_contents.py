"""What report.html is given to show, and when it is written again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from rnnlab._common.errors import ConfigError
from rnnlab.runs.result import Status
from rnnlab.studies.report import write
from test_report import HOME, forge


def shown(home: Path = HOME) -> dict[str, Any]:
    page = write.write_report(home).read_text(encoding="utf-8")
    (own,) = re.findall('<script type="application/json".*?>(.*?)</script>', page, re.DOTALL)
    return json.loads(own)


def test_runs_have_their_settings_figures_and_commands():
    forge("0", 3.0, lr=0.5)
    forge("1", 2.0, "model=gru", lr=1e-5)
    data = shown()
    names = [setting["name"] for setting in data["settings"]]
    assert names == ["model", "lr"]
    first, second = data["runs"]
    values = [data["settings"][k]["values"] for k in range(2)]
    assert values[1] == [["1e-05", "1e-05", 1e-05], ["0.5", "0.5", 0.5]]
    assert [values[k][place][0] for k, place in enumerate(second["settings"])] == ["gru", "1e-05"]
    assert (first["value"], second["value"], first["status"]) == (3, 2, "completed")
    assert second["command"].startswith("rnnlab train model=gru ")
    assert " lr=1e-05 " in second["command"]
    assert first["link"] == "./0/"
    assert data["differences"] == ["model: rnn and gru", "lr: 0.5 and 1e-05"]


def test_seeds_are_one_group_with_one_command():
    for lr in (1.0, 2.0):
        for seed in range(3):
            forge(f"{lr}-{seed}", lr + seed, lr=lr, seed=seed)
    data = shown()
    assert [group["runs"] for group in data["groups"]] == [[0, 1, 2], [3, 4, 5]]
    assert data["groups"][0]["command"].endswith(" seed=0,1,2")
    assert data["groups"][0]["mean"] == 2
    assert data["best"][0]["words"].endswith("mean of 3 seeds; next is lr=2 with 3 ± 2.5, 1 more")
    assert "seed" not in data["groups"][0]["shown"]


def test_what_could_not_be_composed_is_no_seed_of_anything():
    """Each for itself, by its folder's name, and without a command."""
    forge("0", 3.0, lr=1.0)
    for name in ("1_x", "2_y"):
        entry = forge(name, None, status=Status.failed, epochs=0)
        entry.result.config = {}
        entry.result.write(entry.folder)
    data = shown()
    assert [group["runs"] for group in data["groups"]] == [[0], [1], [2]]
    assert [run["title"] for run in data["runs"]][1:] == ["1_x", "2_y"]
    assert [run["command"] == "" for run in data["runs"]] == [False, True, True]


def test_of_ten_single_runs_each_is_called_by_what_is_unusual_of_it():
    changes: list[dict[str, Any]] = [
        {},
        {"lr": 2.0},
        {"theta": 3.0},
        {"batch_size": 3},
        {"num_steps": 4},
    ]
    for k, change in enumerate(changes):
        forge(f"{k}", 3.0 + k, **change)
    titles = [run["title"] for run in shown()["runs"]]
    assert titles == ["the usual settings", "lr=2", "theta=3", "batch_size=3", "num_steps=4"]


def test_a_curve_is_thinned_to_its_last_point_and_epochs_are_there_once():
    for k in range(2):
        forge(f"{k}", 2.0 + k / 3, lr=1.0 + k, epochs=1001)
    data = shown()
    assert [len(own) for own in data["epochs"]] == [167, 0]  # every sixth; nothing is held out
    assert (data["epochs"][0][0], data["epochs"][0][-1]) == (5, 1001)
    curves = [run["curves"]["perplexity"] for run in data["runs"]]
    assert [curve[0] for curve in curves] == [0, 0]
    assert {*curves[1][1]} == {2.333}


def test_no_number_is_none():
    """JSON has no infinity: what diverged says so, and what has no figure is null."""
    forge("0", None, status=Status.diverged)
    forge("1", None, lr=2.0, status=Status.running)
    forge("2", 1e300, lr=3.0)
    assert [run["value"] for run in shown()["runs"]] == ["diverged", None, "diverged"]


def test_what_is_called_an_empty_text_is_a_value_like_others():
    forge("0", 3.0, note="")
    forge("1", 2.0, note="x", lr=3.0)
    assert [setting["name"] for setting in shown()["settings"]] == ["lr"]


def test_a_watched_report_is_written_when_something_changes(monkeypatch):
    pauses = []
    forge("0", 3.0)
    watching = write.watch(HOME)
    page = next(watching).read_text(encoding="utf-8")
    assert '"is_watched":true' in page

    def later(_: float) -> None:
        pauses.append(write.PAUSE)
        if len(pauses) == 3:
            forge("1", 2.0, lr=3.0)

    monkeypatch.setattr(write.time, "sleep", later)
    assert next(watching).read_text(encoding="utf-8").count('"status":"completed"') == 2
    assert len(pauses) == 3
    watching.close()  # as Ctrl-C does
    assert '"is_watched":false' in (HOME / "report.html").read_text(encoding="utf-8")


def test_a_folder_without_runs_is_not_watched(tmp_path):
    with pytest.raises(ConfigError, match="it has no run's folder in it"):
        next(write.watch(tmp_path))
    assert [*tmp_path.iterdir()] == []
