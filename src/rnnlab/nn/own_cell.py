"""A cell out of a file of one's own: a function `step`, and what it does not go without.

    import torch

    def step(X, H, *, W_xz, b_z, W_xh, b_h):        # minGRU, Feng et al. 2024
        Z = torch.sigmoid(X @ W_xz + b_z)
        return (1 - Z) * H + Z * (X @ W_xh + b_h)

What comes by its place is the input (K, B, I) and the states (K, B, H), of which the first is the
layer's output and all are returned. What comes by name is a parameter: W_x... (K, I, H),
W_h... (K, H, H), b_... (K, 1, H), unless a function shapes(I, H) says otherwise. What has a default
is a knob, model.NAME=VALUE. A function init(name, shape, generator) may give the first values of a
parameter, or None for the usual ones. A line broadcasts over K lanes and B sequences, which do not
see each other. Imports no torch by itself.
"""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import linecache
import re
import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from inspect import Parameter
from typing import Any, ClassVar

from rnnlab._common.choices import knob, register
from rnnlab._common.errors import ConfigError, require, said
from rnnlab.nn.spec import Cell, Shape

KNOBS = (bool, int, float, str)  # types that one can be of
_known: dict[tuple[str, str], type[OwnCell]] = {}


@dataclass(frozen=True, kw_only=True)
class OwnCell(Cell):
    """What a file's cell is besides its knobs. Its code travels with it to other processes."""

    file: str = knob("where its code was when it was typed", default="")
    sha256: str = knob("of its code", default="")
    source: ClassVar[str] = ""
    functions: ClassVar[Mapping[str, Any]] = {}
    parameters: ClassVar[tuple[str, ...]] = ()
    knobs: ClassVar[tuple[str, ...]] = ()

    def step(self, X: Any, *states: Any, **weights: Any) -> tuple[Any, ...]:
        own = {name: getattr(self, name) for name in self.knobs}
        found = self.functions["step"](X, *states, **weights, **own)
        return found if isinstance(found, tuple) else (found,)

    def shapes(self, inputs: int, hiddens: int) -> dict[str, Shape]:
        if shapes := self.functions.get("shapes"):
            return {name: tuple(shape) for name, shape in shapes(inputs, hiddens).items()}
        by_kind = {"W_x": (inputs, hiddens), "W_h": (hiddens, hiddens), "b_": (1, hiddens)}
        return {name: by_kind[_kind(name)] for name in self.parameters}

    def first_values(self, name: str, shape: Shape, generator: Any) -> Any:
        init = self.functions.get("init")
        return init(name, shape, generator) if init and name else None

    def side_by_side(self) -> dict[str, list[str]]:
        """Each by itself: their shapes may be any."""
        return {name: [name] for name in self.shapes(1, 1)}

    def __reduce__(self) -> tuple[Any, ...]:
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return _made, (self.source, self.name, values)


def _made(source: str, name: str, values: dict[str, Any]) -> OwnCell:
    return own_cell(source, name, values["file"])(**values)


def digest(source: str) -> str:
    return hashlib.sha256(source.encode()).hexdigest()


def own_cell(source: str, name: str, file: str) -> type[OwnCell]:
    """Run the code, and register the cell under that name; raises ConfigError for a mistake in it.

    Where another code has the name already, that of the last one is what the name stands for.
    """
    sha256 = digest(source)
    if (name, sha256) not in _known:
        _known[name, sha256] = _cell(source, name, file, sha256)
    return register("model", name, _known[name, sha256], replace=OwnCell)


def known_cell(name: str, sha256: str) -> type[OwnCell] | None:
    """One whose code has run in this process."""
    return _known.get((name, sha256))


def _cell(source: str, name: str, file: str, sha256: str) -> type[OwnCell]:
    functions = _run(source, file)
    step: Any = functions.get("step")
    is_function = inspect.isfunction(step)
    require(is_function, file, "it has no function step(X, H, *, W_xh, ...)")
    place = f"{file}, line {step.__code__.co_firstlineno}"
    signature = inspect.signature(step).parameters.values()
    states = [p.name for p in signature if p.kind is Parameter.POSITIONAL_OR_KEYWORD][1:]
    named = [p for p in signature if p.kind is Parameter.KEYWORD_ONLY]
    parameters = tuple(p.name for p in named if p.default is Parameter.empty)
    knobs = [_knob(p, file, place) for p in named if p.default is not Parameter.empty]
    require(bool(states), place, "step takes the input, at least one state, and * before the rest")
    if "shapes" not in functions:
        other = [name for name in parameters if not _kind(name)]
        kinds = "a parameter is called W_x..., W_h... or b_..., or a function shapes(I, H) says it"
        require(not other, f"{place}: {', '.join(other)}", kinds)
    members: dict[str, Any] = {
        "source": source,
        "functions": functions,
        "states": tuple(states),
        "parameters": parameters,
        "knobs": tuple(name for name, *_ in knobs),
        "__doc__": functions.get("__doc__") or f"The cell of {file}.",
    }
    fixed: list[Any] = [
        ("name", str, name),
        ("file", str, knob("where its code was when it was typed", default=file)),
        ("sha256", str, knob("of its code", default=sha256, one_of=(sha256,))),
    ]
    identifier = re.sub(r"\W", "_", name)
    made = dataclasses.make_dataclass(
        identifier, [*fixed, *knobs], bases=(OwnCell,), namespace=members, frozen=True, kw_only=True
    )
    made.__module__ = __name__
    return made


def _knob(parameter: Parameter, file: str, place: str) -> tuple[str, type, Any]:
    name, default = parameter.name, parameter.default
    taken = {field.name for field in dataclasses.fields(OwnCell)} | {"name"}
    require(type(default) in KNOBS, f"{place}: {name}={default!r}", "a knob is a number, a text, "
            "true or false")  # fmt: skip
    require(name not in taken and not hasattr(OwnCell, name), f"{place}: a knob {name}",
            "every cell has that name already")  # fmt: skip
    return name, type(default), knob(f"a knob of {file}", default=default)


def _kind(name: str) -> str:
    """Which of the shapes that go without saying a parameter has; empty for none."""
    return next((kind for kind in ("W_x", "W_h", "b_") if name.startswith(kind)), "")


def _run(source: str, file: str) -> dict[str, Any]:
    """What the code defines; a mistake in it is a sentence with its line."""
    linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    namespace: dict[str, Any] = {"__name__": "rnnlab_own_cell", "__file__": file}
    try:
        exec(compile(source, file, "exec"), namespace)
    except Exception as error:
        raise mistake(error, file) from error
    return namespace


def mistake(error: Exception, file: str) -> ConfigError:
    """The sentence for what code of that file has raised."""
    if isinstance(error, SyntaxError):
        return ConfigError(f"{file}, line {error.lineno}: {error.msg}.")
    own = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f"{file}, line {own[-1].lineno}" if own else file
    what = " ".join(said(error).split()).rstrip(".")
    return ConfigError(f"{where}: {type(error).__name__}: {what}.")
