"""Choices of a group of the config, each defined and registered in one place.

A choice is a frozen dataclass: its fields are its knobs, each with meaning and range beside it, and
its methods are what it does. So a value of the config is the thing itself, and no table elsewhere
says what a name stands for. Modules that define choices are imported for every command, mistakes
and --help included, so they import torch late (late.py).
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from rnnlab._common.errors import not_allowed, require

T = TypeVar("T")
LARGEST = 2**63 - 1  # whole number that files, tensors and event logs have room for
LONGEST_SHOWN = 200  # characters of a value, in a sentence
_registered: dict[str, dict[str, Any]] = {}


def register(group: str, name: str, thing: T, replace: type | None = None) -> T:
    """Make a thing known as GROUP=NAME; raises ValueError if another one has the name already.

    Classes below `replace` may be replaced by others of it.
    """
    known = _registered.setdefault(group, {})
    before = known.get(name)
    may_go = replace and isinstance(before, type) and issubclass(before, replace)
    if name in known and repr(before) != repr(thing) and not may_go:
        raise ValueError(f"{group}={name} is {before!r} already")
    known[name] = thing
    return thing


def choice(name: str) -> Callable[[type[T]], type[T]]:
    """Register a subclass of Choice under its group and this name."""
    return lambda cls: register(cls.group, name, cls)  # type: ignore[attr-defined]


def registered(group: str) -> Mapping[str, Any]:
    """All that a group can be, in the order of definition."""
    return _registered.get(group, {})


# --- knobs -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Allowed:
    """Which values a knob may have; None, where the knob's type has it, is always allowed."""

    at_least: float | None = None
    above: float | None = None
    below: float | None = None
    at_most: float | None = None  # beside at_least: what would take all time or memory is no value
    one_of: tuple[str, ...] = ()  # names; @group is all that is registered in it
    instead: str = ""  # what to type for what lies outside

    def names(self) -> list[str]:
        found = []
        for each in self.one_of:
            found += registered(each[1:]) if each.startswith("@") else [each]
        return found

    def holds(self, value: Any) -> bool:
        if self.one_of:
            return value in self.names()
        low = -math.inf if self.at_least is None else self.at_least
        lower = -math.inf if self.above is None else self.above
        high = math.inf if self.below is None else self.below
        highest = math.inf if self.at_most is None else self.at_most
        return low <= value < high and lower < value <= highest

    @property
    def is_given(self) -> bool:
        bounds = (self.at_least, self.above, self.below, self.at_most)
        return bool(self.one_of) or any(bound is not None for bound in bounds)

    def __str__(self) -> str:
        """one of a, b; >= 0; in [0, 1); in [1, 1000]."""
        if self.one_of:
            return f"one of {', '.join(self.names())}"
        if self.below is not None:
            return f"in [{self.at_least:g}, {self.below:g})"
        if self.at_most is not None:
            return f"in [{self.at_least}, {self.at_most}]"
        return f"> {self.above:g}" if self.at_least is None else f">= {self.at_least:g}"


def knob(
    meaning: str,
    *,
    default: Any = dataclasses.MISSING,
    default_factory: Any = dataclasses.MISSING,
    at_least: float | None = None,
    above: float | None = None,
    below: float | None = None,
    at_most: float | None = None,
    one_of: tuple[str, ...] = (),
    instead: str = "",
) -> Any:
    """A field with its meaning and its range, which --help shows and `Knobs` checks.

    Fields of stored files have theirs too, for the reference (docs/make_reference.py).
    """
    allowed = Allowed(at_least, above, below, at_most, one_of, instead)
    metadata = {"meaning": meaning, "allowed": allowed if allowed.is_given else None}
    return dataclasses.field(default=default, default_factory=default_factory, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Knobs:
    """Named values, each in its range; raises ConfigError when made with another one."""

    group: ClassVar[str] = ""  # what stands before its knobs' names, but for the dot

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            allowed, value = field.metadata.get("allowed"), getattr(self, field.name)
            name = f"{self.group}.{field.name}" if self.group else field.name
            if allowed is None or value is None or allowed.holds(value):
                _require_storable(name, value)
                continue
            kind = {int: "a whole number ", float: "a finite number "}.get(type(value), "")
            hint = f"; {allowed.instead}" if allowed.instead else ""
            raise not_allowed(f"{name}={_short(value)}", f"{name} is {kind}{allowed}{hint}")


def _require_storable(name: str, value: Any) -> None:
    """Whatever a knob holds has to fit in the files of a run."""
    rule = ""
    match value:
        case int() if abs(value) > LARGEST:
            rule = f"{name} is a whole number of at most {LARGEST}"
        case float() if not math.isfinite(value):
            rule = f"{name} is a finite number"
        case str() if value.encode(errors="ignore").decode() != value:
            rule = "it has a byte that is no character in UTF-8; name it otherwise"
        case list() | tuple():
            for item in value:
                _require_storable(name, item)
        case dict():
            for key, item in value.items():
                _require_storable(f"{name}.{key}", item)
    if rule:
        raise not_allowed(f"{name}={_short(value)}", rule)


def _short(value: Any) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


@dataclass(frozen=True, kw_only=True)
class Choice(Knobs):
    """What a group can be; its name says in result.json and in checkpoints which one it is."""

    name: str

    def __post_init__(self) -> None:
        own = type(self).__dataclass_fields__["name"].default
        ours = own is dataclasses.MISSING or self.name == own
        require(ours, f"the name {self.name}", f"this choice is {own}; see --help")
        super().__post_init__()


Find = Callable[[Mapping[str, Any]], type[Any] | None]
_finders: dict[str, Find] = {}


def found_by(group: str, find: Find) -> None:
    """Stored values of this group are shown to `find` first; None: it knows nothing of them."""
    _finders[group] = find


def named_by(kind: type[Any], values: Mapping[str, Any]) -> type[Any]:
    """The choice of this kind's group that stored values are of; raises TypeError for none.

    It is the one of that name, or where names are free (a text's) the one with these fields; those
    with a default may be missing.
    """
    known = registered(kind.group)
    if kind.group in _finders and (found := _finders[kind.group](values)):
        return found
    for name, each in known.items():
        fields = {field.name: field for field in dataclasses.fields(each)}
        needed = {n for n, field in fields.items() if field.default is dataclasses.MISSING}
        fits = "name" in needed and needed <= values.keys() <= fields.keys()
        if values.get("name") == name or fits:
            return each
    raise TypeError(f"{kind.group}={values.get('name')} is none of {', '.join(known)}")
