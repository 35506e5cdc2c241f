"""The trained model that comes with the package: `rnnlab generate demo`, without any run."""

from __future__ import annotations

from pathlib import Path

from rnnlab._common.program import shipped

NAME = "demo"


def trained(run: Path) -> Path:
    """The folder that a person means: their own named demo, if there is one, else the package's."""
    return shipped(NAME) if is_demo(run) else run


def is_demo(run: Path) -> bool:
    """It is the package's model that is meant."""
    return str(run) == NAME and not run.exists()
