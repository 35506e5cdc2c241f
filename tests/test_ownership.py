"""Who trains a folder, and what becomes of those who do not any more."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import torch

from rnnlab._common.errors import ConfigError
from rnnlab._common.machine import is_alive
from rnnlab.runs import ownership
from rnnlab.runs import stack as experiment
from rnnlab.runs.composed import Composed
from rnnlab.runs.folder import read_metrics
from rnnlab.runs.ownership import LostError, Owner, may_be_alive, take_over
from rnnlab.runs.result import Result, Status
from rnnlab.studies.executors import Task, worker
from rnnlab.studies.executors.slurm import state_of
from rnnlab.studies.status import described, stop
from rnnlab.studies.tasks import note, submitted
from rnnlab.training.loop import Training

TINY = ["size=tiny", "num_epochs=4", "dataset.max_tokens=3000", "checkpoint.every=1"]


@pytest.fixture
def gone() -> int:
    """A process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def running(folder: Path, process: int, host: str, seconds: float) -> Result:
    """As it would be of a run that gave a sign of life so long ago."""
    beat = datetime.now().astimezone() - timedelta(seconds=seconds)
    result = replace(Result.read(folder), status=Status.running, process=process)
    result.host["name"], result.heartbeat = host, beat.isoformat()
    return result


def test_who_may_be_alive(compose, gone):
    folder, here = Path("run"), platform.node()
    assert not may_be_alive(experiment.run(compose(*TINY), folder))
    assert may_be_alive(running(folder, os.getpid(), here, 5))
    assert not may_be_alive(running(folder, gone, here, 5))
    assert may_be_alive(running(folder, gone, "elsewhere", 5))
    assert not may_be_alive(running(folder, gone, "elsewhere", 61))
    assert may_be_alive(running(folder, gone, "elsewhere", -30))  # its clock goes before
    for strange in ("", "yesterday", "2026-01-01"):
        result = running(folder, gone, "elsewhere", 5)
        result.heartbeat = strange
        assert not may_be_alive(result)
    assert (is_alive(os.getpid()), is_alive(gone)) == (True, False)


def test_an_owner_notices_another_ones_mark_and_no_other_change(compose):
    folder = Path("run")
    result = experiment.run(compose(*TINY), folder)
    first, second = Owner(folder), Owner(folder)
    first.require()  # nothing was claimed yet
    for owner in (first, second, first):
        owner.sign(result)
        result.write(folder)
        owner.wrote()
        owner.require()
    first.sign(result)
    result.write(folder)  # by itself, unseen
    first.require()
    with pytest.raises(LostError, match=f"process {os.getpid()} on .* trains run now"):
        second.require()
    assert (first.is_lost, second.is_lost) == (False, True)
    (folder / "result.json").unlink()
    first.require()  # where it is gone, writing says so


def test_a_former_owner_that_may_be_alive_is_told_and_waited_for(compose, gone, monkeypatch):
    waited = []
    monkeypatch.setattr(ownership.time, "sleep", waited.append)
    folder = Path("run")
    experiment.run(compose(*TINY), folder)
    for host, waits in ((platform.node(), []), ("elsewhere", [2.0])):
        running(folder, gone, host, 5).write(folder)
        before = Result.read(folder).owner
        take_over([folder, Path("new")])
        assert (waited, Result.read(folder).owner == before) == (waits, not waits)


def test_a_stack_that_does_not_fit_trains_in_parts_that_do(compose, monkeypatch):
    """And comes to what each comes to alone."""
    step = Training._step

    def fits(self: Training, *inputs: torch.Tensor) -> None:
        if len(self.lanes) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        step(self, *inputs)

    monkeypatch.setattr(Training, "_step", fits)
    configs = {Path(f"{k}"): compose(*TINY, f"seed={k}") for k in range(5)}
    assert worker.train(Task(configs))
    for folder, config in configs.items():
        assert Result.read(folder).status == "completed"
        experiment.run(config, Path(f"alone-{folder}"))
        found, wanted = (
            [line["perplexity"] for line in read_metrics(place)]
            for place in (folder, Path(f"alone-{folder}"))
        )
        assert found == wanted and len(found) == 4


def test_the_status_of_a_study_is_what_its_folders_say(compose, gone):
    study = Path("S")
    for number in range(5):
        Composed([f"seed={number}"]).save(study / f"{number}_seed={number}")
    done, lost, elsewhere, failed, _ = sorted(study.iterdir())
    for folder in (done, lost, elsewhere, failed):
        experiment.run(compose(*TINY), folder)
    running(lost, gone, platform.node(), 70).write(lost)
    running(elsewhere, 7, "other", 3).write(elsewhere)
    replace(Result.read(failed), status=Status.failed, error="no").write(failed)
    note(study, "process 999999999", [elsewhere])
    first, *groups, best, advice = described(study)
    assert first == "5 jobs in S: 1 completed, 1 lost, 1 running, 1 failed, 1 waiting"
    assert groups == [
        f"lost process {gone} on {platform.node()}: job 1, epoch 4 of 4, seen 70 s ago",
        "running process 7 on other: job 2, epoch 4 of 4, seen 3 s ago",
        "waiting: job 4",
    ]
    assert best.startswith("best so far: training perplexity ")
    assert advice == "go on with: rnnlab resume S"
    assert stop(study) == "asked 1 of 5 jobs to save and end"
    assert (study / worker.STOP).exists() and worker.stop_asked_in(study)()
    with pytest.raises(ConfigError, match="the status of T is not allowed: no job was begun there"):
        [*described(Path("T"))]
    assert [task.folders for task in submitted(study)] == [(elsewhere,)]


@pytest.mark.parametrize("line", [b"{", b"[]", b'{"task": 1, "folders": []}', b'{"task": "x"}'])
def test_a_line_of_tasks_that_is_none_is_passed_over(line):
    Path("tasks.jsonl").write_bytes(line + b'\n{"task": "slurm 1", "folders": ["a"]}\n')
    assert [task.name for task in submitted(Path())] == ["slurm 1"]


def test_names_of_tasks_ask_no_other_program():
    for name in ("slurm 1; rm", "process x", "slurm --help", "other 1", ""):
        assert state_of(name, Path()) == ""
