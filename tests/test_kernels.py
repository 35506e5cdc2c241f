"""Kernels are compiled once for their sources, wherever something can be kept; and threads."""

from __future__ import annotations

import gc
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import torch

import library
from conftest import ROOT

pytest.importorskip("numba")

from rnnlab.nn.engines.compiled import passes
from rnnlab.nn.engines.compiled.crew import Crew
from rnnlab.nn.engines.compiled.network import Compiled
from test_engines import problem

DOUBLED = """
from rnnlab._common.kernel import kernel
from own.factor import FACTOR

@kernel
def times(x):
    return FACTOR * x

if __name__ == "__main__":
    print(times(21), sum(times.stats.cache_hits.values()))
"""


def started(kept: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "own.times"],
        env={"PATH": "", "PYTHONPATH": f"{ROOT / 'src'}:.", "NUMBA_CACHE_DIR": kept},
        stdout=subprocess.PIPE,
        text=True,
    )


def said(process: subprocess.Popen[str]) -> list[int]:
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return [int(word) for word in out.split()]


@pytest.fixture
def own() -> Path:
    """A package of the user's own."""
    package = Path("own")
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "factor.py").write_text("FACTOR = 2\n")
    (package / "times.py").write_text(DOUBLED)
    return package


def test_it_is_compiled_once_until_a_source_changes(own):
    """Also one that the kernel only imports, at which numba itself would not look."""
    assert said(started("kept")) == [42, 0]
    assert said(started("kept")) == [42, 1]
    (own / "factor.py").write_text("FACTOR = 3\n")
    assert said(started("kept")) == [63, 0]
    assert said(started("kept")) == [63, 1]


@pytest.mark.usefixtures("own")
def test_several_processes_may_compile_at_once():
    processes = [started("kept") for _ in range(3)]
    assert [said(process)[0] for process in processes] == [42] * 3
    assert said(started("kept")) == [42, 1]


def test_where_nothing_can_be_kept_it_is_compiled_every_time(own):
    Path("file").touch()
    for _ in range(2):
        assert said(started("file/kept")) == [42, 0]
    assert not list(own.rglob("*.nbi"))


# --- threads -----------------------------------------------------------------------------------


def test_a_crew_does_every_part_once_on_as_many_threads_as_it_has():
    done: list[tuple[int, int]] = []
    together = threading.Barrier(3, timeout=60)

    def part(i: int, thread: int) -> None:
        together.wait()
        done.append((i, thread))

    parts = [lambda thread, i=i: part(i, thread) for i in range(6)]
    Crew(3).do(parts, 3)
    assert sorted(i for i, _ in done) == [*range(6)]
    assert {thread for _, thread in done} == {0, 1, 2}


def test_what_a_part_raises_is_raised_and_the_crew_goes_on():
    crew, both = Crew(2), threading.Barrier(2, timeout=60)

    def fails(thread: int) -> None:
        both.wait()
        if thread == 1:
            raise ValueError("of a thread")

    with pytest.raises(ValueError, match="of a thread"):
        crew.do([fails, fails], 2)
    done: list[int] = []
    crew.do([lambda _: done.append(1)] * 5, 2)
    crew.do([], 2)
    assert len(done) == 5


def test_threads_end_with_their_crew():
    before = threading.active_count()
    crew = Crew(4)
    assert threading.active_count() == before + 3
    del crew
    gc.collect()
    deadline = time.monotonic() + 60
    while threading.active_count() > before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_lanes_that_are_not_wanted_are_not_computed(monkeypatch):
    model = library.model("gru_after", 9, 8)
    parameters, X, Y, state = problem(model, 3, 4, 5, seed=0, dtype=torch.float32)
    expected = [
        each.clone() for each in Compiled(1).loss_and_gradients(parameters, X, Y, state)[:1]
    ]
    trained: list[int] = []
    train = passes.train
    monkeypatch.setattr(
        passes,
        "train",
        lambda form, lanes, *more: trained.extend(lanes.tolist()) or train(form, lanes, *more),
    )
    wanted = torch.tensor([True, False, True])
    loss, _, _ = Compiled(1).loss_and_gradients(parameters, X, Y, state, wanted=wanted)
    assert trained == [0, 2]
    assert torch.equal(loss[wanted], expected[0][wanted])
    none = torch.zeros(3, dtype=torch.bool)
    Compiled(2).loss_and_gradients(parameters, X, Y, state, wanted=none)
    assert trained == [0, 2]
