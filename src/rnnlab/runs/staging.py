"""The checkpoints of a stack, all from the same step whenever the process is killed.

They are first all staged, as NEXT, then all put in their places, as LAST. A kill in between leaves
some lanes with a newer one than others, but never without a common one.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from rnnlab._common.errors import ConfigError, require
from rnnlab._common.files import flush_folder, put_in_place
from rnnlab.runs.checkpoint import Checkpoint, load_checkpoint
from rnnlab.runs.folder import CHECKPOINTS, LAST, NEXT


def commit(folder: Path) -> None:
    """What was staged takes the place of the last checkpoint."""
    put_in_place(folder / NEXT, folder / LAST)
    flush_folder(folder / CHECKPOINTS)  # before another one is staged: see newest_common


def newest_common(stack: Mapping[Path, str]) -> list[Checkpoint]:
    """The newest that all of these folders have; none if one has none yet. It becomes LAST.

    `stack` are the runs' config_ids by their folders. Raises ConfigError for a checkpoint of
    another experiment, or where there is no common one.
    """
    found = [_by_position(folder) for folder in stack]
    if not all(found):  # killed while the first ones were written
        return []
    common = set.intersection(*(set(own) for own in found))
    require(bool(common), f"continuing {next(iter(stack))}", "its stack has no common checkpoint")
    chosen = []
    for (folder, config_id), own in zip(stack.items(), found, strict=True):
        name, checkpoint = own[max(common)]
        require(
            checkpoint.config_id == config_id,
            f"continuing {folder}",
            f"its checkpoint is of another experiment, {checkpoint.config_id}",
        )
        if name == NEXT:
            commit(folder)
        (folder / NEXT).unlink(missing_ok=True)
        chosen.append(checkpoint)
    return chosen


def _by_position(folder: Path) -> dict[tuple[int, int], tuple[str, Checkpoint]]:
    """The folder's checkpoints; of two of the same step the last one.

    Of two one may be damaged: the other one is as good. Raises ConfigError if none can be read.
    """
    found, mistakes = {}, []
    for name in (NEXT, LAST):
        try:
            if (folder / name).exists():
                checkpoint = load_checkpoint(folder, name)
                found[checkpoint.position] = name, checkpoint
        except ConfigError as error:
            mistakes.append(error)
    if mistakes and not found:
        raise mistakes[-1]
    return found
