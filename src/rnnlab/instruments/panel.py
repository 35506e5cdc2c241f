"""The instruments of lanes that train together, each lane looked at with a probe of its own.

Shapes: K lanes, B sequences, T time steps, N tokens.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from rnnlab._common.shapes import Integer
from rnnlab.instruments.instrument import Instrument
from rnnlab.instruments.look import Look
from rnnlab.nn.engines.threads import torch_threads
from rnnlab.nn.model import Parameters
from rnnlab.training.clips import Clip

SEQUENCES, TEXT = 32, 240  # tokens of the text, besides a window's
TOGETHER = 1 << 26  # numbers of the lanes that a GPU looks at at once
Values = dict[str, dict[str, Any]]  # instrument -> name -> number, or nested lists of numbers


@dataclass(frozen=True, eq=False)
class Probe:
    """What a lane is looked at with."""

    windows: Integer[Tensor, "B T+1"]
    text: Integer[Tensor, " N"]

    @classmethod
    def of(cls, tokens: Integer[Tensor, " N"], num_steps: int) -> Probe:
        """Windows that begin at even distances over the tokens, and their beginning as a text."""
        last = len(tokens) - num_steps - 1
        B = min(SEQUENCES, last + 1)
        starts = torch.arange(B) * last // max(1, B - 1)
        windows = tokens[starts[:, None] + torch.arange(num_steps + 1)]
        return cls(windows.long(), tokens[: TEXT + num_steps].long())


def look_at(parameters: Parameters, probes: Sequence[Probe], clip: Clip, theta: Tensor) -> Look:
    """A look at K lanes; their probes are of one shape."""
    device = parameters.flat.device
    windows, text = (
        torch.stack([getattr(probe, name) for probe in probes]).to(device)
        for name in ("windows", "text")
    )
    return Look(parameters, windows, text, clip, theta)


def values_of(look: Look, instruments: Sequence[Instrument]) -> list[Values]:
    """Of each lane; numbers of five digits. On one thread: their number could change last bits."""
    found: list[Values] = [{} for _ in look.theta]
    with torch.no_grad(), torch_threads(1):
        for each in instruments:
            for name, values in each.measure(look).items():
                for own, value in zip(found, values.tolist(), strict=True):
                    own.setdefault(each.name, {})[name] = _rounded(value)
    return found


def _rounded(value: Any) -> Any:
    return [_rounded(item) for item in value] if isinstance(value, list) else float(f"{value:.5g}")


class Panel:
    """The instruments of a stack. Reading them changes nothing of the training."""

    def __init__(
        self,
        parameters: Parameters,
        theta: Tensor,
        clip: Clip,
        probes: Mapping[int, Probe],
        wanted: Mapping[int, Sequence[Instrument]],
    ) -> None:
        """`probes` and `wanted` are those of the lanes that are looked at, by their numbers."""
        self.parameters, self.theta, self.clip = parameters, theta, clip
        self.probes, self.wanted = probes, wanted
        self.epoch, self.read_so_far = -1, dict[int, Values]()

    def read(self, k: int, epoch: int) -> Values:
        """Lane k after so many epochs; those that are read together are read once."""
        if epoch != self.epoch:
            self.epoch, self.read_so_far = epoch, {}
        if k not in self.read_so_far:
            together = self._together(k)
            own = self.parameters.like(self.parameters.flat[together])
            probes = [self.probes[lane] for lane in together]
            look = look_at(own, probes, self.clip, self.theta[together])
            wanted = {each.name: each for lane in together for each in self.wanted[lane]}
            values = values_of(look, [*wanted.values()])
            self.read_so_far |= dict(zip(together, values, strict=True))
        return {each.name: self.read_so_far[k].get(each.name, {}) for each in self.wanted[k]}

    def _together(self, k: int) -> list[int]:
        """On a CPU a lane alone, whose bits no neighbour can change; on a GPU as many as fit."""
        if not self.parameters.flat.is_cuda:
            return [k]
        model, windows = self.parameters.model, self.probes[k].windows
        gates = model.cell.num_gates + len(model.cell.states)
        numbers = windows.numel() * (
            model.num_layers * gates * model.num_hiddens + model.vocab_size
        )
        most = max(1, TOGETHER // (4 * numbers))
        alike = [j for j, own in self.probes.items() if own.windows.shape == windows.shape]
        place = alike.index(k) // most * most
        return alike[place : place + most]
