"""What would take all time or memory, and paths that lead nowhere: a sentence, and soon."""

from __future__ import annotations

import dataclasses
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from commands import run
from conftest import ROOT
from rnnlab._common.errors import ConfigError
from rnnlab.config.compose import composing
from rnnlab.config.grid import MOST_JOBS, grid
from rnnlab.config.names import knobs, owners
from rnnlab.config.schema import GROUPS
from rnnlab.data import source
from rnnlab.data.sources.download import Download, find
from rnnlab.data.sources.text import Text

pytestmark = pytest.mark.attack(12, "numbers, studies, paths and texts beyond all size")

BILLION = "range(0,1000000000)"


# --- jobs of a study -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "overrides",
    [
        [f"seed={BILLION}"],
        [f"seed=shuffle({BILLION})"],
        [f"seed=sort({BILLION},reverse=true)"],
        ["seed=range(0,100000000000000000000000000000)"],
        ["lr=range(0,1,1e-12)"],
        ["lr=range(1e10,2e10,1e-30)"],  # a step that changes nothing
        ["lr=range(0,inf)"],
        [f"{name}=range(1,1001)" for name in ("seed", "batch_size", "num_steps")],
        [f"{name}=1,2" for name, _ in list(knobs())[:17]],
        ["model=glob(*)", "seed=range(0,50000)"],
        [f"seed={BILLION}", "lr=range(1,0)"],  # no job, but for that nothing is to be listed either
    ],
)
def test_a_study_of_too_many_jobs_is_refused_before_they_are_listed(overrides):
    begun = time.monotonic()
    with composing(), pytest.raises(ConfigError, match="at most 100,000 jobs"):
        grid(overrides)
    assert time.monotonic() - begun < 10


@pytest.mark.parametrize("values", ["nan,2", "0,nan", "0,5,nan", "0,1,0", "0.0,1.0,0.0"])
def test_a_range_that_is_none_is_refused(values):
    with composing(), pytest.raises(ConfigError, match=r"range\(START,STOP,STEP\) is of numbers"):
        grid([f"lr=range({values})"])


def test_as_many_jobs_as_there_may_be_are_listed_the_last_values_of_a_name_only():
    with composing():
        assert len(grid([f"seed=range(0,{MOST_JOBS // 2})", "lr=1,2"])) == MOST_JOBS
        assert grid([f"seed={BILLION}", "lr=range(0.5,1.5,0.5)", "seed=3"]) == [
            ["seed=3", "lr=0.5"],
            ["seed=3", "lr=1.0"],
        ]


# --- numbers ---------------------------------------------------------------------------------


def numeric(kind: type) -> list[str]:
    """All knobs of this type, with the choice that has them."""
    found = dict.fromkeys(name for name, hint in knobs() if hint in (kind, kind | None))
    return [" ".join([*_choice_of(name), name]) for name in found]


def _choice_of(name: str) -> list[str]:
    """The first choice that has the knob, where it is a choice's; the usual text has most."""
    group, _, knob = name.rpartition(".")
    own = owners(name) if group in GROUPS and knob else ["sample"]
    return [] if "sample" in own else [f"{group}={own[0]}"]


def refused(*overrides: str) -> str:
    """By the whole command, in a process that has 4 GiB of memory and little time."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "run.py"), *overrides],
        capture_output=True,
        text=True,
        timeout=30,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (4 << 30, 4 << 30)),
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    assert not Path("outputs").exists()
    return done.stderr


@pytest.mark.parametrize("number", [2**63, 10**400])
@pytest.mark.parametrize("knob", numeric(int))
def test_a_whole_number_beyond_64_bits_is_refused(compose, knob, number):
    rule = (
        r"is a whole number (of at most 9223372036854775807|in \[\d, )|no knob has so large a value"
    )
    with pytest.raises(ConfigError, match=rule) as caught:
        compose(*f"{knob}={number}".split())
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("number", ["1e400", "nan", 10**400])
@pytest.mark.parametrize("knob", numeric(float))
def test_what_is_no_finite_number_is_refused(compose, knob, number):
    with pytest.raises(ConfigError, match=r"is a finite number[ .]|no knob has so large a value"):
        compose(*f"{knob}={number}".split())


@pytest.mark.parametrize("number", [10**9, 10**18, 2**63 - 1, 2**63, 10**400])
@pytest.mark.parametrize("name", ["num_layers", "log.sample_length"])
def test_what_would_be_built_or_drawn_for_ever_is_refused(compose, name, number):
    with pytest.raises(ConfigError, match=rf"{name} is a whole number |no knob has"):
        compose(f"{name}={number}")


@pytest.mark.parametrize("number", ["1e400", "nan", 2**63])
def test_an_option_of_an_optimizer_is_a_number_that_can_be_stored(compose, number):
    name = "optimizer.options.weight_decay"
    with pytest.raises(ConfigError, match=rf"{name} is a (finite|whole) number"):
        compose("optimizer=torch", f"+{name}={number}")


def test_the_whole_command_says_the_bounds():
    most = "num_layers is a whole number in [1, 1000]"
    assert refused("num_layers=1000000000") == (f"num_layers=1000000000 is not allowed: {most}.\n")
    assert "in [1, 1000000]" in refused("log.sample_length=1000000000000000000")


@pytest.mark.parametrize("number", [0, 2**32, 2**63 - 1])
def test_every_seed_of_63_bits_is_one(compose, number):
    assert compose(f"seed={number}").seed == number


# --- paths and texts -------------------------------------------------------------------------

NOWHERE = {
    "~nosuchuser/x": "the home folder that ~ stands for is not known; type the path from / on",
    "a\0b": "no file can be looked up there: embedded null byte",
    "x" * 5000: "no file can be looked up there: File name too long",
}


@pytest.fixture
def download(compose) -> Download:
    composed = compose("dataset=time_machine").dataset
    return dataclasses.replace(composed, urls=())


@pytest.mark.parametrize(("path", "rule"), NOWHERE.items())
def test_a_path_that_leads_nowhere_is_refused(compose, download, path, rule, monkeypatch):
    text = compose("dataset=text", "dataset.path=x").dataset
    with pytest.raises(ConfigError, match=r"dataset\.path=") as caught:
        [*dataclasses.replace(text, path=path).blocks()]
    assert rule in str(caught.value)
    with pytest.raises(ConfigError, match=r"dataset\.root=") as caught:
        find(dataclasses.replace(download, root=path))
    assert rule in str(caught.value)
    if "\0" not in path:
        monkeypatch.setenv("RNNLAB_DATA", path)
        with pytest.raises(ConfigError, match="RNNLAB_DATA=") as caught:
            find(download)
        assert rule in str(caught.value)


@pytest.mark.parametrize("name", ["a\0b", "x" * 300])
def test_a_file_name_that_no_system_has_is_refused(download, name):
    with pytest.raises(ConfigError, match="it is the name of a file, without folders, of at most"):
        dataclasses.replace(download, file=name)


def test_without_a_home_folder_only_what_needs_one_is_refused(download, tmp_path, monkeypatch):
    def unknown(_path):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "expanduser", unknown)
    with pytest.raises(ConfigError, match=r"XDG_CACHE_HOME=~/\.cache is not allowed: the home"):
        find(download)
    monkeypatch.setattr(Path, "expanduser", lambda p: unknown(p) if str(p)[0] == "~" else p)
    assert find(dataclasses.replace(download, root=str(tmp_path))) is None


def test_bytes_of_the_command_line_that_are_no_text_are_refused():
    name = os.fsdecode(b"caf\xe9.txt")
    Path(name).write_text("time " * 1000)
    rule = "it has a byte that is no character in UTF-8; name it otherwise.\n"
    said = r"caf\udce9.txt is not allowed: " + rule
    assert refused("dataset=text", f"dataset.path={name}") == "dataset.path=" + said
    assert refused(f"dataset.prefixes={name}") == "dataset.prefixes=" + said


def reading(path: Path | str) -> bytes:
    text = Text(
        path=str(path),
        name="text",
        clean=source.Clean.none,
        token=source.Token.char,
        min_freq=0,
        max_tokens=None,
        val_fraction=0,
        prefixes=(),
    )
    return b"".join(text.blocks())


def test_a_text_is_read_from_files_only_and_nothing_waits(tmp_path):
    os.mkfifo("pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        Path("link").symlink_to("pipe")
        (tmp_path / "folder").mkdir()
        os.mkfifo("folder/a.txt")
        for path in ("pipe", "link", "folder", "/dev/zero", "/dev/null"):
            with pytest.raises(ConfigError, match="a text is read from a file, and this is a pipe"):
                reading(path)
        with pytest.raises(ConfigError, match="socket cannot be read: "):
            reading("socket")


def test_a_link_to_a_text_is_followed():
    Path("text").write_text("time")
    Path("link").symlink_to("text")
    assert reading("link") == b"time"


def test_the_whole_command_refuses_a_pipe():
    os.mkfifo("pipe")
    status, _, err = run("dataset=text", "dataset.path=pipe")
    assert (status, err.count("\n")) == (2, 1)
    assert "pipe is not allowed: a text is read from a file" in err
