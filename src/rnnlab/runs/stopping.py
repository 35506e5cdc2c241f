"""Early ends: what a run has waited for, and whether it has waited long enough. Imports no torch.

Figures that count are of held-out text, each time log.val_every asks for it; where none is held
out, training perplexity of each epoch. What was counted is in the checkpoint, so that a run that
goes on ends where it would have ended. The pass over held-out text at the end of a run that is too
short for log.val_every does not count: a longer run has no such pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Self

from rnnlab._common.choices import knob
from rnnlab.config.schema import StopSettings


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What stopping depends on, after the last figure that counted."""

    best: float | None = None  # the lowest; a lower one by no more than stop.min_delta is none
    waited: int = knob("figures since then", default=0, at_least=0)
    last: float | None = None  # None: there was none yet, or it was not finite

    def after(self, figure: float, min_delta: float) -> Self:
        """With one more figure."""
        is_better = figure < (math.inf if self.best is None else self.best - min_delta)
        return type(self)(
            best=figure if is_better else self.best,
            waited=0 if is_better else self.waited + 1,
            last=figure if math.isfinite(figure) else None,
        )

    def reason(self, stop: StopSettings, is_held_out: bool) -> str | None:
        """Why the run ends here, as result.json says it; None if it goes on."""
        name, times = "perplexity", "epochs"
        if is_held_out:
            name, times = "val_perplexity", "evaluations"
        if stop.below is not None and self.last is not None and self.last < stop.below:
            return f"{name} was below {stop.below:g}"
        if stop.patience is not None and self.waited >= stop.patience:
            by = f" by more than {stop.min_delta:g}" if stop.min_delta else ""
            return f"{name} had not improved{by} for {self.waited} {times}"
        return None
