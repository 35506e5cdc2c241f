"""A part of `make crashes`, and its instrument: does it find what it should?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from unittest import mock

import pytest

from crashes import CASES, Case, Recorded, train_run, train_stack, train_study
from disk import KINDS, Recording, read, recording
from rnnlab._common import files

pytestmark = pytest.mark.attack(7, "kills and power cuts after file operations, a part")

SHORT = {
    "run": Case(lambda home: train_run(home, epochs=2)),
    "stack": Case(lambda home: train_stack(home, epochs=(2, 1))),
    "study": Case(lambda home: train_study(home, epochs=1)),
    "longer": CASES["longer"],
}
STATES = 10  # of each case


def contents(recorded: Recording, kind: str, name: str) -> list[bytes | None]:
    """All that is found under this name, b"-" where there is none."""
    return [state.tree.get(name, b"-") for state in recorded.states(kind)]


def replaced(folder: Path, *, flushes: bool, flushes_folder: bool) -> Recording:
    """A file is replaced by a temporary one, and then another one is written."""
    folder.mkdir()
    (folder / "file").write_bytes(b"old")
    with recording(folder) as recorded:
        with (folder / "new").open("wb") as file:
            file.write(b"newer")
            if flushes:
                files.flush(file)
        (folder / "new").replace(folder / "file")
        if flushes_folder:
            files.flush_folder(folder)
        (folder / "other").write_text("later")
    return recorded


def test_a_file_that_is_not_flushed_before_its_renaming_is_found_empty():
    careless = replaced(Path("careless"), flushes=False, flushes_folder=True)
    assert b"" in contents(careless, "cut, names kept", "file")
    assert b"\0\0\0\0\0" in contents(careless, "cut, zeros", "file")
    careful = replaced(Path("careful"), flushes=True, flushes_folder=True)
    for kind in KINDS:
        assert set(contents(careful, kind, "file")) == {b"old", b"newer"}


def test_a_name_that_is_not_flushed_is_lost_by_the_letter_of_posix():
    careless = replaced(Path("careless"), flushes=True, flushes_folder=False)
    assert set(contents(careless, "cut", "file")) == {b"old"}
    assert contents(careless, "cut, names kept", "file")[-1] == b"newer"


def test_a_killed_write_is_found_in_halves():
    recorded = replaced(Path("folder"), flushes=True, flushes_folder=True)
    assert contents(recorded, "killed", "new")[:4] == [b"-", b"", b"ne", b"newer"]


def test_a_recording_replayed_is_what_the_folder_holds():
    """Appended to, by descriptors and by files; cut, moved, removed, with folders and text."""
    folder = Path("folder")
    (folder / "deep").mkdir(parents=True)
    (folder / "log").write_bytes(b"12345")
    with recording(folder) as recorded:
        descriptor = os.open(folder / "log", os.O_WRONLY | os.O_APPEND)
        with os.fdopen(descriptor, "ab") as file:
            file.write(b"678")
            file.truncate(6)
            file.write(b"9")
        with (folder / "log").open("r+b") as file:
            file.seek(2)
            file.write(b"--")
        with (folder / "deep" / "text").open("w", encoding="utf-8") as text:
            print("ä", file=text)
        with open(folder / "deep" / "text", "a") as text:  # noqa: PTH123  (it is what is tested)
            text.write("more")
        (folder / "deep").rename(folder / "deeper")
        (folder / "empty").mkdir()
        (folder / "empty").rmdir()
        os.truncate(folder / "log", 4)
        descriptor = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.write(descriptor, b"raw")
        os.close(descriptor)
        (folder / "raw").unlink()
    assert recorded.end().tree() == read(folder)
    assert read(folder) == {"deeper": None, "deeper/text": "ä\nmore".encode(), "log": b"12--"}


def test_what_is_not_recorded_is_noticed():
    folder = Path("folder")
    folder.mkdir()
    write = "from pathlib import Path; Path('folder/secret').write_text('x')"
    with pytest.raises(AssertionError, match="secret"), recording(folder):
        subprocess.run([sys.executable, "-c", write], check=True)


@pytest.mark.parametrize("name", SHORT)
def test_after_a_crash_it_goes_on_to_the_same_end(name, tmp_path):
    """At moments that are spread over all kinds; `make crashes` takes every one."""
    recorded = Recorded.of(name, SHORT[name], tmp_path / "whole")
    states, _ = recorded.states()
    wrong = {}
    for state in states[:: max(1, len(states) // STATES)]:
        verdict = recorded.verdict(state)
        if verdict != Verdict():
            wrong[state.kind, state.after] = verdict
    assert wrong == {}


def test_a_checkpoint_that_is_not_flushed_is_found_out(tmp_path):
    """The instrument is sharp: without one fsync a power cut leaves what cannot be continued."""
    with mock.patch.object(files, "flush", lambda file: file.flush()):
        recorded = Recorded.of("run", SHORT["run"], tmp_path / "whole")
    states = [*recorded.recording.states("cut, names kept")]
    verdicts = [recorded.verdict(state) for state in states[-6:]]
    assert any(verdict.unreadable for verdict in verdicts)
