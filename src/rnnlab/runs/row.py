"""A run's row in TensorBoard's table of runs: its settings, and the group that it shares.

TensorBoard shows a group's mean, with the settings of whichever of its runs it reads first. So two
runs of one group have equal columns, however they came about, but for where an equal text or an
equal start lies; the seed, in which they differ, is none.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rnnlab.config.identity import LENGTH, as_typed, is_free, is_number, seedless_id, settings_of
from rnnlab.config.schema import Config
from rnnlab.config.stored import from_dict
from rnnlab.runs import events
from rnnlab.runs.folder import held
from rnnlab.runs.result import Result, Status

TOLD = (*LENGTH, "init_from", "dataset.path")  # of what config_id leaves out or says by a hash
REMARKS = ("tags", "note")


def hparams_of(config: Config, swept: list[str]) -> events.Settings:
    """What makes the run's experiment, its length, and what else its study varies.

    What is null or empty, or has no meaning here, is left out: a column is of numbers or of texts,
    and TensorBoard keeps rows that have nothing in it.
    """
    return {
        name: value if is_number(value) else as_typed(value)
        for name, value in settings_of(config.as_dict()).items()
        if not is_free(name) or name in (*TOLD, *_varied(swept))
        if name != "seed" and value not in (None, {})
    }


def group_of(config: Config, swept: list[str], dataset_sha256: str) -> str:
    """rnn lr=1 theta=1 sgd 512x1 num_epochs=500 3f9a1c2b4d5e: one for all seeds of a setting."""
    settings = settings_of(config.as_dict())
    return " ".join(
        (
            config.model.name,
            *_words(settings, ("lr", "theta")),
            config.optimizer.title,
            f"{config.num_hiddens}x{config.num_layers}",
            *_words(settings, dict.fromkeys((*LENGTH, *_varied(swept)))),
            seedless_id(config, dataset_sha256),
        )
    )


def write_row(folder: Path, config: Config, swept: list[str], sha256: str, status: Status) -> None:
    """`sha256` is the text's."""
    ended = status == Status.completed if status.has_ended else None
    group = group_of(config, swept, sha256)
    events.write_row(folder, hparams_of(config, swept), group, ended)


def write_swept(folder: Path, swept: list[str]) -> None:
    """A run's study has grown, and its jobs differ in these settings now.

    Raises ConfigError where the run's result cannot be read, or another process works there.
    """
    with held([folder]):
        result = Result.read(folder)
        text = str(result.dataset.get("sha256"))
        write_row(folder, from_dict(result.config), swept, text, result.status)
        result.swept = swept
        result.write(folder)


def _varied(swept: list[str]) -> list[str]:
    """What is no part of the experiment and was compared all the same, as engines may be."""
    return [name for name in swept if is_free(name) and name not in REMARKS]


def _words(settings: dict[str, Any], names: Iterable[str]) -> list[str]:
    return [
        f"{name}={as_typed(settings[name])}" for name in names if settings.get(name) is not None
    ]
