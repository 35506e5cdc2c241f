""".hydra in a run's folder: what it was composed of, as Hydra itself saves it."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import yaml

from rnnlab.runs.folder import HYDRA, OVERRIDES
from rnnlab.runs.result import Result


def save(folder: Path, overrides: Sequence[str], texts: Mapping[str, str]) -> None:
    """The overrides, and texts by their files' names."""
    (folder / HYDRA).mkdir(parents=True, exist_ok=True)
    listed = yaml.safe_dump([*overrides], default_flow_style=False, allow_unicode=True)
    (folder / OVERRIDES).write_text(listed, encoding="utf-8")
    for name, text in texts.items():
        (folder / HYDRA / name).write_text(text, encoding="utf-8")


def save_mistaken(folder: Path, overrides: Sequence[str], mistake: str) -> None:
    """Leave in a job's folder why it was never trained."""
    save(folder, overrides, {})
    Result.without_run(mistake).write(folder)
