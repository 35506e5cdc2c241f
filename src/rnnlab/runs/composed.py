""".hydra in a run's folder: what it was composed of, as Hydra itself saves it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from rnnlab._common.files import make_folder, remove_leftovers_of, write_whole
from rnnlab.config.schema import Config
from rnnlab.config.stored import merged
from rnnlab.runs.folder import COMPOSED, CONFIG, HYDRA, OVERRIDES, overrides_of
from rnnlab.runs.result import Result


@dataclass(frozen=True)
class Composed:
    """A job's overrides, and where a file says more of it, that file's text by its name."""

    overrides: Sequence[str]
    texts: Mapping[str, str] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """By whoever holds the run's folder, or its study's."""
        make_folder(folder / HYDRA)
        for name in COMPOSED:
            remove_leftovers_of(folder, name)
        if overrides_of(folder) != tuple(self.overrides):
            listed = yaml.safe_dump([*self.overrides], default_flow_style=False, allow_unicode=True)
            write_whole(folder, OVERRIDES, listed)
        for name in COMPOSED:
            if text := self.texts.get(Path(name).name):
                write_whole(folder, name, text)


def recompose(folder: Path, config: Config, names: Iterable[str]) -> None:
    """It tells what trains from here on, with other values of these names, where it told of a run.

    hydra.yaml, Hydra's own part, stays that of the command that the run was begun with.
    """
    overrides = overrides_of(folder)
    if overrides is None:
        return
    words = tuple(merged(overrides, config, names))
    if words != overrides:  # else its study has written them
        text = yaml.safe_dump(config.as_dict(), sort_keys=False, allow_unicode=True)
        write_whole(folder, CONFIG, text)  # first: until the overrides are there, it is not done
        Composed(words).save(folder)


def save_mistaken(folder: Path, overrides: Sequence[str], mistake: str) -> None:
    """Leave in a job's folder why it was never trained."""
    Composed(overrides).save(folder)
    Result.without_run(mistake).write(folder)
