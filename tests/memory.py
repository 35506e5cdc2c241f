"""How much memory a call takes at most: torch's by its profiler, Python's by tracemalloc."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable
from typing import Any

from torch.profiler import ProfilerActivity, profile

from rnnlab.nn.engines.threads import torch_threads

CPU = [ProfilerActivity.CPU]


def peak_of_torch(call: Callable[..., object], *arguments: Any, **named: Any) -> int:
    """Bytes of all tensors that the call has made, when these are most; a CPU's."""
    gc.collect()  # what is freed meanwhile would count
    gc.disable()
    try:
        with torch_threads(1), profile(activities=CPU, profile_memory=True) as profiled:
            kept = call(*arguments, **named)
    finally:
        gc.enable()
    assert profiled.profiler
    results: Any = profiled.profiler.kineto_results
    events = [each for each in results.events() if each.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda event: event.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    del kept
    return peak


def peak_of_python(call: Callable[[], object]) -> int:
    """Bytes of all else, NumPy's arrays among it."""
    gc.collect()
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
