"""What a result was made with: versions, code, machine, device."""

from __future__ import annotations

import contextlib
import os
import platform
import shlex
import subprocess
import sys
from datetime import datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from rnnlab._common.errors import require
from rnnlab._common.late import torch
from rnnlab._common.machine import cores
from rnnlab._common.torchrun import own_gpu, processes

INSTRUCTIONS = (  # environment variables that choose a library's, beside torch's own
    "MKL_ENABLE_INSTRUCTIONS",
    "MKL_CBWR",
    "ONEDNN_MAX_CPU_ISA",
    "OPENBLAS_CORETYPE",
)
PACKAGES = ("rnnlab", "torch", "numpy", "hydra-core", "omegaconf", "tensorboard", "safetensors")


def resolve_device(wanted: str) -> torch.device:
    """auto is a GPU where there is one; raises ConfigError for a GPU that is not there.

    auto and cuda are this process's own GPU, by its number: a study's workers have one each.
    """
    if device_type(wanted) == "cpu":
        return torch.device("cpu")
    index = wanted.partition(":")[2] or own_gpu()
    return torch.device("cuda", torch.cuda.current_device() if index is None else int(index))


def device_type(wanted: str) -> str:
    """Of what resolve_device gives; counting GPUs takes no memory of theirs."""
    count = torch.cuda.device_count()
    if wanted == "auto":
        return "cuda" if count else "cpu"
    device = torch.device(wanted)
    require(
        device.type == "cpu" or (device.index or 0) < count,
        f"device={wanted}",
        f"this machine has {count} CUDA device{'' if count == 1 else 's'} that torch "
        f"{torch.__version__} can use; type device=cpu or device=auto",
    )
    return device.type


def stay_within_cores() -> None:
    """torch has a thread for each core of the machine, and knows nothing of a container's quota."""
    if torch.get_num_threads() > cores():
        torch.set_num_threads(cores())


def require_memory(needed: int) -> None:
    """Raise ValueError for more bytes than this machine has, where it can be asked."""
    try:
        there = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return
    if needed > there:
        needs, has = (f"{number / 2**30:,.1f} GiB" for number in (needed, there))
        raise ValueError(f"it needs {needs} of memory, and this machine has {has}")


def device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


@cache
def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        found[name] = metadata.version(name)
    with contextlib.suppress(metadata.PackageNotFoundError):
        found["numba"] = metadata.version("numba")
    return found


def typed_command() -> str | None:
    """What was typed, quoted for a shell: python run.py lr=1, rnnlab resume RUN."""
    if not sys.orig_argv:
        return None  # Python is a part of another program
    program, *arguments = sys.orig_argv
    if arguments and Path(arguments[0]).stem == "rnnlab":
        return shlex.join(["rnnlab", *arguments[1:]])
    return shlex.join([Path(program).name, *arguments])


def moment() -> str:
    """2026-11-23T14:05:59+01:00."""
    return datetime.now().astimezone().isoformat(timespec="seconds")


def git_state() -> dict[str, Any] | None:
    """The checkout that the code runs from: commit, and whether files differ from it."""
    root = Path(__file__).resolve().parents[3]
    if not (root / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(root), *arguments]
        answer = subprocess.run(command, capture_output=True, check=True).stdout
        return answer.decode(errors="replace").strip()

    try:
        return {"sha": git("rev-parse", "HEAD"), "dirty": bool(git("status", "--porcelain"))}
    except (OSError, subprocess.CalledProcessError):
        return None  # no git, or no commit


def host(device: torch.device) -> dict[str, Any]:
    """The machine, and which of its GPUs trains."""
    gpu = {} if device.index is None else {"gpu": device.index}
    gpu |= {"ranks": processes()} if processes() > 1 else {}
    return (
        gpu
        | {
            "name": platform.node(),
            "platform": platform.platform(),
            "cpus": os.cpu_count(),
            "threads": torch.get_num_threads(),
            "cpu": _cpu_model(),
            "instructions": torch.backends.cpu.get_cpu_capability(),
        }
        | {name: os.environ[name] for name in INSTRUCTIONS if name in os.environ}
    )


def numbers_of(host: dict[str, Any], *, threads: bool) -> dict[str, Any]:
    """What of a host the last bits of a result depend on; of some engines also the threads."""
    names = (*(["threads"] if threads else []), "ranks", "cpu", "instructions", *INSTRUCTIONS)
    return {name: host.get(name) for name in names}


def _cpu_model() -> str:
    """Linux says it in /proc; elsewhere Python knows what it was built for, or more."""
    with contextlib.suppress(OSError):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        if models:
            return models[0]
    return platform.processor() or platform.machine()
