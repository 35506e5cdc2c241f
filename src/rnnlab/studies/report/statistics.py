"""Means and their confidence intervals."""

from __future__ import annotations

import math
import statistics

# 97.5 % points of Student's t for 1, 2, ... degrees of freedom
STUDENT = (12.71, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
NORMAL = 1.959964  # of the normal distribution


def interval(figures: list[float]) -> tuple[float, float]:
    """Mean, and half the width of its 95 % confidence interval (Student's t)."""
    mean = statistics.fmean(figures)
    if len(figures) < 2:
        return mean, math.nan
    return mean, student(len(figures) - 1) * statistics.stdev(figures) / math.sqrt(len(figures))


def student(freedom: int) -> float:
    """The 97.5 % point; beyond the table the expansion around the normal distribution's.

    Abramowitz and Stegun 26.7.5, three terms.
    """
    if freedom <= len(STUDENT):
        return STUDENT[freedom - 1]
    z, v = NORMAL, freedom
    first = (z**3 + z) / (4 * v)
    second = (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2)
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3)
    return z + first + second + third


def spread(figures: list[float]) -> str:
    mean, half = interval(figures)
    return f"{mean:.4g}" if math.isnan(half) else f"{mean:.4g} ± {half:.2g}"
