"""What is installed from a wheel works where there is no checkout, and says so."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from conftest import ROOT
from rnnlab import __version__
from rnnlab._common.program import training

SMALL = ["size=tiny", "num_epochs=1"]


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what a wheel installs, and its console script in bin/."""
    folder = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    assert wheel.name == f"rnnlab-{__version__}-py3-none-any.whl"
    ZipFile(wheel).extractall(folder)
    (folder / "bin").mkdir()
    script = folder / "bin/rnnlab"
    main = "from rnnlab.cli import main\nif __name__ == '__main__':\n    main()\n"
    script.write_text(f"#!{sys.executable}\n{main}")
    script.chmod(0o755)
    return folder


def run(installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, env=env(installed), capture_output=True, text=True, timeout=120, check=False
    )


def env(installed: Path) -> dict[str, str]:
    first = {"PYTHONPATH": str(installed), "PATH": f"{installed}/bin:{os.environ['PATH']}"}
    return os.environ | first


def test_a_study_in_an_empty_folder(installed):
    """What it says to type is there: the command, and no run.py."""
    assert run(installed, "rnnlab", "--version").stdout == f"rnnlab {__version__}\n"
    trained = run(installed, "rnnlab", "train", "-m", "lr=1,0.5", *SMALL, "sweep=S")
    assert trained.returncode == 0, trained.stderr
    assert "run.py" not in trained.stdout
    page = Path("S/report.md").read_text(encoding="utf-8")
    assert "run.py" not in page
    assert re.search("Best: lr=.*: `rnnlab train .*num_hiddens=64 num_epochs=1`", page)


def test_a_mistake_in_an_empty_folder(installed):
    said = run(installed, "rnnlab", "train", "qqq=1").stderr
    assert said == "qqq is not a name in the config: rnnlab train --help lists all.\n"


def test_a_trained_model_and_its_page_travel_with_the_package(installed):
    written = run(installed, "rnnlab", "generate", "demo", "--prefix", "time traveller")
    assert written.stdout.startswith("time traveller "), written.stderr
    exported = run(installed, "rnnlab", "export", "demo", "--to", "html")
    assert exported.returncode == 0, exported.stderr
    assert [path.name for path in Path().iterdir()] == ["demo.html"]


def test_the_benchmark_travels_with_the_package(installed):
    options = ["--cells", "rnn", "--sizes", "4", "--lanes", "2", "--rounds", "1"]
    measured = run(installed, "rnnlab", "bench", *options)
    assert measured.returncode == 0, measured.stderr
    assert "| rnn | 4 | 2 | rnnlab fused |" in measured.stdout
    assert [*Path().iterdir()] == []
    mistaken = run(installed, "rnnlab", "bench", "--sizes", "64,x")
    assert mistaken.returncode == 2
    sentence = "argument --sizes: 'x' is not a whole number of at least 1"
    assert mistaken.stderr.splitlines()[-1] == f"rnnlab bench: error: {sentence}"


COMPLETE = """
eval "$(_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1 rnnlab --show-completion bash)"
while read -ra COMP_WORDS; do
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    _rnnlab_completion rnnlab
    echo "${COMPREPLY[*]}"
done
"""
COMPLETED = {  # as bash splits a line into words
    "rnnlab re": "resume report reproduce",
    "rnnlab train num_e": "num_epochs= num_epochs=500",
    "rnnlab train sampler =": "random sequential",
    "rnnlab train sampler=ra": "sampler=random",  # where = separates no words, as in zsh
    "rnnlab verify-resume optimizer = adam optimizer.b": "optimizer.beta1= optimizer.beta2=",
    "rnnlab resume RUN -m sampler = ra": "random",
}


@pytest.mark.skipif(not Path("/bin/bash").exists(), reason="no bash")
def test_the_tab_key_completes_commands_names_and_choices(installed):
    given = subprocess.run(
        ["/bin/bash", "-c", COMPLETE],
        input="\n".join([*COMPLETED, ""]),
        env=env(installed),
        capture_output=True,
        text=True,
        check=True,
    )
    assert dict(zip(COMPLETED, given.stdout.splitlines(), strict=True)) == COMPLETED


def test_what_trains_is_called_as_it_was_called(monkeypatch):
    """By run.py where it is this checkout's; a run.py of somebody else is none of ours."""
    monkeypatch.setattr(sys, "argv", [str(ROOT / "run.py")])
    assert training("lr=1", "a b") == f"python {ROOT}/run.py lr=1 'a b'"
    monkeypatch.setattr(sys, "argv", ["/usr/bin/rnnlab"])
    assert training("lr=1") == "rnnlab train lr=1"
    Path("run.py").touch()
    assert training() == "rnnlab train"
    monkeypatch.setattr(sys, "argv", ["run.py"])
    assert training() == "rnnlab train"
    monkeypatch.chdir(ROOT)
    assert training() == "python run.py"
    monkeypatch.setattr(sys, "argv", ["/usr/bin/rnnlab"])
    assert training() == "python run.py"


TOOLS = {"ruff", "pyrefly"}  # no test runs with them


def test_bounds_are_what_the_tests_ran_with():
    """Everything is pinned in every file of constraints, and the oldest are the lower bounds."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    needed = [Requirement(line) for line in [*project["dependencies"], *extras["dev"]]]
    pinned = {
        name: dict(line.split("==") for line in (ROOT / name).read_text().split() if "==" in line)
        for name in ("constraints.txt", "constraints-next.txt", "constraints-lowest.txt")
    }
    for one in needed:
        for versions in pinned.values():
            assert one.specifier.contains(versions[one.name], prereleases=True), one
        (oldest,) = [bound.version for bound in one.specifier if bound.operator == ">="]
        if one.name not in TOOLS:
            assert Version(oldest) == Version(pinned["constraints-lowest.txt"][one.name]), one
    assert {*extras["optuna"]} <= {*extras["dev"]}
