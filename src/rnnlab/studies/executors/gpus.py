"""Which GPUs a study's workers may have: torch knows, which the study itself does not import."""

from __future__ import annotations

import runpy
from collections.abc import Set
from importlib.util import find_spec
from multiprocessing.connection import Connection
from pathlib import Path

from rnnlab._common.errors import ConfigError
from rnnlab.studies.executors.local import begin


def gpus_for(devices: Set[str]) -> dict[int, int]:
    """Free bytes of each GPU that jobs with these devices may train on; empty where it is the CPU.

    Raises ConfigError where there are GPUs that torch cannot use.
    """
    if devices <= {"cpu"} or not _torch_knows_gpus():
        return {}
    free = _ask()
    named = {device.partition(":")[2] for device in devices if device.startswith("cuda:")}
    any_will_do = not devices.isdisjoint({"auto", "cuda"})
    return {gpu: size for gpu, size in free.items() if any_will_do or str(gpu) in named}


def _torch_knows_gpus() -> bool:
    """Not a build for CPUs alone, which says so in a file that imports nothing."""
    spec = find_spec("torch")
    built = runpy.run_path(str(Path(str(spec and spec.origin)).with_name("version.py")))
    return bool(built.get("cuda") or built.get("hip"))


def _ask() -> dict[int, int]:
    """In a process as a worker's, with torch."""
    process, line = begin(_tell)
    try:
        answer = line.recv()
    except EOFError:
        process.join()
        answer = f"asking it ended in exit status {process.exitcode}"
    if isinstance(answer, dict):
        return answer
    raise ConfigError(f"torch cannot use this machine's GPU: {answer}. Type device=cpu.")


def _tell(line: Connection) -> None:
    import torch

    try:
        gpus = range(torch.cuda.device_count())
        line.send({gpu: torch.cuda.mem_get_info(gpu)[0] for gpu in gpus})
    except RuntimeError as error:
        line.send(str(error))
