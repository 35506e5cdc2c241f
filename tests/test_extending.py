"""docs/extending.md cannot rot: its diffs are applied to a copy of the sources and trained with."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

PAGE = (ROOT / "docs" / "extending.md").read_text(encoding="utf-8")
SECTION = re.compile(r"^## (.*?)$(?:(?!^## ).)*?^```diff\n(.*?)^```", re.MULTILINE | re.DOTALL)
DIFFS: dict[str, str] = dict(SECTION.findall(PAGE))
SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "log.sample_length=5", "num_epochs=2"]


def apply(diff: str, root: Path) -> None:
    command = ["git", "apply", "--unsafe-paths", f"--directory={root}", "-"]
    done = subprocess.run(command, input=diff, text=True, capture_output=True, check=False, cwd="/")
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources with every diff of the page applied."""
    root = tmp_path_factory.mktemp("extended")
    for name in ("src", "conf"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "run.py", root)
    for diff in DIFFS.values():
        apply(diff, root)
    return root


def run(root: Path, *arguments: str) -> str:
    command = [sys.executable, str(root / "run.py"), *arguments]
    environment = os.environ | {"PYTHONPATH": str(root / "src"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_the_page_has_a_diff_for_each_extension():
    assert list(DIFFS) == [
        "A cell", "A sampler", "An optimizer", "A schedule", "A kind of text",
        "A synthetic source", "A tracker", "A figure of an epoch", "An instrument", "An engine",
    ]  # fmt: skip


def test_an_extension_is_one_file_and_its_yaml():
    for diff in DIFFS.values():
        touched = re.findall(r"^\+\+\+ b/(.*)$", diff, re.M)
        assert [path for path in touched if path.startswith("conf/")] == touched[:-1]
        assert len(touched) <= 2


def test_all_of_them_train_together(extended):
    words = ["model=mingru", "sampler=alternate", "optimizer=lion", "dataset=counting", "lr=0.003"]
    words += ["schedule=exponential", "schedule.factor=0.5"]
    run(extended, *words, *SMALL, "hydra.run.dir=run")
    result = json.loads(Path("run/result.json").read_text())
    assert (result["status"], result["engine"]) == ("completed", "eager")
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert all(0 < line["gradient_norm"] <= line["gradient_norm_rms"] for line in lines)
    rows = Path("run/metrics.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows] == ["epoch", "1", "2"]
    assert [line["lr"] for line in lines] == [0.003, 0.0015]
    run(extended, "resume=run", "num_epochs=4", "instruments=[weight_norm]")
    rows = Path("run/metrics.csv").read_text().splitlines()
    assert [row.partition(",")[0] for row in rows] == ["epoch", "1", "2", "3", "4"]
    (look,) = map(json.loads, Path("run/instruments.jsonl").read_text().splitlines())
    assert look["epoch"] == 4
    assert set(look["weight_norm"]) == {"0.W_xz", "0.b_z", "0.W_xh", "0.b_h", "W_hq", "b_q"}


def test_a_synthetic_source_has_its_floor(extended):
    out = run(extended, "dataset=walk", "dataset.length=2000", *SMALL, "hydra.run.dir=walk")
    floor = math.exp(-0.8 * math.log(0.8) - 0.2 * math.log(0.2))
    result = json.loads(Path("walk/result.json").read_text())
    assert result["dataset"]["entropy_floor_perplexity"] == pytest.approx(floor)
    paid = result["dataset"]["source_nats"]
    assert paid == pytest.approx(math.log(floor), rel=0.3)
    assert result["excess_nats"] == pytest.approx(math.log(result["val_perplexity"]) - paid)
    assert f"(floor {floor:.4g})" in out


@pytest.mark.slow
def test_all_of_them_train_in_a_study(extended):
    words = ["model=rnn,mingru", "sampler=alternate,random", "dataset=counting", "engine=eager64"]
    run(extended, "-m", *words, *SMALL, "sweep=S")
    found = [json.loads(path.read_text()) for path in Path("S").glob("*/result.json")]
    assert [result["status"] for result in found] == ["completed"] * 4
    assert {result["engine"] for result in found} == {"eager64"}


def test_help_shows_them(extended):
    out = run(extended, "--help")
    for word in (
        "mingru",
        "alternate",
        "lion",
        "exponential",
        "counting",
        "walk",
        "weight_norm",
        "minibatches from one reset to the next",
    ):
        assert word in out
