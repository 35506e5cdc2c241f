"""What differs between systems, Pythons and GPUs; elsewhere/sitecustomize.py makes other ones."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import hydra
import pytest
import torch

from commands import finish, run, start
from conftest import ROOT
from rnnlab._common import files, machine
from rnnlab._common.errors import ConfigError
from rnnlab.cli.answers import answering
from rnnlab.runs import stack, surroundings
from rnnlab.runs.checkpoint import load_checkpoint
from rnnlab.runs.folder import LAST
from rnnlab.runs.needs import lane_bytes
from rnnlab.runs.result import Result
from rnnlab.studies import launch
from rnnlab.studies.executors import gpus, local

SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "dataset.max_tokens=600"]
SMALL += ["log.sample_length=5"]


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """elsewhere("windows"): commands that are started from now on run there."""
    paths = [ROOT / "tests" / "elsewhere", *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(map(str, paths)))
    return lambda where: monkeypatch.setenv("ELSEWHERE", where)


# --- other Pythons, other systems -------------------------------------------------------------


# Hydra 1.4 knows Python 3.14 by its version, which cannot be pretended
PYTHON_3_14 = "python3.14" if hydra.__version__.startswith("1.3") else ""


@pytest.mark.skipif(not PYTHON_3_14, reason="Hydra 1.4 knows Python 3.14 by its version")
def test_python_3_14_reads_every_help_text_when_it_is_given(elsewhere):
    elsewhere(PYTHON_3_14)
    assert run("--help")[0] == 0
    assert "Install or Uninstall shell completion" in run("--hydra-help")[1]
    said = "num_hidens is not a name in the config: did you mean num_hiddens"
    for road in (["num_hidens=1"], ["-m", "num_hidens=1,2"]):
        status, _, err = run(*road)
        assert (status, err[: len(said)]) == (2, said)
    assert run("train", *SMALL, "num_epochs=1", "hydra.run.dir=run", module=True)[0] == 0
    assert run("resume", "run", "num_epochs=2", module=True)[0] == 0
    assert Result.read(Path("run")).epochs == 2


def test_what_hydra_says_of_a_command_line_is_an_answer_and_a_bug_is_not():
    assert run("--resolve")[0] == 2
    with pytest.raises(ValueError, match="badly formed help string"), answering([]):
        raise ValueError("badly formed help string")


def test_a_study_trains_stops_and_goes_on_without_signals_sessions_and_fork(elsewhere):
    """As on Windows; and what is spawned imports nothing from the current folder."""
    elsewhere(f"windows {PYTHON_3_14}")
    for name in ("random", "json", "signal", "torch"):
        Path(f"{name}.py").write_text("open('RAN', 'w').close()\nraise RuntimeError('run')\n")
    study = ["-m", "hydra.launcher.workers=2", *SMALL, "lr=0.3,1", "num_epochs=400", "sweep=S"]
    process = start(*study)
    logs = [Path("S", name, "metrics.jsonl") for name in ("0_lr=0.3", "1_lr=1")]
    while not all(log.exists() and log.stat().st_size for log in logs):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    assert finish(process)[0] == 130
    found = [Result.read(log.parent) for log in logs]
    assert [result.status for result in found] == ["interrupted"] * 2
    assert len({result.process for result in found}) == 2
    status, _, err = run("resume=S")
    assert (status, err) == (0, "")
    found = [Result.read(log.parent) for log in logs]
    assert [(r.status, r.epochs) for r in found] == [("completed", 400)] * 2
    assert not Path("RAN").exists()


def test_processes_are_forked_from_a_server_only_where_that_is_safe(monkeypatch):
    for methods, platform, method in (
        (["fork", "spawn", "forkserver"], "linux", "forkserver"),
        (["spawn", "fork", "forkserver"], "darwin", "spawn"),
        (["spawn"], "win32", "spawn"),
    ):
        monkeypatch.setattr(multiprocessing, "get_all_start_methods", lambda m=methods: m)
        monkeypatch.setattr(sys, "platform", platform)
        assert machine.start_method() == method


def test_a_file_that_another_process_reads_is_replaced_when_that_ends(monkeypatch):
    """Windows refuses meanwhile."""
    replace, refusals = Path.replace, iter([PermissionError, PermissionError])

    def refusing(path: Path, target: Path) -> Path:
        for refusal in refusals:
            raise refusal
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", refusing)
    monkeypatch.setattr(files, "PATIENCE", 5)
    files.write_whole(Path(), "result.json", "new")
    assert Path("result.json").read_text() == "new"
    monkeypatch.setattr(files, "PATIENCE", 0)
    refusals = iter([PermissionError])
    with pytest.raises(PermissionError):
        files.write_whole(Path(), "result.json", "newer")
    assert [path.name for path in Path().iterdir()] == ["result.json"]


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="says what is mapped, on Linux")
def test_a_checkpoint_that_was_read_is_not_mapped_into_memory(compose):
    """Windows would let nobody replace it, and a run that goes on could not save."""
    stack.run(compose(*SMALL, "num_epochs=1"), Path("run"))
    checkpoint = load_checkpoint(Path("run"), LAST)
    assert checkpoint.training
    assert str(Path("run", LAST)) not in Path("/proc/self/maps").read_text()


# --- cores ------------------------------------------------------------------------------------


@pytest.fixture
def sixteen_cores(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """In no control group."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {*range(16)}, raising=False)
    monkeypatch.setattr(machine, "GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(machine, "LIMITS", tmp_path / "limits")


def limit(group: str, name: str, text: str) -> None:
    folder = machine.LIMITS / group
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


@pytest.mark.usefixtures("sixteen_cores")
def test_a_system_without_affinity_has_all_its_cores(monkeypatch):
    assert machine.cores() == 16
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.delattr(os, "sched_getaffinity")
    assert machine.cores() == 8
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert machine.cores() == 1


@pytest.mark.usefixtures("sixteen_cores")
@pytest.mark.parametrize(
    ("own", "parent", "found"),
    [
        ("max 100000", None, 16),
        ("200000 100000", None, 2),
        ("150000 100000", None, 2),  # rounded up
        ("1000 100000", None, 1),
        ("9900000 100000", None, 16),  # more than there are
        ("max 100000", "300000 100000", 3),  # the parent's binds too
        ("400000 100000", "300000 100000", 3),
        ("nonsense", "", 16),
    ],
)
def test_a_containers_quota_counts(own, parent, found):
    machine.GROUPS.write_text("0::/slice/job\n")
    limit("slice/job", "cpu.max", own)
    if parent is not None:
        limit("slice", "cpu.max", parent)
    assert machine.cores() == found


@pytest.mark.usefixtures("sixteen_cores")
@pytest.mark.parametrize(
    ("quota", "group", "found"),
    [("250000", "docker/x", 3), ("-1", "docker/x", 16), ("250000", "", 3), ("50000", "", 1)],
)
def test_the_older_quotas_count_wherever_the_container_shows_them(quota, group, found):
    """Inside a container its own group may be the root of what can be seen."""
    machine.GROUPS.write_text("12:memory:/docker/x\n4:cpu,cpuacct:/docker/x\n0::/\n")
    limit(f"cpu/{group}", "cpu.cfs_quota_us", quota)
    limit(f"cpu/{group}", "cpu.cfs_period_us", "100000")
    assert machine.cores() == found


def test_torch_has_no_more_threads_than_cores(compose, monkeypatch):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(8)
        monkeypatch.setattr(surroundings, "cores", lambda: 3)
        result = stack.run(compose(*SMALL, "num_epochs=1"), Path("run"))
        assert result.host["threads"] == torch.get_num_threads() == 3
        torch.set_num_threads(2)  # what a user set stays
        surroundings.stay_within_cores()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


# --- GPUs -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("version", "knows"),
    [
        ("__version__ = '2.13.0+cpu'\ncuda = None\nhip = None\n", False),
        ("__version__ = '2.13.0'\ncuda: str = '13.0'\nhip = None\n", True),
        ("__version__ = '2.13.0+rocm7.1'\ncuda = None\nhip = '7.1'\n", True),
    ],
)
def test_whether_torch_knows_gpus_is_read_where_it_was_built(monkeypatch, version, knows):
    Path("version.py").write_text(version)
    spec = SimpleNamespace(origin=str(Path("__init__.py").absolute()))
    monkeypatch.setattr(gpus, "find_spec", lambda name: spec)
    monkeypatch.setattr(gpus, "_ask", lambda: {0: 1})
    assert bool(gpus.gpus_for({"auto"})) is knows


def test_torch_is_asked_in_another_process():
    assert set(gpus._ask()) == {*range(torch.cuda.device_count())}


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpus, "_torch_knows_gpus", lambda: True)
    monkeypatch.setattr(gpus, "_ask", lambda: {0: 3000, 1: 2000})


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("devices", "found"),
    [
        ({"auto"}, {0, 1}),
        ({"cuda"}, {0, 1}),
        ({"cuda:1"}, {1}),
        ({"cuda:1", "cpu"}, {1}),
        ({"cuda:1", "auto"}, {0, 1}),
        ({"cpu"}, set()),
    ],
)
def test_a_study_has_the_gpus_that_its_jobs_may_have(devices, found):
    assert set(gpus.gpus_for(devices)) == found


def test_a_gpu_that_torch_cannot_use_is_said(monkeypatch):
    def fails(gpu: int) -> None:
        raise RuntimeError(f"the driver of {gpu} is too old")

    def begin(work: Callable[[object], None]) -> tuple[None, object]:
        answers: list[object] = []
        work(SimpleNamespace(send=answers.append))
        return None, SimpleNamespace(recv=answers.pop)

    monkeypatch.setattr(gpus, "begin", begin)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "mem_get_info", fails)
    with pytest.raises(ConfigError, match=r"the driver of 0 is too old.*device=cpu"):
        gpus._ask()


@pytest.mark.usefixtures("two_gpus")
def test_each_gpu_has_a_worker_and_stacks_as_large_as_the_smaller_one(compose, monkeypatch):
    def workers(asked: int | None, *given: str) -> tuple[int, tuple[int, ...], int | None]:
        jobs = [SimpleNamespace(config=compose(*given))]
        room = launch._room(
            SimpleNamespace(workers=asked, backend="local", lanes=None),  # pyrefly: ignore
            SimpleNamespace(wanted=jobs),  # pyrefly: ignore
        )
        return room.workers, room.gpus, room.gpu_bytes

    monkeypatch.setattr(launch, "cores", lambda: 16)
    assert workers(None) == (2, (0, 1), 1800)
    assert workers(3) == (3, (0, 1), 900)  # two share one
    assert workers(None, "device=cuda:1") == (1, (1,), 1800)
    assert workers(None, "device=cpu") == (16, (), None)
    assert workers(5, "device=cpu") == (5, (), None)


def test_a_worker_takes_the_gpu_that_no_other_one_has(monkeypatch):
    monkeypatch.setattr(local, "begin", lambda *given: (SimpleNamespace(exitcode=None), None))
    executor, task = local.Local(slots=2, gpus=(0, 1)), SimpleNamespace()
    first, second = executor.start(task), executor.start(task)  # pyrefly: ignore
    assert [first.gpu, second.gpu] == [0, 1]
    second.process.exitcode = -9  # pyrefly: ignore
    assert executor.start(task).gpu == 1  # pyrefly: ignore
    assert local.Local(slots=2).start(task).gpu is None  # pyrefly: ignore


def test_a_device_is_the_process_own_gpu_by_its_number(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 1)
    names = ["auto", "cuda", "cuda:0", "cpu"]
    devices = [str(surroundings.resolve_device(name)) for name in names]
    assert devices == ["cuda:1", "cuda:1", "cuda:0", "cpu"]
    with pytest.raises(ConfigError, match="device=cuda:2"):
        surroundings.resolve_device("cuda:2")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    assert str(surroundings.resolve_device("auto")) == "cpu"


@pytest.mark.parametrize("engine", ["fused", "eager", "torch_nn"])
def test_a_lane_in_fp64_needs_twice_the_memory(compose, engine):
    for device in ("cpu", "cuda"):
        sizes = [
            lane_bytes(compose(f"precision={name}", f"engine={engine}"), 28, device)
            for name in ("fp32", "fp64")
        ]
        assert sizes[1] == 2 * sizes[0]
