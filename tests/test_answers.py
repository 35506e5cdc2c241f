"""Whatever a person can put right is a sentence, in every command."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from commands import finish, run, start
from rnnlab.runs import stack as experiment
from rnnlab.runs.folder import BEST, LAST
from typed import SMALL, typed

pytestmark = pytest.mark.attack(13, "mistakes that ended in a traceback")
TINY = ["num_hiddens=4", "batch_size=2", "num_steps=5", "dataset.max_tokens=200"]


def refused(*arguments: str, status: int = 2) -> str:
    """What the rnnlab command says, which is one sentence."""
    found, _, err = run(*arguments, module=True)
    assert found == status, err
    assert "Traceback" not in err
    return err


@pytest.fixture
def folder(compose) -> Path:
    experiment.run(compose(*TINY, "num_epochs=2", "log.sample_length=5"), Path("run"))
    return Path("run")


def test_a_mistyped_name_of_verify_resume():
    assert refused("verify-resume", "num_hidens=3").startswith("num_hidens is not a name")


@pytest.mark.parametrize("command", ["train", "verify-resume"])
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("num_hiddens=many", "num_hiddens=many is not allowed: num_hiddens is a whole number."),
        ("lr=[", "lr=[ cannot be read"),
    ],
)
def test_a_mistake_is_answered_as_by_run_py(command, given, said):
    """One `answering` inside another must not take the outer one's doings for the user's wish."""
    assert refused(command, given).startswith(said)


def test_ctrl_c_of_verify_resume_leaves_no_folder(monkeypatch, tmp_path):
    """Its worker has ended before the folder that it writes to is removed."""
    place = tmp_path / "t"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    process = start("verify-resume", *TINY, "num_epochs=1000000", module=True)
    while not list(place.glob("rnnlab-*/*/metrics.jsonl")):
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    status, _, err = finish(process)
    assert (status, err) == (130, "")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("name", [LAST, BEST])
def test_reproduce_reads_what_it_compares_with_before_it_trains(folder, name, monkeypatch):
    """The text is long: training it all again would take minutes."""
    path = folder / name
    path.write_bytes(path.read_bytes()[:-50])
    monkeypatch.setenv("TMPDIR", str(Path.cwd()))
    assert "is not a checkpoint of rnnlab, or is damaged" in refused("reproduce", "run")
    assert not list(Path.cwd().glob("rnnlab-*"))


def test_reproducing_another_text_is_said_before_it_trains(compose):
    Path("text.txt").write_text("time traveller " * 200)
    config = compose(*TINY, "num_epochs=1", "dataset=text", "dataset.path=text.txt")
    experiment.run(config, Path("run"))
    Path("text.txt").write_text("another one " * 200)
    assert "it would be another experiment (the text: sha256" in refused("reproduce", "run")


def test_a_report_that_cannot_be_written(folder):
    (folder / "report.md").mkdir()
    assert "report.md" in refused("report", "run", status=1)


@pytest.mark.parametrize(
    "given",
    [["--length", "1000000000000"], ["--length", "1e12"], ["--length", "0"]]
    + [["--samples", "1000000", "--length", "1000", "--temperature", "1"]],
)
@pytest.mark.usefixtures("folder")
def test_a_text_beyond_all_length(given):
    began = time.monotonic()
    refused("generate", "run", "--prefix", "the", *given)
    assert time.monotonic() - began < 60


def test_what_is_no_folder_of_a_run():
    for command in (["resume", "run"], ["reproduce", "run"], ["report", "run"]):
        refused(*command)
    refused("generate", "run", "--prefix", "the")


def test_a_batch_of_a_sweep_has_a_job():
    status, _, err = run("-m", *TINY, "seed=0,1", "hydra.sweeper.max_batch_size=-1")
    assert status == 2
    assert err.startswith("hydra.sweeper.max_batch_size=-1 is not allowed: it is at least 1")


@pytest.mark.parametrize("words", [["hydra.run.dir={}"], ["-m", "seed=0,1", "sweep={}"]])
@pytest.mark.parametrize("name", ["there", "there/within"])
def test_a_file_where_a_folder_is_to_be(words, name):
    Path("there").write_text("")
    status, _, err = typed(*SMALL, *(word.format(name) for word in words))
    assert (status, err.count("\n")) == (2, 1)
    assert f"{name} cannot be a folder: there is a file in its way; type another one." in err
