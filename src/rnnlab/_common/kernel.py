"""Functions that numba compiles, once for a processor and a version of their package."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy"}  # x / 0 is infinite, as in torch


def kernel(function: Callable[..., Any]) -> Any:
    """A decorator: compiled when it is first called, without the interpreter's lock.

    Where nothing can be kept it is compiled in every process.
    """
    import numba

    config: Any = numba.config
    folder = kept_in(Path(function.__code__.co_filename).parent)
    before, config.CACHE_DIR = config.CACHE_DIR, str(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return numba.njit(cache=True, **OPTIONS)(function)
    except (OSError, RuntimeError):
        return numba.njit(**OPTIONS)(function)
    finally:
        config.CACHE_DIR = before


def part(function: Callable[..., Any]) -> Any:
    """A decorator: compiled as a part of the kernels that call it, and for nobody else."""
    import numba

    alone: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return numba.njit(**OPTIONS, **alone)(function)


@cache
def kept_in(package: Path) -> Path:
    """Of this very source: numba itself would look at a function's own file only."""
    sources = b"".join(path.read_bytes() for path in sorted(package.glob("*.py")))
    version = hashlib.sha256(sources).hexdigest()[:16]
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = os.environ.get("NUMBA_CACHE_DIR") or Path(caches, "rnnlab")
    return Path(folder, f"{package.name}-{version}")


def is_compiled(package: ModuleType) -> bool:
    """Something of it is kept; numba is not imported for the answer."""
    return any(kept_in(Path(str(package.__file__)).parent).rglob("*.nbi"))
