"""Commands as they are on other systems and other Pythons than this one: elsewhere/sitecustomize.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from commands import ROOT, run
from rnnlab._common import machine
from rnnlab.runs.result import Result

SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "dataset.max_tokens=600"]
SMALL += ["log.sample_length=5", "num_epochs=2"]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch):
    """elsewhere("windows"): the commands that are started from now on run there."""
    paths = [ROOT / "tests" / "elsewhere", ROOT / "src", *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
    return lambda where: monkeypatch.setenv("ELSEWHERE", where)
