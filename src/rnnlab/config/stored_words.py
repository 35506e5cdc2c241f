"""What a study's folder may ask for: the words of a stored command that are taken, a closed list.

A folder may come from somebody else, and Hydra's words can do anything: import code, write
anywhere, read the environment. So of a stored command only what a study needs is taken: the knobs
and choices of its jobs, which sweeper, and that sweeper's numbers. All other words are for a person
to type.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, QuotedString
from hydra.errors import HydraException

from rnnlab.config.backends import BACKENDS
from rnnlab.config.names import all_keys, groups
from rnnlab.config.rows import ROWS

FLAGS = ("-m", "--multirun", "on_invalid=skip", "on_invalid=abort")
FLAGS += tuple(f"backend={name}" for name in BACKENDS)
NAME = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
OPTION = re.compile(r"optimizer\.options\.[A-Za-z]\w*")  # of a class of torch.optim
SWEEPERS = re.compile(  # no object that Hydra would make, no storage
    "|".join(
        [
            r"hydra\.launcher\.(workers|lanes)",
            r"hydra\.launcher\.slurm\.(cluster|partition|minutes|cpus|gpus)",
            r"hydra\.launcher\.ray\.(cpus|gpus)",
            r"hydra\.sweeper\.(direction|n_trials|n_jobs|max_failure_rate|max_batch_size)",
            r"hydra\.sweeper\.sampler\.[A-Za-z]\w*",
        ]
    )
)
CHOSEN = re.compile(rf"hydra/launcher=stacked|hydra/sweeper(/sampler)?={NAME}")
PARAMETER = "hydra.sweeper.params."  # followed by a knob


def not_taken(words: Sequence[str]) -> list[str]:
    """Those of a study's command that only a person may say."""
    return overrides_not_taken([word for word in words if word not in FLAGS])


def overrides_not_taken(overrides: Sequence[str]) -> list[str]:
    """Those of a job that only a person may say."""
    knobs, choices = {*all_keys()}, {*groups()}
    return [override for override in overrides if not _is_taken(override, knobs, choices)]


def _is_taken(word: str, knobs: set[str], choices: set[str]) -> bool:
    if word.startswith("-"):
        return False
    if CHOSEN.fullmatch(word):
        return True
    try:
        override = OverridesParser.create().parse_override(word)
    except HydraException:
        return False
    if override.package is not None or override.is_delete():
        return False
    if "${" in word or "${" in repr(override.value()):  # an interpolation can read the environment
        return False
    key = override.key_or_group
    if key == ROWS:
        value = override.value()
        rows = value if isinstance(value, list) else [[""]]
        return all(_is_taken(str(own), knobs, choices) for row in rows for own in row)
    if SWEEPERS.fullmatch(key) or OPTION.fullmatch(key):
        return override.is_sweep_override() or not isinstance(override.value(), dict | list)
    if override.is_add() or override.is_force_add():
        return key.startswith(PARAMETER) and key.removeprefix(PARAMETER) in knobs
    if key in choices:
        return _are_names(override)
    return key.removeprefix(PARAMETER) in knobs


def _are_names(override: Override) -> bool:
    """Choices by their names: a path would lead to a file that is none of ours."""
    match override.value():
        case Glob():  # stands for names that are known
            return True
        case ChoiceSweep(list=listed):
            names = [each.text if isinstance(each, QuotedString) else each for each in listed]
        case _ if override.is_sweep_override():  # a range is of numbers
            return False
        case name:
            names = [name]
    return all(isinstance(n, str) and re.fullmatch(NAME, n) and ".." not in n for n in names)
