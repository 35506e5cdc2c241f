"""What makes two experiments the same one: dotted names, what differs, config_id."""

import dataclasses
import hashlib
import json
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

from rnnlab._common.choices import registered
from rnnlab.config.schema import Config, EvalSettings, StopSettings
from rnnlab.nn.spec import Cell
from rnnlab.training.schedules import Schedule


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested values by dotted names; a choice stands under its group's own name."""
    found = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            found |= flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}".removesuffix(".name")] = value
    return found


def brought_up(config: dict[str, Any]) -> dict[str, Any]:
    """A stored config with what older versions had not, as all was then."""
    younger = {
        "schedule": dataclasses.asdict(Schedule()),
        "stop": dataclasses.asdict(StopSettings()),
        "eval": {"lengths": list(EvalSettings().lengths)},
    }
    cell = config.get("model")
    if isinstance(cell, dict):
        known = registered("model").get(str(cell.get("name")), Cell).__dataclass_fields__
        usual = {name: value for name, value in YOUNGER if name in known}
        config = config | {"model": cell | _missing(cell, usual)}
    return config | _missing(config, younger)


def _missing(values: dict[str, Any], usual: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in usual.items() if name not in values}


def settings_of(config: dict[str, Any]) -> dict[str, Any]:
    """A config's values by dotted names, without what others decide.

    init_sha256 comes with init_from; without clipping theta has no meaning, nor has stop.min_delta
    without patience.
    """
    found = flat(config)
    found.pop("init_sha256", None)
    clip = registered("clip").get(str(found.get("clip")))
    if clip and not clip.uses_theta:
        found.pop("theta", None)
    if found.get("stop.patience") is None:
        found.pop("stop.min_delta", None)
    return found


def by_value(value: Any) -> Hashable:
    """Equal for equal values: 1 is 1.0, and neither is true or the text 1."""
    return value if is_number(value) else json.dumps(value, sort_keys=True)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_typed(value: Any) -> str:
    """A value as short as it reads back the same: 1 for 1.0, 1e-05, true, null, [a,b]."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case float():
            return repr(value).removesuffix(".0")
        case list() | tuple():
            return f"[{','.join(map(as_typed, value))}]"
        case dict():
            return f"{{{','.join(f'{key}:{as_typed(item)}' for key, item in value.items())}}}"
    return str(value)


def differing(all_settings: Iterable[dict[str, Any]]) -> list[str]:
    """The names whose values are not the same in all that have them, in their order.

    What only some have comes with a choice, and the choice is named.
    """
    found: dict[str, set[Hashable]] = {}
    for settings in all_settings:
        for name, value in settings.items():
            found.setdefault(name, set()).add(by_value(value))
    return [name for name, values in found.items() if len(values) > 1]


def changed(all_overrides: Sequence[Sequence[str]]) -> list[str]:
    """What of its overrides each job does not share with all others; all of a job alone."""
    common = set.intersection(*map(set, all_overrides)) if all_overrides else set()
    return [
        " ".join([o for o in overrides if o not in common] or overrides)
        for overrides in all_overrides
    ]


LENGTH = ("num_epochs", "stop.patience", "stop.min_delta", "stop.below")  # how far a run goes
FREE = (  # may change when a run goes on
    *("device", "engine", "log", "eval", "checkpoint", "num_epochs", "stop", "init_from"),
    *("tags", "note", "instruments", "model.file"),
)
YOUNGER = (  # knobs of cells, as all were before them
    *(("init", "normal"), ("forget_bias", 0.0)),
    *(("tied", False), ("first_state", "zero"), ("norm", "none")),
)
FREE_IN_WORDS = (
    "num_epochs, stop.*, device, engine, log.*, eval.*, checkpoint.*, instruments, tags and note"
)
CUTTING = (  # what a text comes to
    *("clean", "token", "min_freq", "max_tokens", "val_fraction", "newlines"),
)


def is_free(name: str) -> bool:
    """A setting by its dotted name that may change when a run goes on: config_id leaves it out.

    Where a text lies and what samples begin with are no part of the experiment; the text is.
    """
    group, _, key = name.partition(".")
    return name in FREE or group in FREE or (group == "dataset" and key not in ("", *CUTTING))


def config_id(config: Config, dataset_sha256: str) -> str:
    """Twelve hex digits of what determines the result mathematically.

    Device, engine, logging, checkpoints and paths do not count (of init_from what it leads to
    does), nor do num_epochs and stop.*: a longer run continues a shorter one. Equal ids are equal
    experiments; the reverse does not hold (optimizer=adam and torch.optim's Adam have different
    ids).
    """
    values = {name: value for name, value in config.as_dict().items() if name not in FREE}
    if not config.clip.uses_theta:
        del values["theta"]
    if config.init_sha256 is None:
        del values["init_sha256"]  # younger than many an id
    if "sha256" in values["model"]:  # a cell of one's own is its code, whatever it is called
        for name in ("name", "file"):
            del values["model"][name]
    if config.schedule.is_constant:
        del values["schedule"]  # as young
    values["dataset"] = {name: values["dataset"][name] for name in CUTTING}
    values["model"] = {n: v for n, v in values["model"].items() if (n, v) not in YOUNGER}
    if not config.dataset.newlines:
        del values["dataset"]["newlines"]  # younger than many an id
    values["dataset"]["sha256"] = dataset_sha256
    canonical = json.dumps(values, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()[:12]


def seedless_id(config: Config, dataset_sha256: str) -> str:
    """The config_id that a config has with seed 0: one for all that differ in nothing but seeds."""
    return config_id(dataclasses.replace(config, seed=0), dataset_sha256)
