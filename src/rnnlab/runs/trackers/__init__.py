"""Where a run's figures go: files, TensorBoard, the terminal.

A tracker is one file of this folder: a class that registers itself. A run asks for its trackers
and knows no more. Logs only ever grow, so a checkpoint notes how long they were, and a run that is
continued cuts them back to that: no step is lost or doubled.
"""

import importlib
import pkgutil

from rnnlab.runs.trackers.tracker import (
    Tracked,
    Tracker,
    UnderWay,
    log_names,
    register,
    trackers_of,
)

__all__ = ["Tracked", "Tracker", "UnderWay", "log_names", "register", "trackers_of"]

for module in pkgutil.iter_modules(__path__):  # files, tensorboard, terminal, and what is added
    importlib.import_module(f"{__name__}.{module.name}")
