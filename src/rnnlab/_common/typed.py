"""Values that were read from a file, held to the types of a dataclass: strict, and nothing runs.

    construct(Config, json.load(file))

An int passes for a float, a list for a tuple, a text for the member of an enumeration that has it,
None where the type has it; a field that is a Choice is made of the registered choice that the
values name. Nothing else passes.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from rnnlab._common.choices import Choice, registered

T = TypeVar("T")


def construct(kind: type[T], values: Any, name: str = "the object") -> T:
    """An object of this dataclass; raises TypeError, or what the class itself raises."""
    if not (isinstance(values, Mapping) and all(isinstance(key, str) for key in values)):
        raise TypeError(f"{name} is {values!r}, not an object with names")
    if issubclass(kind, Choice):
        kind = choice_of(kind, values)
    hints = _hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.init}  # type: ignore[arg-type]
    if unknown := values.keys() - fields.keys():
        raise TypeError(f"{name} has an unexpected {sorted(unknown)[0]}")
    for field in fields.values():
        required = field.default is field.default_factory is dataclasses.MISSING
        if required and field.name not in values:
            raise TypeError(f"{name} has no {field.name}")
    return kind(**{key: held_to(hints[key], value, key) for key, value in values.items()})


def choice_of(kind: type[Choice], values: Mapping[str, Any]) -> type[Any]:
    """The registered choice that the values name; one with a free name is known by its fields."""
    known = registered(kind.group)
    named = known.get(str(values.get("name")))
    if named is None:
        same = [
            each
            for each in known.values()
            if {field.name for field in dataclasses.fields(each)} == set(values)
            and each.__dataclass_fields__["name"].default is dataclasses.MISSING
        ]
        named = same[0] if same else None
    if named is None:
        raise TypeError(f"{kind.group}={values.get('name')} is none of {', '.join(known)}")
    return named


def held_to(kind: Any, value: Any, name: str) -> Any:
    """The value as this type has it; raises TypeError where it is of another one."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any:
        return value
    if origin in (Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        (kind,) = (each for each in arguments if each is not type(None))
        return held_to(kind, value, name)
    if origin in (list, tuple) and isinstance(value, list | tuple):
        return origin(held_to(arguments[0], item, name) for item in value)
    if origin is dict and isinstance(value, dict):
        of_key, of_value = arguments
        return {held_to(of_key, k, name): held_to(of_value, v, name) for k, v in value.items()}
    if isinstance(kind, type):
        if dataclasses.is_dataclass(kind):
            return construct(kind, value, name)
        if issubclass(kind, Enum) and value in [member.value for member in kind]:
            return kind(value)
        if type(value) is kind:
            return value
        if kind is float and type(value) is int and abs(value) < 1e300:
            return float(value)
    raise TypeError(f"its {name} is {value!r}")


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)
