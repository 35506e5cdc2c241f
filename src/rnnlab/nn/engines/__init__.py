"""Ways to get loss and gradients for the same cell. They agree to rounding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from rnnlab._common.shapes import Float, Integer
from rnnlab.nn.engines.eager import Eager
from rnnlab.nn.engines.stacked.network import Fused
from rnnlab.nn.engines.torch_nn import TorchNN
from rnnlab.nn.model import Parameters, State


@runtime_checkable
class Engine(Protocol):
    """What training needs of an engine."""

    def session(self, parameters: Parameters, shape: Sequence[int]) -> AbstractContextManager[None]:
        """What has to hold while it trains on minibatches of this shape (K, B, T)."""
        ...

    def loss_and_gradients(
        self,
        parameters: Parameters,
        X: Integer[Tensor, "K B T"],
        Y: Integer[Tensor, "K B T"],
        state: State,
        dropout_masks: list[Float[Tensor, "K T B H"]] | None = None,
    ) -> tuple[Float[Tensor, " K"], Parameters, State]:
        """Each lane's mean cross-entropy (nats), its gradients, and the state to carry on.

        What comes back may live in the engine's buffers, and be valid until the next call only.
        """
        ...


ENGINES: dict[str, Callable[..., Engine]] = {"eager": Eager, "fused": Fused, "torch_nn": TorchNN}


def resolve_engine(name: str, cell_name: str, device: torch.device) -> str:
    """auto is what was measured to be fastest for one lane (benchmarks/results).

    On a CPU torch.nn.LSTM is oneDNN's, which the fused engine does not reach; else fused.
    """
    if name != "auto":
        return name
    return "torch_nn" if cell_name == "lstm" and device.type == "cpu" else "fused"
