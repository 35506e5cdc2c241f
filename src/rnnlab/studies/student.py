"""Student's t distribution: what means of few seeds are judged by.

T = (Z + delta) / S with Z standard normal and S^2 a chi-square of `freedom` v over v. Central
(delta = 0) probabilities are sums that end, Abramowitz and Stegun 26.7.3 and 26.7.4; the others one
integral over S.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np

FEWEST, MOST = 3, 1000  # seeds that are thought of
REACH = 12  # standard deviations of S that are integrated over
PIECES = 60  # of that, each by Gauss and Legendre's rule
NODES, WEIGHTS = np.polynomial.legendre.leggauss(20)


def two_sided(t: float, freedom: int) -> float:
    """P(|T| > |t|)."""
    angle = math.atan2(abs(t), math.sqrt(freedom))
    cosine, is_odd = math.cos(angle), freedom % 2
    term = cosine if is_odd else 1.0
    terms = [term] if freedom > 1 else []
    for k in range(2 if is_odd else 1, freedom - 2, 2):
        term *= cosine**2 * k / (k + 1)
        terms.append(term)
    inside = math.sin(angle) * math.fsum(terms)
    if is_odd:
        inside = (angle + inside) * 2 / math.pi
    return min(1.0, max(0.0, 1 - inside))


@cache
def point(freedom: int, level: float = 0.05) -> float:
    """The t beyond which |T| is with probability `level`: 2.776 of 4 degrees of freedom."""
    low, high = 0.0, 1.0
    while two_sided(high, freedom) > level:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if two_sided(middle, freedom) > level else (low, middle)
    return (low + high) / 2


def power(effect: float, n: int, level: float = 0.05) -> float:
    """That a t test of n differences finds a mean of `effect` standard deviations."""
    freedom, delta = n - 1, abs(effect) * math.sqrt(n)
    bound, spread = point(freedom, level), REACH / math.sqrt(2 * freedom)
    edges = np.linspace(max(0.0, 1 - spread), 1 + spread, PIECES + 1)
    half = np.diff(edges)[:, None] / 2
    s = edges[:-1, None] + half * (1 + NODES)
    scale = math.log(2) + freedom / 2 * math.log(freedom / 2) - math.lgamma(freedom / 2)
    density = np.exp(scale + (freedom - 1) * np.log(s) - freedom * s**2 / 2)
    found = [_normal(delta - bound * x) + _normal(-delta - bound * x) for x in s.ravel()]
    return float(np.sum(half * WEIGHTS * density * np.reshape(found, s.shape)))


def seeds_needed(effect: float, level: float = 0.05, wanted: float = 0.8) -> int | None:
    """The fewest with which a mean of `effect` standard deviations is found with that power.

    None where that takes more than MOST.
    """
    if power(effect, MOST, level) < wanted:
        return None
    low, high = FEWEST - 1, MOST
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power(effect, middle, level) >= wanted else (middle, high)
    return high


def _normal(x: float) -> float:
    return math.erfc(-x / math.sqrt(2)) / 2
