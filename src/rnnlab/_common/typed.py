"""From JSON of anybody's hand to a dataclass, each value of exactly the type that it should have.

Every stored file is read through here, so what a file can do to a program is decided here.
"""

import dataclasses
import functools
import json
import math
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from rnnlab._common.choices import Choice, Knobs, named_by

T = TypeVar("T")
LARGEST = 2**64  # no integer here is as large
DEEPEST = 32  # of values in values
types_of = functools.cache(get_type_hints)


def loads(content: bytes | str) -> Any:
    """JSON as the standard has it, of numbers and texts that everything can hold.

    Raises ValueError for anything else: NaN, a number beyond a float or 64 bits, half a character,
    values nested beyond all use.
    """
    try:
        values = json.loads(
            content, parse_constant=_integer, parse_int=_integer, parse_float=_float
        )
        _require_plain(values, DEEPEST)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    return values


def _integer(digits: str) -> int:
    value = int(digits) if len(digits) < 30 and digits.lstrip("-").isdecimal() else LARGEST
    if abs(value) >= LARGEST:
        raise ValueError(f"its number {digits[:30]} is none that counts anything")
    return value


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"its number {digits[:30]} is beyond all numbers")
    return value


def _require_plain(value: Any, depth: int) -> None:
    """Raises ValueError for half a character anywhere, and for what is nested deeper than that."""
    if depth == 0:
        raise ValueError("it is nested too deep")
    match value:
        case str():
            value.encode()
        case dict():
            for key, item in value.items():
                key.encode()
                _require_plain(item, depth - 1)
        case list():
            for item in value:
                _require_plain(item, depth - 1)


def read_as(kind: type[T], values: Any, within: str = "") -> T:
    """The dataclass with these values by name; those that have a default may be missing.

    Raises TypeError for an unknown name, a missing one, a value of another type or out of its
    field's range. An integer is a number too; a list becomes a tuple where one is wanted, a string
    a member of an enum, and of a kind of Choice the registered one that the values name is made.
    """
    if type(values) is not dict:
        raise TypeError(f"its {within.rstrip('.') or 'content'} is not made of names and values")
    if issubclass(kind, Choice):
        kind = named_by(kind, values)
    types = types_of(kind)
    typed = {n: _typed(within + n, value, types.get(n)) for n, value in values.items()}
    if not issubclass(kind, Knobs):  # which say themselves what is out of range
        _require_in_range(kind, typed, within)
    return kind(**typed)


def _require_in_range(kind: type, values: dict[str, Any], within: str) -> None:
    for field in dataclasses.fields(kind):
        allowed, value = field.metadata.get("allowed"), values.get(field.name)
        if allowed and value is not None and not allowed.holds(value):
            raise TypeError(f"its {within}{field.name} is {value}, and not {allowed}")


def _typed(name: str, value: Any, wanted: Any) -> Any:
    """The value as `wanted`, an annotation; None is that of a name that there is not."""
    origin, arguments = get_origin(wanted) or wanted, get_args(wanted)
    if wanted is None or wanted is Any:
        return value
    if origin in (Union, UnionType):  # X | None
        (wanted,) = (each for each in arguments if each is not NoneType)
        return None if value is None else _typed(name, value, wanted)
    if origin is dict and type(value) is dict:
        return {key: _typed(f"{name}.{key}", item, arguments[1]) for key, item in value.items()}
    if origin is tuple and ... not in arguments and type(value) is list:  # of a fixed length
        if len(value) != len(arguments):
            raise TypeError(f"its {name} has {len(value)} parts, and not {len(arguments)}")
        return tuple(_typed(name, *own) for own in zip(value, arguments, strict=True))
    if origin in (list, tuple) and type(value) is list:
        return origin(_typed(name, item, arguments[0]) for item in value)
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        return read_as(wanted, value, f"{name}.")
    if isinstance(wanted, type) and issubclass(wanted, Enum) and value in list(wanted):
        return wanted(value)
    if wanted is float and type(value) is int:
        return float(value)
    if type(value) is wanted:
        return value
    raise TypeError(f"its {name} is not of the type {origin.__name__}")
