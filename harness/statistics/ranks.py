"""Whether one measure of a few things ranks them as another does."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.statistics.differences import ALPHA, NAN

FEWEST = 4  # with three, the interval has no width to give
MOST_PERMUTED = 8  # things whose every order is tried: 40,320


@dataclass(frozen=True)
class RankCorrelation:
    """Spearman's rank correlation of ``n`` pairs, its 95% interval, and the two-sided p."""

    value: float
    low: float
    high: float
    p: float
    n: int


def rank_correlation(x: Sequence[float], y: Sequence[float]) -> RankCorrelation:
    """Spearman's rank correlation of two measures of the same things, each taken as one draw.

    The interval is Fisher's, with the standard error of Bonett & Wright 2000 (Psychometrika 65,
    equation 3), none at a correlation of 1 or -1; p is that of all orders, of 9,999 drawn ones with
    more than eight things. NaN for fewer than four, and where a measure is the same of all. Pairs
    with a NaN are left out.
    """
    from scipy import stats

    pairs = np.array([x, y], dtype=np.float64)
    first, second = pairs[:, np.isfinite(pairs).all(axis=0)]
    n = len(first)
    if n < FEWEST or not np.ptp(first) or not np.ptp(second):
        return RankCorrelation(NAN, NAN, NAN, NAN, n)

    def rho(one: np.ndarray, axis: int) -> np.ndarray:
        a = stats.rankdata(one, axis=axis)
        b = stats.rankdata(second)
        a = a - a.mean(axis=axis, keepdims=True)
        b = b - b.mean()
        return (a * b).sum(axis=axis) / np.sqrt((a**2).sum(axis=axis) * (b**2).sum())

    tried = stats.permutation_test(
        (first,),
        rho,
        permutation_type="pairings",
        vectorized=True,
        n_resamples=math.factorial(n) if n <= MOST_PERMUTED else 9_999,
        rng=np.random.default_rng(0),
    )
    value, low, high = float(tried.statistic), NAN, NAN
    if abs(value) < 1 - 1e-12:
        half = stats.norm.ppf(1 - ALPHA / 2) * np.sqrt((1 + value**2 / 2) / (n - 3))
        low, high = (float(np.tanh(np.arctanh(value) + side * half)) for side in (-1, 1))
    return RankCorrelation(value, low, high, float(tried.pvalue), n)
