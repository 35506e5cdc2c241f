"""rnnlab.train and rnnlab.study: what the command line does, from a script or a notebook."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

import rnnlab
from rnnlab._common.errors import ConfigError
from rnnlab._common.program import python_path
from rnnlab.results import progress
from rnnlab.results.train import _swept
from rnnlab.runs import stack
from rnnlab.runs.folder import CELL, has_checkpoint
from rnnlab.runs.result import Result

SMALL = {"num_hiddens": 4, "batch_size": 2, "num_steps": 5, "num_epochs": 2}
TEXT = "dataset.max_tokens=150"
INTERRUPTED = """
import rnnlab
try:
    rnnlab.train("size=tiny", "dataset.max_tokens=3000", "hydra.run.dir=run", num_epochs=1000000)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_run_is_the_command_lines(compose):
    run = rnnlab.train(TEXT, lr=0.5, **SMALL)
    words = [TEXT, "lr=0.5", *(f"{name}={value}" for name, value in SMALL.items())]
    assert run.result.perplexity == stack.run(compose(*words), Path("again")).perplexity
    assert run.folder.parent == Path("outputs/runs").absolute()
    assert "lr=0.5" in run.folder.name


def test_a_study_crosses_its_lists(capfd):
    study = rnnlab.study(TEXT, lr=[0.5, 1], seed=range(2), model="gru", **SMALL)
    own = [(run.config["lr"], run.result.seed, run.config["model"]["name"]) for run in study]
    assert own == [(0.5, 0, "gru"), (0.5, 1, "gru"), (1, 0, "gru"), (1, 1, "gru")]
    assert (study[0].folder.parent / "report.html").exists()
    assert "4 jobs in outputs/sweeps/" in capfd.readouterr().out


def test_a_function_is_a_cell():
    def leaky(X, H, *, W_xh, W_hh, b_h, leak=0.5):
        return (1 - leak) * H + leak * torch.tanh(X @ W_xh + H @ W_hh + b_h)

    run = rnnlab.train(TEXT, "model.leak=0.25", cell=leaky, **SMALL)
    assert run.config["model"]["leak"] == 0.25
    assert run.config["model"]["name"] == "leaky.py"
    assert "def step(X, H" in (run.folder / CELL).read_text()
    assert run.model().generate("time", length=5).startswith("time")


@pytest.mark.parametrize(
    ("words", "values", "sentence"),
    [
        ([], {"lrr": 1}, "lrr is not a name in the config: did you mean lr?"),
        (["-m"], {}, "-m is not allowed: type NAME=VALUE, as on the command line."),
        ([], {"lr": "fast"}, "lr=fast is not allowed: lr is a number."),
        (
            [],
            {"num_steps": 100000},
            "batch_size=32 with num_steps=100000 is not allowed: one minib",
        ),
    ],
)
def test_a_mistake_is_an_error_with_the_sentence(words, values, sentence):
    with pytest.raises(ConfigError) as caught:
        rnnlab.train(*words, **values)
    assert str(caught.value).startswith(sentence)
    assert not Path("outputs").exists()


def test_a_study_without_a_value():
    with pytest.raises(ConfigError, match=r"lr=\[\] is not allowed: a study takes at least one"):
        rnnlab.study(lr=[])
    assert _swept("dataset", ["sample", "a,b"]) == 'dataset=sample,"a,b"'


def test_an_interrupt_saves_and_comes_through():
    env = os.environ | {"PYTHONPATH": python_path()}
    command = [sys.executable, "-c", INTERRUPTED]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env)
    deadline = time.monotonic() + 120
    while not has_checkpoint(Path("run")) and time.monotonic() < deadline:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    assert out.splitlines()[-1] == "interrupted"
    assert Result.read(Path("run")).status == "interrupted"
    assert rnnlab.load("run")[0].status == "interrupted"


def test_a_bar_says_how_far_the_jobs_are(compose):
    assert progress._state(Path("S")) == (0.0, "beginning")
    for k, epochs in enumerate((2, 4)):
        words = [f"{name}={value}" for name, value in SMALL.items() if name != "num_epochs"]
        stack.run(compose(TEXT, *words, f"num_epochs={epochs}", f"seed={k}"), Path(f"S/{k}"))
    share, said = progress._state(Path("S"))
    assert share == 1
    assert said.startswith("2 of 2 jobs, perplexity ")
    result = Result.read(Path("S/1"))
    result.status, result.config["num_epochs"] = type(result.status)("running"), 8
    result.write(Path("S/1"))
    assert progress._state(Path("S"))[0] == 0.75
    assert progress._state(Path("S/1"))[1].startswith("50%, perplexity ")
