"""Functions that numba compiles, once for a processor and a version of their package."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba
from numba import njit


def part(function: Callable[..., Any]) -> Any:
    """A decorator: compiled as a part of the kernels that call it, and for nobody else."""
    options: dict[str, Any] = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
    return njit(nogil=True, error_model="numpy", **options)(function)


def kernel(function: Callable[..., Any]) -> Any:
    """A decorator: compiled when it is first called, without the interpreter's lock.

    Division by zero is infinite, as in torch. Where nothing can be kept it is compiled every time.
    """
    config: Any = numba.config
    before, config.CACHE_DIR = config.CACHE_DIR, _folder(Path(function.__code__.co_filename).parent)
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:
        return njit(nogil=True, error_model="numpy")(function)
    finally:
        config.CACHE_DIR = before


@cache
def _folder(package: Path) -> str:
    """Of this very source: numba itself would look at a function's own file only."""
    config: Any = numba.config
    sources = b"".join(path.read_bytes() for path in sorted(package.glob("*.py")))
    version = hashlib.sha256(sources).hexdigest()[:16]
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return str(Path(config.CACHE_DIR or Path(caches, "rnnlab"), f"{package.name}-{version}"))
