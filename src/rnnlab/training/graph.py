"""A training step as one CUDA graph: the host launches it in a few microseconds and never waits."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

log = logging.getLogger(__name__)


class StepGraph:
    """Records `step` at the first call and replays it from then on, with new inputs.

    A step works in place on tensors that stay where they are, and changes nothing when all its
    inputs are zero (no lane is present then), so the warm-up that recording needs leaves no
    trace. Where recording fails, steps run one operation at a time, and the log says why.
    """

    WARM_UP = 3

    def __init__(self, step: Callable[..., None]) -> None:
        self.step = step
        self.graph: torch.cuda.CUDAGraph | None = None
        self.inputs: list[Tensor] = []
        self.failed = False

    def __call__(self, *inputs: Tensor) -> None:
        with torch.cuda.device(inputs[0].device):  # whose streams are meant
            self._call(*inputs)

    def _call(self, *inputs: Tensor) -> None:
        if self.graph is None and not self.failed:
            self._record(inputs)
        if self.graph is None:
            self.step(*inputs)
            return
        for fixed, given in zip(self.inputs, inputs, strict=True):
            fixed.copy_(given)
        self.graph.replay()

    def _record(self, inputs: tuple[Tensor, ...]) -> None:
        self.inputs = [torch.zeros_like(tensor) for tensor in inputs]
        try:
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(self.WARM_UP):
                    self.step(*self.inputs)
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self.step(*self.inputs)
            self.graph = graph
        except RuntimeError as error:
            self.failed = True
            log.warning("no CUDA graph for this step, which will be slower: %s", error)
