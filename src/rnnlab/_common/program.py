"""Where this program is, and how it is called here, for the words that a message tells to type."""

import os
import shlex
import sys
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]
TRAINS = "RNNLAB_TRAINS"  # environment variable: the command that this process trains a study for
CHECKOUT = PACKAGE.parents[1]  # where it is none, what is looked for is not there


def training(*arguments: str) -> str:
    """A command that trains: by run.py in a checkout, or where that was called; else by rnnlab."""
    called = Path(sys.argv[0])
    script, ours = called if called.name == "run.py" else Path("run.py"), CHECKOUT / "run.py"
    is_ours = script.is_file() and ours.is_file() and script.samefile(ours)
    program = ["python", str(script)] if is_ours else ["rnnlab", "train"]
    return shlex.join([*program, *arguments])


def resuming(folder: Path, *arguments: str) -> str:
    """A command that goes on with a run or a study."""
    return shlex.join(["rnnlab", "resume", str(folder), *arguments])


def going_on(study: Path) -> str:
    """The command that goes on with a study: whatever trains it for its own ends, or resume."""
    return os.environ.get(TRAINS) or resuming(study)


def shipped(name: str) -> Path:
    """A folder of the checkout, or its copy that travels in the wheel."""
    installed = PACKAGE / name
    return installed if installed.is_dir() else CHECKOUT / name


def python_path() -> str:
    """PYTHONPATH of a process that is to find this package too."""
    return os.pathsep.join(filter(None, [str(PACKAGE.parent), os.environ.get("PYTHONPATH")]))
