"""The last line of a run's command says what to type next, whatever ended it."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
from typer.testing import CliRunner

from rnnlab._common.errors import ConfigError
from rnnlab.cli.answers import answering
from rnnlab.cli.commands import app
from rnnlab.cli.next_steps import telling_next_steps
from rnnlab.runs import resume as resuming
from rnnlab.runs import stack as experiment
from rnnlab.runs.result import Result
from rnnlab.training.loop import Training

SMALL = ["num_hiddens=8", "batch_size=4", "num_steps=10", "num_epochs=2", "log.sample_length=5"]
SMALL += ["dataset.max_tokens=600"]
FOLDER = "it's mine"
GO_ON = "go on with: rnnlab resume 'it'\"'\"'s mine'"


def run(config) -> None:
    with answering(["running"]), telling_next_steps(Path(FOLDER).absolute()):
        experiment.run(config, Path(FOLDER))


@pytest.fixture
def break_with(monkeypatch):
    def breaking(error: BaseException) -> None:
        def run_epoch(*_):
            raise error

        monkeypatch.setattr(Training, "run_epoch", run_epoch)

    return breaking


def test_a_run_that_is_complete_says_where_it_is(compose, capsys):
    run(compose(*SMALL))
    assert capsys.readouterr().out.endswith(f"\n\n{FOLDER}\ntensorboard --logdir .\n")


def test_a_run_that_was_stopped_says_how_to_go_on_from_anywhere(
    compose, capsys, stop_after, monkeypatch
):
    stop_after(5)
    run(compose(*SMALL))
    assert capsys.readouterr().out.endswith(f"\ntensorboard --logdir .\n{GO_ON}\n")
    folder = Path(FOLDER).absolute()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    stop_after(5)
    with telling_next_steps(folder):
        resuming.resume(folder, {})
    quoted = GO_ON.replace("'it'", f"'{folder.parent}/it'")
    assert capsys.readouterr().out.endswith(f"\n{quoted}\n")


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device"),
            1,
            [": No space left on device.", GO_ON],
        ),
        (KeyboardInterrupt(), 130, [GO_ON]),  # the second Ctrl-C
        (OSError(errno.ENOMEM, "it does not fit in memory"), 1, ["fit in memory."]),
    ],
)
def test_what_ended_a_run_is_followed_by_how_to_go_on(
    compose, capsys, break_with, error, status, said
):
    """But what does not fit in memory would not the next time."""
    break_with(error)
    with pytest.raises(SystemExit) as ended:
        run(compose(*SMALL))
    assert ended.value.code == status
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(said)
    assert all(line.endswith(words) for line, words in zip(lines, said, strict=True))


def test_a_traceback_ends_with_how_to_go_on(compose, break_with):
    bug = ZeroDivisionError("a bug")
    break_with(bug)
    with pytest.raises(ZeroDivisionError):
        run(compose(*SMALL))
    assert bug.__notes__ == [GO_ON]


@pytest.mark.parametrize(
    ("clip", "other"), [("norm", "theta=0.2"), ("value", "theta=0.2"), ("none", "clip=norm")]
)
def test_a_run_that_diverged_says_what_to_try(compose, capsys, monkeypatch, clip, other):
    run_epoch = Training.run_epoch

    def diverging(self, stop):
        self.parameters.flat.fill_(float("nan"))
        return run_epoch(self, stop)

    monkeypatch.setattr(Training, "run_epoch", diverging)
    run(compose(*SMALL, f"clip={clip}", "lr=3", "theta=2"))
    last = capsys.readouterr().out.splitlines()[-1]
    assert last == f"try smaller steps: the same command with lr=0.3, or with {other}"


def test_of_a_run_that_another_process_has_trained_nothing_is_said(compose, capsys):
    experiment.run(compose(*SMALL), Path(FOLDER))
    result = Result.read(Path(FOLDER))
    result.process += 1
    result.write(Path(FOLDER))
    capsys.readouterr()
    with telling_next_steps(Path(FOLDER)):
        resuming.resume(Path(FOLDER), {})
    with pytest.raises(ConfigError) as refused, telling_next_steps(Path(FOLDER)):
        experiment.run(compose(*SMALL), Path(FOLDER))
    assert capsys.readouterr().out == ""
    assert not hasattr(refused.value, "__notes__")


def test_a_run_that_is_reproduced_names_no_folder_that_is_gone(compose):
    experiment.run(compose(*SMALL), Path("run"))
    out = CliRunner().invoke(app, ["reproduce", "run"]).output
    assert "are the same, bit for bit" in out
    assert "tensorboard" not in out
    assert "rnnlab-" not in out
