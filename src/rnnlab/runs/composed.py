""".hydra in a run's folder: what it was composed of, as Hydra itself saves it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from rnnlab.runs.result import Result

COMPOSED = ".hydra"
OVERRIDES = "overrides.yaml"


def overrides_of(folder: Path) -> tuple[str, ...] | None:
    """The overrides that a job's folder was made with; None where that cannot be read."""
    try:
        text = (folder / COMPOSED / OVERRIDES).read_text(encoding="utf-8")
        return tuple(map(str, yaml.safe_load(text)))
    except (OSError, ValueError, TypeError, yaml.YAMLError):
        return None


def save(folder: Path, overrides: Sequence[str], texts: Mapping[str, str]) -> None:
    """The overrides, and texts by their files' names."""
    home = folder / COMPOSED
    home.mkdir(parents=True, exist_ok=True)
    listed = yaml.safe_dump([*overrides], default_flow_style=False, allow_unicode=True)
    for name, text in {OVERRIDES: listed, **texts}.items():
        (home / name).write_text(text, encoding="utf-8")


def save_mistaken(folder: Path, overrides: Sequence[str], mistake: str) -> None:
    """Leave in a job's folder why it was never trained."""
    save(folder, overrides, {})
    Result.without_run(mistake).write(folder)
