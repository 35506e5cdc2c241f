"""A run that was stopped, in whatever way, goes on as if it had not been."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from itertools import count
from pathlib import Path

import pytest

from conftest import ROOT
from rnnlab._common.errors import ConfigError
from rnnlab.nn.engines.threads import torch_threads
from rnnlab.runs import resume as resuming
from rnnlab.runs import stack
from rnnlab.runs import stack as experiment
from rnnlab.runs.checkpoint import load_checkpoint
from rnnlab.runs.differences import differences
from rnnlab.runs.events import read_numbers
from rnnlab.runs.folder import LAST, METRICS, MINIBATCHES, NEXT, held, read_metrics
from rnnlab.runs.result import Result
from rnnlab.studies.verify import verify
from rnnlab.training.loop import Training

SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "num_epochs=6", "log.sample_length=5"]
SMALL += ["dataset.max_tokens=600", "dataset.val_fraction=0.1", "log.val_every=2"]
SMALL += ["checkpoint.seconds=0", "log.sample_every=2"]


def train(config, name: str) -> Path:
    folder = Path(name)
    folder.mkdir()
    experiment.run(config, folder)
    return folder


@pytest.mark.parametrize("sampler", ["sequential", "random"])
@pytest.mark.parametrize(
    "choice",
    [
        ["model=rnn", "optimizer=momentum"],
        ["model=lstm", "optimizer=adamw", "engine=fused", "num_layers=2", "model.dropout=0.3"],
        ["model=gru", "optimizer=rmsprop", "precision=fp64"],
        ["model=lstm", "engine=torch_nn", "optimizer=torch", "optimizer.algorithm=NAdam"],
        ["engine=eager", "optimizer=torch", "optimizer.algorithm=Adafactor", "precision=bf16"],
        ["instruments=[gradient_lag,gates,gradient_norm]", "log.inspect_every=2"],
    ],
)
def test_stopped_in_the_middle_of_an_epoch_it_goes_on_bit_for_bit(
    compose, stop_after, choice, sampler
):
    config = compose(*SMALL, *choice, f"sampler={sampler}")
    whole = train(config, "whole")
    stop_after(17)  # of 13 minibatches or so an epoch
    stopped = train(config, "stopped")
    assert Result.read(stopped).status == "interrupted"
    assert list(differences(whole, stopped)) != []
    progress = load_checkpoint(stopped, LAST).progress
    assert progress
    assert progress.minibatch > 0
    stop_after(13)
    assert resuming.resume(stopped, {}).status == "interrupted"
    stop_after(float("inf"))
    result = resuming.resume(stopped, {})
    assert result.status == "completed"
    assert [place["exact"] for place in result.resumed] == [True, True]
    assert list(differences(whole, stopped)) == []


def test_figures_within_an_epoch_are_logged_once_for_each_step(compose, stop_after):
    """Two lanes with steps of their own, stopped where a figure is due, before it and after."""
    more = [["log.every_minibatches=4"], ["log.every_minibatches=3", "seed=2"], ["seed=3"]]
    configs = [compose(*SMALL, "num_epochs=2", *own) for own in more]
    whole, folders = ([Path(f"{name}{k}") for k in range(3)] for name in ("whole", "run"))
    experiment.run_stack(configs, whole)
    stop_after(8)
    experiment.run_stack(configs, folders)
    for minibatches in (1, 3, 9, float("inf")):
        stop_after(minibatches)
        resuming.resume_stack(folders)
    for one, other in zip(whole, folders, strict=True):
        assert list(differences(one, other)) == []
    lines = [[*read_metrics(folder, MINIBATCHES)] for folder in folders]
    ends = [line["updates"] for line in read_metrics(folders[0])]
    for own, every in zip(lines, (4, 3), strict=False):
        steps = [range(every, M, every) for M in ends]
        assert [line["updates"] for line in own] == [i for epoch in steps for i in epoch]
        assert [line["minibatch"] for line in own] == [
            before + i for before, epoch in zip((0, ends[0]), steps, strict=True) for i in epoch
        ]
    assert not (folders[2] / MINIBATCHES).exists()
    shown = [(step, tag, value) for step, tag, value in read_numbers(folders[0])]
    running = [(step, value) for step, tag, (value,) in shown if tag == "within_epoch/perplexity"]
    assert running == [
        (line["minibatch"], pytest.approx(line["perplexity"], rel=1e-6)) for line in lines[0]
    ]


def test_a_figure_within_an_epoch_is_of_its_minibatches_so_far(compose):
    """What the epoch's own figure is, had it only so many minibatches."""
    logged = train(compose(*SMALL, "num_epochs=1", "log.every_minibatches=5"), "logged")
    short = train(compose(*SMALL, "num_epochs=1", "max_minibatches=10"), "short")
    _, line = read_metrics(logged, MINIBATCHES)
    (epoch,) = read_metrics(short)
    for name in ("perplexity", "loss", "tokens", "updates", "gradient_norm", "clipped_fraction"):
        assert line[name] == epoch[name]


def test_a_log_within_epochs_outlives_a_run_that_goes_on_without(compose, stop_after):
    stop_after(9)
    folder = train(compose(*SMALL, "log.every_minibatches=2"), "run")
    for _ in range(2):
        stop_after(9)
        resuming.resume(folder, {"log.every_minibatches": None})
    assert [line["minibatch"] for line in read_metrics(folder, MINIBATCHES)] == [2, 4, 6, 8]


def test_nothing_is_asked_of_the_device_within_an_epoch_that_nobody_looks_at(compose, monkeypatch):
    def asked(*_):
        raise AssertionError

    monkeypatch.setattr(Training, "so_far", asked)
    monkeypatch.setattr(stack, "LOOK_SECONDS", -1.0)
    configs = [compose(*SMALL, f"seed={seed}") for seed in range(2)]
    experiment.run_stack(configs, [Path("a"), Path("b")])
    with pytest.raises(AssertionError):
        train(configs[0], "alone")
    monkeypatch.setattr(stack, "LOOK_SECONDS", 60.0)
    train(configs[0], "quick")


def test_a_longer_run_goes_on_from_a_shorter_one(compose):
    longer = train(compose(*SMALL, "num_epochs=8"), "longer")
    shorter = train(compose(*SMALL, "num_epochs=4"), "shorter")
    resuming.resume(shorter, {"num_epochs": 8})
    assert list(differences(longer, shorter)) == []


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"lr": 2}, "lr: 1.0 -> 2.0"),
        ({"optimizer.nonsense": 2}, "a run has no such value to change"),
        ({"optimizer": "adam"}, "a run has no such value to change"),
        ({"num_epochs": 2}, "has completed 6 epochs"),
        ({"num_epochs": "many"}, "num_epochs"),
        ({"dataset.max_tokens": 500}, "dataset.max_tokens: 600 -> 500"),
    ],
)
def test_a_change_of_the_experiment_is_refused_and_touches_nothing(compose, change, sentence):
    folder = train(compose(*SMALL), "run")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match=sentence):
        resuming.resume(folder, change)
    after = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert after == before


def test_another_text_under_the_same_name_is_refused(compose):
    Path("text.txt").write_text("it was a fine day, said the traveller. " * 40)
    folder = train(compose(*SMALL, "dataset=text", "dataset.path=text.txt"), "run")
    Path("text.txt").write_text("it was a bad day, said the traveller. " * 40)
    with pytest.raises(ConfigError, match="the text: sha256"):
        resuming.resume(folder, {"num_epochs": 9})


@pytest.mark.parametrize(("engine", "exact"), [("compiled", True), ("fused", False)])
def test_only_compiled_bits_do_not_depend_on_threads(
    compose, stop_after, monkeypatch, engine, exact
):
    """Of a minibatch that is cut into blocks of rows, by one thread and by two."""
    if engine == "compiled":
        pytest.importorskip("numba")
        monkeypatch.setattr("rnnlab.nn.engines.compiled.network.WORTH_SHARING", 0)
    sizes = ["num_hiddens=40", "batch_size=20", "optimizer=adam", "dataset.val_fraction=0.1"]
    config = compose(*SMALL, *sizes, "num_steps=5", f"engine={engine}")
    with torch_threads(1):
        whole = train(config, "whole")
    stop_after(9)
    with torch_threads(2):
        stopped = train(config, "stopped")
        assert Result.read(stopped).status == "interrupted"
    stop_after(float("inf"))
    with torch_threads(1):
        result = resuming.resume(stopped, {})
    assert [place["exact"] for place in result.resumed] == [exact]
    if exact:
        assert list(differences(whole, stopped)) == []


def test_another_engine_goes_on_to_rounding_and_says_so(compose, stop_after, capsys):
    config = compose(*SMALL, "precision=fp64")
    whole = train(config, "whole")
    stop_after(17)
    stopped = train(config, "stopped")
    stop_after(float("inf"))
    result = resuming.resume(stopped, {"engine": "eager"})
    assert "equal to rounding, not bit for bit" in capsys.readouterr().out
    assert result.resumed[0]["exact"] is False
    assert result.perplexity == pytest.approx(Result.read(whole).perplexity, rel=1e-9)


def test_a_run_that_has_ended_is_left_as_it_is(compose):
    folder = train(compose(*SMALL), "run")
    before = (folder / METRICS).read_bytes()
    assert resuming.resume(folder, {}).status == "completed"
    assert (folder / METRICS).read_bytes() == before


def test_logs_beyond_the_checkpoint_are_cut_back(compose, stop_after):
    """As after a kill between two checkpoints: lines, samples and events of the lost stretch."""
    config = compose(*SMALL)
    whole = train(config, "whole")
    stop_after(17)
    folder = train(config, "run")
    checkpoint = (folder / LAST).read_bytes()
    stop_after(20)
    resuming.resume(folder, {})
    (folder / LAST).write_bytes(checkpoint)
    (folder / ".result.json.abcd1234").write_text("half of a resul")
    stop_after(float("inf"))
    resuming.resume(folder, {})
    assert list(differences(whole, folder)) == []
    assert not list(folder.rglob(".result*"))


def test_a_log_that_was_shortened_is_refused(compose, stop_after):
    stop_after(30)
    folder = train(compose(*SMALL), "run")
    (folder / METRICS).write_text("")
    with pytest.raises(ConfigError, match=r"bytes of metrics\.jsonl"):
        resuming.resume(folder, {})


def test_of_a_stacks_checkpoints_the_newest_common_one_is_taken(compose, stop_after):
    """Killed between putting lane 0's and lane 1's checkpoint in place; lane 2 has ended before."""
    configs = [compose(*SMALL, f"seed={k}", *more) for k, more in enumerate([[], [], ["lr=1e38"]])]
    folders = [Path(f"{k}") for k in range(3)]
    for folder in folders:
        folder.mkdir()
    whole = [Path(f"whole{k}") for k in range(3)]
    for folder in whole:
        folder.mkdir()
    experiment.run_stack(configs, whole)
    stop_after(17)
    experiment.run_stack(configs, folders)
    assert [Result.read(f).status for f in folders] == ["interrupted", "interrupted", "diverged"]
    older = [(folder / LAST).read_bytes() for folder in folders]
    stop_after(5)
    resuming.resume_stack(folders, {})
    (folders[1] / LAST).replace(folders[1] / NEXT)
    (folders[1] / LAST).write_bytes(older[1])
    stop_after(float("inf"))
    resuming.resume_stack(folders, {})
    for one, other in zip(whole, folders, strict=True):
        assert list(differences(one, other)) == []


@pytest.mark.parametrize("lanes", [1, 3])
def test_killed_at_random_moments_it_loses_nothing(compose, tmp_path, lanes):
    """Real SIGKILLs on real processes, six each; `make faults` does it by the hundred."""
    small = ["num_hiddens=16", "num_epochs=25", "checkpoint.seconds=0.02", "batch_size=8"]
    small += ["sampler=random", "model=gru", "optimizer=adam", "lr=0.01", "num_steps=16"]
    small += ["instruments=light", "log.inspect_every=4"]
    configs = [compose(*small, f"seed={k}", f"theta={k + 1}") for k in range(lanes)]
    verdict = verify(configs, tmp_path, kills=6)
    assert verdict.kills == 6
    assert verdict.differences == []


def test_a_second_process_on_a_runs_folder_is_refused(compose, stop_after):
    stop_after(17)
    folder = train(compose(*SMALL), "run")
    command = [sys.executable, str(ROOT / "run.py"), f"resume={folder}"]
    with held([folder]):
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        assert second.returncode == 2
        assert f"is in use: process {os.getpid()} trains there" in second.stderr
    # a lock file whose process has gone holds nobody up
    assert (folder / ".lock").exists()
    stop_after(float("inf"))
    assert resuming.resume(folder, {}).status == "completed"


def test_from_the_command_line_after_sigterm():
    run = [sys.executable, str(ROOT / "run.py")]
    small = [*SMALL, "num_epochs=100000", "hydra.run.dir=run"]
    process = subprocess.Popen([*run, *small], stdout=subprocess.PIPE, text=True)
    while not Path("run/metrics.jsonl").exists() or not Path("run/metrics.jsonl").read_bytes():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 130
    done = Result.read(Path("run")).epochs
    ended = subprocess.run(
        [*run, "resume=run", f"num_epochs={done + 3}"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert f"goes on after epoch {done}" in ended.stdout
    lines = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(1, done + 4))
    refused = subprocess.run(
        [*run, "resume=run", "lr=3"], capture_output=True, text=True, check=False
    )
    assert refused.returncode == 2
    assert "lr: 1.0 -> 3" in refused.stderr


def test_a_run_that_was_killed_goes_on_exactly_and_says_so(capsys):
    """result.json has had its engine's name from the beginning, not "auto" until its end."""
    command = [sys.executable, str(ROOT / "run.py"), *SMALL, "num_epochs=100000"]
    process = subprocess.Popen([*command, "hydra.run.dir=run"], stdout=subprocess.DEVNULL)
    while not Path("run/metrics.jsonl").exists() or not Path("run/metrics.jsonl").read_bytes():
        assert process.poll() is None
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert Result.read(Path("run")).engine == "compiled"
    result = resuming.resume(Path("run"), {"num_epochs": 3})
    assert [place["exact"] for place in result.resumed] == [True]
    assert "to rounding" not in capsys.readouterr().out


def test_a_clock_that_jumps_back_does_no_harm(compose, monkeypatch, stop_after):
    config = compose(*SMALL)
    whole = train(config, "whole")
    clock = count(1_000_000_000, -3600)
    monkeypatch.setattr(time, "time", lambda: float(next(clock)))
    stop_after(17)
    folder = train(config, "run")
    stop_after(float("inf"))
    resuming.resume(folder, {})
    assert list(differences(whole, folder)) == []


def test_a_folder_deleted_while_training_ends_the_run_with_one_sentence(compose, monkeypatch):
    epoch = Training.run_epoch

    def deleting(self, stop):
        shutil.rmtree("run", ignore_errors=True)
        return epoch(self, stop)

    monkeypatch.setattr(Training, "run_epoch", deleting)
    with pytest.raises(FileNotFoundError):
        train(compose(*SMALL, "checkpoint.every=1"), "run")
    assert not Path("run").exists()


def test_the_last_checkpoint_has_all_that_the_next_step_depends_on(compose):
    folder = train(compose(*SMALL, "model=lstm", "engine=fused", "optimizer=adam"), "run")
    training = load_checkpoint(folder, LAST).training
    assert set(training) == {
        "state.0.0", "state.0.1", "sums", "healthy",
        "optimizer.slot0", "optimizer.slot1", "optimizer.t",
    }  # fmt: skip
    assert training["optimizer.t"] > 70
    assert training["state.0.1"].abs().max() > 0


def test_what_differs_between_two_lines_is_said_and_no_more():
    """Of a line of ten figures the one that is another."""
    for name, nats in (("one", 1.5), ("other", 2.5)):
        Path(name).mkdir()
        line = {"epoch": 1, "loss": nats, "perplexity": 3.0, "val_perplexity": None}
        Path(name, "metrics.jsonl").write_text(json.dumps(line) + "\n")
        Path(name, "samples.txt").touch()
    first = next(differences(Path("one"), Path("other")))
    assert first == "metrics.jsonl, entry 1: loss 1.5 and 2.5"
