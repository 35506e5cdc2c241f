"""Which jobs can train as one stack, and how deep a stack is worth being.

Imports no torch: a study is planned before anything slow begins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from pathlib import Path
from typing import Any

from rnnlab.config import LSTM, Config, TorchOptim
from rnnlab.corpus import Corpus

LANE_BYTES = 1 << 20  # of a stack's parameters on a CPU core; see docs/decisions.md
DEEPEST = 64
OF_A_LANE = ("lr", "theta", "seed", "num_epochs", "sampler", "dataset", "log", "checkpoint")


@dataclass(frozen=True, eq=False)
class Job:
    """One job of a study."""

    number: int
    overrides: tuple[str, ...]
    config: Config
    corpus: Corpus
    folder: Path
    config_id: str


def shape_of(job: Job) -> tuple[Any, ...]:
    """Jobs may share a stack if this is equal: all that is not a lane's own."""
    shared = {k: v for k, v in job.config.as_dict().items() if k not in OF_A_LANE}
    alone = job.number if isinstance(job.config.optimizer, TorchOptim) else None
    return (repr(shared), len(job.corpus.vocabulary), alone)


def parameter_bytes(job: Job) -> int:
    """Of one lane, in fp32."""
    config, V = job.config, len(job.corpus.vocabulary)
    gates = {"rnn": 1, "gru": 3, "lstm": 4}[config.model.name]
    H, L = config.num_hiddens, config.num_layers
    return 4 * (gates * H * (V + H + 1 + (L - 1) * (2 * H + 1)) + H * V + V)


def stacks(
    jobs: Sequence[Job], workers: int, on_gpu: bool, lanes: int | None = None
) -> list[list[Job]]:
    """The jobs in stacks: as many as fit, no deeper than keeps every worker busy."""
    groups: dict[tuple[Any, ...], list[Job]] = {}
    for job in jobs:
        groups.setdefault(shape_of(job), []).append(job)
    cut: list[list[Job]] = []
    for group in groups.values():
        if lanes is not None:
            depth = lanes
        elif on_gpu:
            depth = DEEPEST
        elif isinstance(group[0].config.model, LSTM) and group[0].config.num_hiddens > 256:
            depth = 1
        else:
            fitting = max(1, LANE_BYTES // parameter_bytes(group[0]))
            depth = min(DEEPEST, fitting, ceil(len(group) / workers))
        parts = ceil(len(group) / depth)
        edges = [len(group) * i // parts for i in range(parts + 1)]
        cut += [group[a:b] for a, b in pairwise(edges)]
    return cut
