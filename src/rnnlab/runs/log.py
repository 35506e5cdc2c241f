"""run.log: the messages of a run, apart from those of every other."""

from __future__ import annotations

import logging
from pathlib import Path

from rnnlab.runs.folder import MESSAGES

FORMAT = "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"  # Hydra's


def logger_of(folder: Path) -> logging.Logger:
    """Writes to the folder's run.log where nobody has arranged anything else, as Hydra does.

    It is not one of getLogger's: those are shared by all folders that end in the same name.
    """
    logger = logging.Logger(f"rnnlab.run.{folder.name.replace('.', '_')}")
    logger.parent = logging.getLogger("rnnlab")
    if not logger.hasHandlers():
        logger.addHandler(log_file(folder))
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return logger


def log_file(folder: Path) -> logging.Handler:
    """run.log, written as hydra.job_logging has it in conf/config.yaml."""
    handler = logging.FileHandler(folder / MESSAGES)
    handler.setFormatter(logging.Formatter(FORMAT))
    return handler
