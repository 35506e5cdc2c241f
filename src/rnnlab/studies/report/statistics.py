"""Means and their confidence intervals."""

from __future__ import annotations

import math
import statistics

from rnnlab.studies.student import point


def mean_and_half(figures: list[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % confidence interval (Student's t)."""
    mean = statistics.fmean(figures)
    if len(figures) < 2:
        return mean, math.nan
    return mean, point(len(figures) - 1) * statistics.stdev(figures) / math.sqrt(len(figures))


def spread(figures: list[float]) -> str:
    mean, half = mean_and_half(figures)
    return f"{mean:.4g}" if math.isnan(half) else f"{mean:.4g} ± {half:.2g}"
