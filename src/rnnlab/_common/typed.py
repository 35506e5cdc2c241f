"""From values that JSON gave to a dataclass, each of exactly the type that its annotation says."""

import dataclasses
import functools
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from rnnlab._common.choices import Choice, named_by

T = TypeVar("T")
LARGEST = 2**1023  # beyond it an integer is none of the floats
types_of = functools.cache(get_type_hints)


def read_as(kind: type[T], values: Any, within: str = "") -> T:
    """The dataclass with these values by name; those that have a default may be missing.

    Raises TypeError for an unknown name, a missing one, or a value of another type. An integer
    is a number too; a list becomes a tuple where one is wanted, a string a member of an enum, and
    of a kind of Choice the registered one that the values name is made.
    """
    if type(values) is not dict:
        raise TypeError(f"its {within.rstrip('.') or 'content'} is not made of names and values")
    if issubclass(kind, Choice):
        kind = named_by(kind, values)
    types = types_of(kind)
    typed = {n: _typed(within + n, value, types.get(n)) for n, value in values.items()}
    return kind(**typed)


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
    if origin in (list, tuple) and type(value) is list:
        return origin(_typed(name, item, arguments[0]) for item in value)
    if dataclasses.is_dataclass(wanted) and isinstance(wanted, type):
        return read_as(wanted, value, f"{name}.")
    if isinstance(wanted, type) and issubclass(wanted, Enum) and value in list(wanted):
        return wanted(value)
    if wanted is float and type(value) is int and abs(value) < LARGEST:
        return float(value)
    if type(value) is wanted:
        return value
    raise TypeError(f"its {name} is not of the type {origin.__name__}")
