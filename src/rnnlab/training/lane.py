"""One lane of a training, for whoever should know nothing of the stack."""

from __future__ import annotations

from torch import Tensor

from rnnlab.nn.model import Parameters
from rnnlab.training.loop import Training


class OneLane:
    """Lane k: its parameters, where it is, what its next step depends on.

    The position is the whole stack's: all lanes do their epochs and minibatches together.
    """

    def __init__(self, training: Training, k: int) -> None:
        self.training, self.k = training, k

    @property
    def epoch(self) -> int:
        """Epochs completed."""
        return self.training.epoch

    @property
    def minibatch(self) -> int:
        """Minibatches done in the epoch under way."""
        return self.training.minibatch

    @property
    def seconds(self) -> float:
        """Spent in the epoch under way."""
        return self.training.seconds

    @property
    def diverged(self) -> tuple[int, int] | None:
        """The epoch and the minibatch in which it did."""
        return self.training.diverged[self.k]

    @property
    def parameters(self) -> Parameters:
        """A view of the lane's own, (1, P): they go on changing while the lane trains."""
        stacked = self.training.parameters
        return stacked.like(stacked.flat[self.k : self.k + 1])

    def snapshot(self) -> dict[str, Tensor]:
        """Copies of all that the next step depends on, besides parameters and position."""
        return self.training.snapshot(self.k)

    def restore(
        self,
        parameters: Parameters,
        snapshot: dict[str, Tensor],
        *,
        epoch: int,
        minibatch: int,
        seconds: float,
    ) -> None:
        """Put the lane where `snapshot` found it; the parameters are of one lane, (1, P).

        Raises KeyError or RuntimeError if they are another training's.
        """
        self.training.restore(self.k, parameters, snapshot)
        self.training.go_to(epoch, minibatch)
        self.training.seconds = seconds

    def idle(self) -> None:
        """Train it no further: nothing of it changes from here on."""
        self.training.healthy[self.k] = False
