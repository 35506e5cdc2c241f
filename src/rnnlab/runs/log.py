"""run.log: the messages of a run, apart from those of every other."""

from __future__ import annotations

import contextlib
import io
import logging
from pathlib import Path

from rnnlab._common.files import opened
from rnnlab.runs.folder import MESSAGES

FORMAT = "[%(asctime)s][%(name)s][%(levelname)s] - %(message)s"  # Hydra's


def logger_of(folder: Path) -> logging.Logger:
    """Writes to the folder's run.log, where hydra.job_logging has not arranged anything else.

    It is not one of getLogger's: those are shared by all folders that end in the same name.
    """
    logger = logging.Logger(f"rnnlab.run.{folder.name.replace('.', '_')}")
    logger.parent = logging.getLogger("rnnlab")
    if not logger.hasHandlers():
        logger.addHandler(LogFile(folder))
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return logger


class LogFile(logging.StreamHandler[io.TextIOWrapper]):
    """Appends to a folder's run.log. What cannot be written is missed: it decides about nothing."""

    def __init__(self, folder: Path) -> None:
        file = opened(folder, MESSAGES, "ab")
        super().__init__(io.TextIOWrapper(file, "utf-8", errors="backslashreplace"))
        self.setFormatter(logging.Formatter(FORMAT))

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802
        """Python would print a traceback for each message."""

    def close(self) -> None:
        super().close()
        with contextlib.suppress(OSError):
            self.stream.close()
