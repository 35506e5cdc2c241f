"""What makes two experiments the same one: dotted names, what differs, config_id."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

from rnnlab.config.schema import Config


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted names; a choice stands under its group's own name."""
    found = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}".removesuffix(".name")] = value
    return found


def differing(all_settings: Iterable[dict[str, Any]]) -> list[str]:
    """The names that all of these have, and whose values are not the same in all.

    What only some have comes with a choice, and the choice is named.
    """
    given = list(all_settings)
    names = [name for name in given[0] if all(name in each for each in given)] if given else []
    return [name for name in names if len({repr(each[name]) for each in given}) > 1]


def changed(all_overrides: Sequence[Sequence[str]]) -> list[str]:
    """What of its overrides each job does not share with all others; all of a job alone."""
    common = set.intersection(*map(set, all_overrides)) if all_overrides else set()
    return [
        " ".join([o for o in overrides if o not in common] or overrides)
        for overrides in all_overrides
    ]


FREE = ("device", "engine", "log", "checkpoint", "num_epochs")  # may change when a run goes on
CUTTING = ("clean", "token", "min_freq", "max_tokens", "val_fraction")  # what a text comes to


def is_free(name: str) -> bool:
    """A setting by its dotted name that may change when a run goes on: config_id leaves it out.

    Where a text lies and what samples begin with are no part of the experiment; the text is.
    """
    group, _, key = name.partition(".")
    return group in FREE or (group == "dataset" and key not in ("", *CUTTING))


def config_id(config: Config, dataset_sha256: str) -> str:
    """Twelve hex digits of what determines the result mathematically.

    Device, engine, logging, checkpoints and paths do not count, nor does num_epochs: a longer
    run continues a shorter one. Equal ids are equal experiments; the reverse does not hold
    (optimizer=adam and torch.optim's Adam have different ids).
    """
    values = {name: value for name, value in config.as_dict().items() if name not in FREE}
    if not config.clip.uses_theta:
        del values["theta"]
    values["dataset"] = {name: values["dataset"][name] for name in CUTTING}
    values["dataset"]["sha256"] = dataset_sha256
    canonical = json.dumps(values, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]
