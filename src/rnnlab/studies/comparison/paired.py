"""What paired differences say: their mean, how far it may be off, and whether it is chance.

Runs of one seed share minibatches, and initial weights where their shapes agree, so what a seed
does to both settings cancels in their difference. Shapes: n differences, a seed each.

The interval and p are Student's, which keep their promise with three seeds. A bootstrap cannot:
what it draws lies between the least and the largest difference, which of n has the mean of a
symmetric distribution between them with probability 1 - 2^(1 - n), 75 % of three. It stands beside
(percentiles of 10,000 means), for differences that are far from normal and many. An exact sign-flip
test can find nothing at 5 % with fewer than six seeds, whose least p is 2 / 2^n.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from rnnlab.studies.student import FEWEST, point, seeds_needed, two_sided

LEVEL = 0.05
DRAWS, SEED = 10_000, 0  # of the bootstrap
Interval = tuple[float, float]


@dataclass(frozen=True)
class Paired:
    """n differences, three at least."""

    differences: tuple[float, ...]

    @cached_property
    def mean(self) -> float:
        return float(np.mean(self.differences))

    @cached_property
    def deviation(self) -> float:
        """Of a difference, estimated from all of them."""
        return float(np.std(self.differences, ddof=1))

    @property
    def interval(self) -> Interval:
        """95 %, by Student's t."""
        n = len(self.differences)
        half = point(n - 1, LEVEL) * self.deviation / math.sqrt(n)
        return self.mean - half, self.mean + half

    @cached_property
    def bootstrap(self) -> Interval:
        """95 %, by percentiles; the same differences give the same."""
        n = len(self.differences)
        drawn = np.random.default_rng(SEED).integers(0, n, (DRAWS, n))
        means = np.array(self.differences)[drawn].mean(axis=1)
        low, high = np.quantile(means, [LEVEL / 2, 1 - LEVEL / 2])
        return float(low), float(high)

    @cached_property
    def p(self) -> float:
        """Of a difference as large where there is none: the paired t test, two-sided."""
        if self.deviation == 0:
            return 1.0 if self.mean == 0 else 0.0
        n = len(self.differences)
        return two_sided(self.mean / self.deviation * math.sqrt(n), n - 1)

    def seeds_needed(self, level: float) -> int | None:
        """To find a difference of this size with a power of 0.8; None: more than a thousand."""
        if self.deviation == 0:
            return None if self.mean == 0 else FEWEST
        return seeds_needed(self.mean / self.deviation, level)


def holm(ps: Sequence[float]) -> list[float]:
    """Adjusted, so that all that are at most 5 % are false with probability 5 % at most.

    Holm 1979: the least of m times m, the next times m - 1, and none below one before.
    """
    adjusted, largest = [0.0] * len(ps), 0.0
    for k, i in enumerate(sorted(range(len(ps)), key=ps.__getitem__)):
        largest = max(largest, min(1.0, (len(ps) - k) * ps[i]))
        adjusted[i] = largest
    return adjusted
