"""What torchrun tells of the processes that it has started for one job. Imports no torch."""

import os


def processes() -> int:
    """1 without torchrun."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "RANK" in os.environ else 1


def is_first() -> bool:
    """This process writes what is written."""
    return processes() == 1 or os.environ["RANK"] == "0"


def own_gpu() -> int | None:
    """Its number on this machine; None where it is no matter of ranks."""
    return int(os.environ["LOCAL_RANK"]) if processes() > 1 and "LOCAL_RANK" in os.environ else None
