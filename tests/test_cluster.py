"""Studies and jobs beyond one process: queues, clusters, machines that share a folder, ranks.

make test-cluster runs them; what needs submitit or Ray is skipped without it, and says so.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from commands import finish, start
from conftest import ROOT
from rnnlab._common.errors import ConfigError
from rnnlab.runs.folder import BEST, LAST, read_metrics
from rnnlab.runs.ownership import may_be_alive
from rnnlab.runs.result import Result
from rnnlab.studies.executors import backends
from rnnlab.studies.tasks import submitted

pytestmark = pytest.mark.cluster

STUDY = "-m lr=0.3,0.5,0.7,1 theta=1,5 seed=0,1,2 num_hiddens=32 dataset.max_tokens=8000".split()
STUDY += "batch_size=16 num_steps=20 checkpoint.every=50 log.sample_every=0 log.every=10".split()
EPOCHS = 400
SLURM = "backend=slurm hydra.launcher.slurm.cluster=local hydra.launcher.lanes=6".split()
FIGURES = ("epoch", "perplexity", "gradient_norm", "clipped_fraction", "loss")


def run(*arguments: str) -> tuple[int, str, str]:
    return finish(start(*arguments))


def rnnlab(*arguments: str) -> tuple[int, str, str]:
    return finish(start(*arguments, module=True))


def wait_for(happens: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def results(study: Path) -> dict[str, Result]:
    found = {path.parent: Result.find(path.parent) for path in study.glob("*/result.json")}
    return {folder.name: result for folder, result in found.items() if result}


def running(study: Path) -> list[Result]:
    return [result for result in results(study).values() if result.status == "running"]


def curves(study: Path) -> dict[str, list[tuple[float | None, ...]]]:
    """What each job has logged, but for times."""
    return {
        folder.name: [tuple(line.get(name) for name in FIGURES) for line in read_metrics(folder)]
        for folder in sorted(study.glob("*_*/"))
    }


def require_whole(study: Path, reference: Path, jobs: int = 24) -> None:
    """Every job has completed, once, with the reference's figures and weights, bit for bit."""
    assert [result.status for result in results(study).values()] == ["completed"] * jobs
    found, wanted = curves(study), curves(reference)
    assert found == wanted
    for curve in found.values():
        assert [line[0] for line in curve] == [
            *range(10, EPOCHS + 1, 10)
        ]  # none lost, none doubled
    for folder in sorted(study.glob("*_*/")):
        for name in (LAST, BEST):
            assert _tensors(folder / name) == _tensors(reference / folder.name / name)


def _tensors(path: Path) -> dict[str, bytes]:
    from safetensors.numpy import load_file

    return {name: value.tobytes() for name, value in load_file(path).items()}


def processes(study: Path) -> set[int]:
    return {result.process for result in running(study)}


def end_all(study: Path) -> None:
    """Whatever a failed test has left."""
    own = {result.process for result in results(study).values()}
    for task in submitted(study):
        kind, _, number = task.name.partition(" ")
        own |= {int(number)} if kind == "process" else set()
    for process in own - {os.getpid()}:
        cmdline = Path(f"/proc/{process}/cmdline")
        if cmdline.exists() and str(study).encode() in cmdline.read_bytes():
            os.kill(process, signal.SIGKILL)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The study as backend=local trains it."""
    study = tmp_path_factory.mktemp("reference") / "study"
    status, _, err = run(*STUDY, f"num_epochs={EPOCHS}", f"sweep={study}")
    assert (status, err) == (0, "")
    return study


@pytest.fixture
def study(tmp_path: Path) -> Iterator[Path]:
    yield Path("study")
    end_all(tmp_path / "study")


# --- a queue ---------------------------------------------------------------------------------


def test_a_study_in_a_queue_outlives_its_launcher_and_a_worker(reference, study):
    pytest.importorskip("submitit")
    words = [*STUDY, f"num_epochs={EPOCHS}", *SLURM, f"sweep={study}"]
    status, out, err = run(*words, "detach=true")
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert sum(line.startswith("process ") for line in lines) == 4  # its tasks
    assert lines[-2:] == [str(study), f"rnnlab status {study}"]
    wait_for(lambda: len(running(study)) == 24)
    status, out, _ = rnnlab("status", str(study))
    assert status == 0 and out.startswith(f"24 jobs in {study}: 24 running\n")
    killed = min(processes(study))
    lost = [result for result in running(study) if result.process == killed]
    os.kill(killed, signal.SIGKILL)
    wait_for(lambda: not any(map(may_be_alive, lost)))
    _, out, _ = rnnlab("status", str(study))
    assert "18 running" in out and "6 lost" in out
    assert f"lost process {killed} on " in out and f"go on with: rnnlab resume {study}" in out

    launcher = start("resume", str(study), module=True)  # takes up what trains
    wait_for(lambda: len(submitted(study)) == 5 and killed not in processes(study))
    launcher.send_signal(signal.SIGKILL)
    finish(launcher)
    assert len(processes(study)) == 4
    status, out, err = rnnlab("resume", str(study))
    assert (status, err) == (0, "")
    assert len(submitted(study)) == 5  # nothing was begun once more
    require_whole(study, reference)
    resumed = [len(result.resumed) for result in results(study).values()]
    assert sorted(resumed) == [0] * 18 + [1] * 6
    before = {path: path.stat().st_mtime_ns for path in study.glob("*/checkpoints/*")}
    assert rnnlab("resume", str(study))[0] == 0
    assert before == {path: path.stat().st_mtime_ns for path in study.glob("*/checkpoints/*")}
    _, out, _ = rnnlab("status", str(study))
    assert out.startswith(f"24 jobs in {study}: 24 completed\nbest: ")


@pytest.mark.parametrize("number", ["SIGUSR2", "SIGTERM"])
def test_a_task_that_is_warned_saves_and_is_queued_again(reference, study, number):
    pytest.importorskip("submitit")
    words = [*STUDY, f"num_epochs={EPOCHS}", *SLURM, f"sweep={study}"]
    launcher = start(*words)
    wait_for(lambda: len(running(study)) == 24)
    warned = min(processes(study))
    for _ in range(3):  # however often
        os.kill(warned, getattr(signal, number))
    wait_for(lambda: warned not in processes(study))
    status, _, err = finish(launcher)
    assert (status, err) == (0, "")
    require_whole(study, reference)
    resumed = [result.resumed for result in results(study).values() if result.resumed]
    assert len(resumed) == 6 and all(places[0]["exact"] for places in resumed)


def test_a_study_is_stopped_from_anywhere(reference, study):
    pytest.importorskip("submitit")
    words = [*STUDY, f"num_epochs={EPOCHS}", *SLURM, f"sweep={study}"]
    assert run(*words, "detach=true")[0] == 0
    wait_for(lambda: len(running(study)) == 24)
    _, out, _ = rnnlab("stop", str(study))
    assert out == "asked 24 of 24 jobs to save and end\n"
    wait_for(lambda: not processes(study))
    assert {result.status for result in results(study).values()} == {"interrupted"}
    assert "24 waiting" in rnnlab("status", str(study))[1]
    wait_for(lambda: rnnlab("stop", str(study))[1] == f"nobody trains in {study}\n")
    assert rnnlab("resume", str(study))[0] == 0
    require_whole(study, reference)


def test_a_local_study_goes_on_in_the_background(reference, study):
    status, out, err = run(*STUDY, f"num_epochs={EPOCHS}", f"sweep={study}", "detach=true")
    assert (status, err) == (0, "")
    launcher = int(out.split("process ")[1].split()[0])
    wait_for(lambda: len(running(study)) > 0)
    assert "running" in rnnlab("status", str(study))[1]
    status, _, err = rnnlab("resume", str(study))
    assert status == 2 and "is in use: another study trains there" in err
    assert rnnlab("stop", str(study))[0] == 0
    wait_for(lambda: not Path(f"/proc/{launcher}").exists())
    assert {result.status for result in results(study).values()} <= {"interrupted", "completed"}
    assert run(f"resume={study}", "detach=true")[0] == 0
    wait_for(lambda: "24 completed" in rnnlab("status", str(study))[1], 200)
    wait_for(lambda: "best: " in (study / "study.log").read_text())
    require_whole(study, reference)


def test_what_a_backend_needs_is_said(monkeypatch, study):
    for backend, package in (("slurm", "submitit>=1.5.4,<2"), ("ray", "ray>=2.50,<3")):
        name = package.partition(">")[0]
        monkeypatch.setattr(backends, "find_spec", lambda _: None)
        with pytest.raises(ConfigError) as caught:
            backends.require_backend(backend)
        wanted = f"backend={backend} needs {name}: type pip install '{package}'"
        assert str(caught.value) == wanted
    backends.require_backend("local")
    status, _, err = run(*STUDY, "backend=slurms", f"sweep={study}")
    assert (status, study.exists()) == (2, False)
    assert err == "backend=slurms is not allowed: backend is one of local, slurm, ray.\n"
    status, _, err = run(*STUDY, "hydra.launcher.backend=cloud", f"sweep={study}")
    assert (status, study.exists()) == (2, False)
    assert err == ("hydra.launcher.backend=cloud is not allowed: it is one of local, slurm, ray.\n")


# --- Ray -------------------------------------------------------------------------------------


def listening_beyond_loopback() -> set[str]:
    found = set()
    for name in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]:
            _, local, _, state, *_ = line.split()
            address = local.split(":")[0]
            inside = address.endswith("0100007F") or address == "0" * 24 + "01000000"
            if state == "0A" and not inside:
                found.add(local)
    return found


def test_a_study_on_ray_outlives_a_node(reference, study):
    before = listening_beyond_loopback()
    pytest.importorskip("ray")
    code = RAY.format(words=[*STUDY, f"num_epochs={EPOCHS}", f"sweep={study}"], root=str(ROOT))
    loopback = {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=400,
        env=os.environ | loopback,  # or Ray looks for this machine's address in the network
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["status"] == 0 and told["ended"]
    assert not {*told["listening"]} - before
    require_whole(study, reference)
    resumed = [len(result.resumed) for result in results(study).values()]
    assert sorted(resumed) == [0] * 12 + [1] * 12


RAY = """
import json, subprocess, sys, time
from pathlib import Path
sys.path[:0] = ["{root}/tests", "{root}/src"]
from test_cluster import curves, listening_beyond_loopback, processes, running
from ray.cluster_utils import Cluster

own = dict(node_ip_address="127.0.0.1", num_cpus=2, object_store_memory=80 << 20)
cluster = Cluster(initialize_head=True, head_node_args=dict(own, include_dashboard=False))
other = cluster.add_node(**own)
cluster.wait_for_nodes()
words = {words!r}
study = Path(words[-1].partition("=")[2])
more = ["backend=ray", f"hydra.launcher.ray.address={{cluster.address}}", "hydra.launcher.lanes=6"]
launcher = subprocess.Popen([sys.executable, "{root}/run.py", *words, *more])
while len(running(study)) < 24 or min(map(len, curves(study).values())) < 8:
    time.sleep(0.2)  # until all have a checkpoint
listening, before = listening_beyond_loopback(), processes(study)
cluster.remove_node(other)
status = launcher.wait()
ended = before - processes(study)
cluster.shutdown()
print(json.dumps(dict(status=status, ended=[*ended], listening=[*listening])))
"""


# --- two that both believe to own a folder ---------------------------------------------------


BLIND = """
import contextlib, sys
from pathlib import Path
import rnnlab.runs.folder as folder
folder.locked = lambda *_: contextlib.nullcontext()  # as on a file system whose locks nobody sees
from rnnlab.config.compose import compose
from rnnlab.runs.preflight import Corpora
from rnnlab.runs.resume import train_stack
words = sys.argv[2:]
config = compose(words)
result, = train_stack({Path(sys.argv[1]): config}, Corpora(), [])
print(result.status, result.error)
"""


def test_of_two_that_own_a_folder_the_older_one_ends(tmp_path):
    words = "size=tiny num_epochs=600 checkpoint.every=7 device=cpu".split()
    whole, folder = tmp_path / "whole", tmp_path / "run"

    def begin(folder: Path) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", BLIND, str(folder), *words]
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    older = begin(folder)
    wait_for(lambda: len([*read_metrics(folder)]) > 30)
    newer = begin(folder)
    said, complaint = older.communicate(timeout=120)
    assert said.splitlines()[-1].startswith("interrupted process "), complaint
    assert f"trains {folder} now; this process leaves it alone" in complaint
    said, complaint = newer.communicate(timeout=120)
    assert said.splitlines()[-1] == "completed None", complaint
    begin(whole).communicate(timeout=120)
    names = ("epoch", "perplexity", "gradient_norm")
    found, wanted = (
        [[line[name] for name in names if name in line] for line in read_metrics(place)]
        for place in (folder, whole)
    )
    assert found == wanted and len(found) == 600
    result = Result.read(folder)
    assert (result.status, result.process, len(result.resumed)) == ("completed", newer.pid, 1)
    assert result.resumed[0]["exact"]


# --- ranks -----------------------------------------------------------------------------------


def torchrun(number: int, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={number}"]
    command += ["--rdzv-backend=c10d", "--rdzv-endpoint=127.0.0.1:0", str(ROOT / "run.py")]
    return subprocess.Popen(
        [*command, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )


RANKED = "size=small checkpoint.every=2 device=cpu batch_size=10 dataset.val_fraction=0.1".split()


@pytest.mark.parametrize(
    "words",
    [
        ["sampler=sequential", "model=rnn"],
        ["sampler=random", "model=lstm", "num_layers=2", "model.dropout=0.2", "optimizer=adam"],
    ],
)
def test_two_processes_have_the_curve_of_one(tmp_path, words):
    words = [*RANKED, *words, "num_epochs=5", "log.every_minibatches=1"]
    status, _, err = run(*words, "hydra.run.dir=one")
    assert (status, err) == (0, "")
    _, err = torchrun(2, *words, "hydra.run.dir=two").communicate(timeout=200)
    assert Result.read(Path("two")).status == "completed", err
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()].count("two") == 1
    for log in ("minibatches.jsonl", "metrics.jsonl"):
        one, two = ([*read_metrics(Path(name), log)] for name in ("one", "two"))
        assert len(one) == len(two) >= 5
        for a, b in zip(one, two, strict=True):
            assert b["perplexity"] == pytest.approx(a["perplexity"], rel=1e-5)
    assert Result.read(Path("two")).host["ranks"] == 2
    # and goes on with another number of processes
    torchrun(3, "resume=two", "num_epochs=7").communicate(timeout=200)
    assert run("resume=one", "num_epochs=7")[0] == 0
    one, two = ([*read_metrics(Path(name))] for name in ("one", "two"))
    assert [line["epoch"] for line in two] == [*range(1, 8)]
    assert two[-1]["perplexity"] == pytest.approx(one[-1]["perplexity"], rel=1e-5)
    (place,) = Result.read(Path("two")).resumed
    assert place["exact"] is False and Result.read(Path("two")).host["ranks"] == 3


def test_processes_stop_early_together():
    words = [*RANKED, "lr=0", "num_epochs=50", "log.val_every=1", "stop.patience=2"]
    job = torchrun(2, *words, "hydra.run.dir=run")
    _, err = job.communicate(timeout=200)
    result = Result.read(Path("run"))
    assert (result.status, result.epochs, job.returncode) == ("completed", 3, 0), err
    assert result.stopped == "val_perplexity had not improved for 2 evaluations"
    job = torchrun(2, "resume=run", "stop.patience=4")
    _, err = job.communicate(timeout=200)
    result = Result.read(Path("run"))
    assert (result.status, result.epochs, job.returncode) == ("completed", 5, 0), err


def test_a_rank_that_dies_leaves_a_checkpoint_and_a_sentence():
    words = [*RANKED, "num_epochs=3000", "hydra.run.dir=run"]
    job = torchrun(2, *words)
    wait_for(lambda: len([*read_metrics(Path("run"))]) > 5)
    first = Result.read(Path("run")).process
    children = Path(f"/proc/{job.pid}/task/{job.pid}/children").read_text().split()
    (other,) = {int(child) for child in children} - {first}
    os.kill(other, signal.SIGKILL)
    job.communicate(timeout=100)
    result = Result.read(Path("run"))
    assert result.status == "interrupted"
    assert result.error == "one of the job's 2 processes has ended"
    epochs = len([*read_metrics(Path("run"))])
    assert run("resume=run", f"num_epochs={epochs + 3}")[0] == 0
    assert [line["epoch"] for line in read_metrics(Path("run"))] == [*range(1, epochs + 4)]


def test_ranks_are_for_one_job():
    _, err = torchrun(2, *STUDY).communicate(timeout=100)
    assert "-m under torchrun is not allowed: it trains one job, and no study" in err
