"""What make crashes relies on: its disk, by hand; and a small part of what it does."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from crashes import reasons, survey
from disk import KINDS, Recording, Tree, read_tree, write_tree
from recorder import recording

pytestmark = pytest.mark.attack(7, "kills and power cuts after file operations, a part")


def found(recorded: Recording, kind: str) -> list[Tree]:
    return [state.tree for state in recorded.states(kind)]


def flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def test_a_file_that_is_never_flushed_is_there_after_a_kill_only():
    with recording(Path()) as recorded:
        Path("a").write_bytes(b"12")
    assert found(recorded, "killed") == [{}, {"a": b""}, {"a": b"1"}, {"a": b"12"}]
    assert found(recorded, "cut") == [{}]
    assert found(recorded, "cut, names kept") == [{}, {"a": b""}]
    assert found(recorded, "cut, contents kept") == [{}]


def test_a_renamed_file_is_the_old_one_until_its_folder_is_flushed():
    """Were a rename taken as flushed, no missing fsync of a folder would be found."""
    Path("a").write_bytes(b"old")
    with recording(Path()) as recorded:
        with Path("b").open("wb") as file:
            file.write(b"new")
            file.flush()
            os.fsync(file.fileno())
        Path("b").replace("a")
        before = len(recorded.operations)
        flush(Path())
    assert found(recorded, "cut") == [{"a": b"old"}, {"a": b"new"}]
    assert [state.first for state in recorded.states("cut")] == [0, before + 1]
    assert found(recorded, "cut, contents kept") == [{"a": b"old"}, {"a": b"new"}]
    assert found(recorded, "cut, names kept") == [
        {"a": b"old"}, {"a": b"old", "b": b""}, {"a": b"old", "b": b"new"}, {"a": b"new"},
    ]  # fmt: skip


def test_a_flushed_file_in_a_folder_whose_own_name_is_not_is_lost():
    with recording(Path()) as recorded:
        Path("run").mkdir()
        with Path("run/a").open("w") as file:
            file.write("1")
            file.flush()
            os.fsync(file.fileno())
        flush(Path("run"))
        assert found(recorded, "cut") == [{}]
        flush(Path())
    assert found(recorded, "cut") == [{}, {"run": None, "run/a": b"1"}]


def test_whatever_python_writes_is_replayed():
    """recording itself compares: a way of writing that it does not see ends it with an error."""
    Path("old").write_text("0123456789")
    with recording(Path()) as recorded:
        with Path("old").open("r+b") as file:
            file.truncate(5)
            file.seek(2)
            file.write(b"xx")
        with open("old", "a", encoding="utf-8") as file:  # noqa: PTH123
            file.write("end")
        Path("below/deep").mkdir(parents=True)
        descriptor = os.open("below/deep/raw", os.O_RDWR | os.O_CREAT)
        os.write(descriptor, b"raw")
        os.pwrite(descriptor, b"R", 0)
        os.ftruncate(descriptor, 2)
        with os.fdopen(descriptor, "ab") as file:
            file.write(b"!")
        Path("gone").mkdir()
        Path("gone/a").touch()
        shutil.rmtree("gone")
        Path("old").rename("below/new")
        os.truncate("below/new", 7)
    assert read_tree(Path()) == {
        "below": None, "below/new": b"01xx4en", "below/deep": None, "below/deep/raw": b"Ra!",
    }  # fmt: skip
    Path("again").mkdir()
    write_tree(found(recorded, "killed")[-1], Path("again"))
    assert read_tree(Path("again")) == found(recorded, "killed")[-1]


def test_what_is_written_unseen_is_noticed():
    with pytest.raises(AssertionError, match="unseen"), recording(Path()):
        subprocess.run(["touch", "a"], check=True)


FIRST, SECOND, *OTHERS = KINDS
SOME = [FIRST, SECOND, *(pytest.param(kind, marks=pytest.mark.slow) for kind in OTHERS)]


@pytest.mark.parametrize("kind", SOME)
def test_a_run_goes_on_from_every_state(kind):
    assert [*reasons([*survey("two epochs", [kind])])] == []


@pytest.mark.parametrize("kind", SOME)
@pytest.mark.parametrize(
    "case", ["a study", pytest.param("a study, made longer", marks=pytest.mark.slow)]
)
def test_a_study_goes_on_from_some_states(case, kind):
    assert [*reasons([*survey(case, [kind], every=20)])] == []
