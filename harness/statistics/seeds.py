"""Scores over seeds: intervals of means, deviations and their ratios, and trends."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.statistics.differences import ALPHA, Difference

LEVEL = 1 - ALPHA
GRID = 1000


@dataclass(frozen=True)
class Interval:
    """A value and its 95% interval; low and high are NaN where there is none."""

    value: float
    low: float
    high: float


def mean_interval(values: Sequence[float]) -> Interval:
    """Mean with its 95% Student t interval; no interval for fewer than two values."""
    from scipy import stats

    x = np.asarray(values, dtype=np.float64)
    if len(x) < 2:
        return Interval(float(x.mean()) if len(x) else np.nan, np.nan, np.nan)
    half = stats.t.ppf(0.5 + LEVEL / 2, len(x) - 1) * x.std(ddof=1) / np.sqrt(len(x))
    return Interval(float(x.mean()), float(x.mean() - half), float(x.mean() + half))


def deviation(values: Sequence[float]) -> float:
    """Standard deviation over seeds (n - 1 in the denominator); NaN for fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def deviation_interval(values: Sequence[float]) -> Interval:
    """Standard deviation with its 95% chi-square interval (normal values assumed)."""
    from scipy import stats

    df = len(values) - 1
    if df < 1:
        return Interval(np.nan, np.nan, np.nan)
    sd = deviation(values)
    low, high = stats.chi2.ppf([0.5 + LEVEL / 2, 0.5 - LEVEL / 2], df)
    return Interval(sd, float(sd * np.sqrt(df / low)), float(sd * np.sqrt(df / high)))


def ratio_interval(gap: Difference, sd: float, df: int) -> Interval:
    """A difference in units of a standard deviation over seeds, with a 95% interval.

    The quantiles of (gap - SE t) / (sd sqrt(df / chi2)) over an even grid of both distributions'
    probabilities: a generalised confidence interval. Source: Weerahandi 1993.

    Args:
        gap: the difference.
        sd: the deviation, taken as independent of the difference.
        df: its degrees of freedom.
    """
    from scipy import stats

    if not (df > 0 and sd > 0):
        return Interval(np.nan, np.nan, np.nan)
    grid = (np.arange(GRID) + 0.5) / GRID
    gaps = gap.value - gap.se * stats.t.ppf(grid, gap.df)
    deviations = sd * np.sqrt(df / stats.chi2.ppf(grid, df))
    low, high = np.quantile(gaps[:, None] / deviations, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Interval(gap.value / sd, float(low), float(high))


@dataclass(frozen=True)
class Trend:
    """Jonckheere's statistic, its standard score, and the one-sided p of a rise."""

    statistic: float
    z: float
    p: float


def rising_trend(groups: Sequence[Sequence[float]]) -> Trend:
    """Test that values rise from group to group (Jonckheere-Terpstra, normal approximation).

    Groups are in the order of their dose. Ties count a half; the variance ignores them, which makes
    p slightly too large. Source: Jonckheere 1954.
    """
    from scipy import stats

    arrays = [np.asarray(g, dtype=np.float64) for g in groups]
    statistic = 0.0
    for i, low in enumerate(arrays):
        for high in arrays[i + 1 :]:
            above = high[None, :] > low[:, None]
            equal = high[None, :] == low[:, None]
            statistic += float(above.sum() + equal.sum() / 2)
    sizes = np.array([len(g) for g in arrays], dtype=np.float64)
    n = sizes.sum()
    mean = (n**2 - (sizes**2).sum()) / 4
    variance = (n**2 * (2 * n + 3) - (sizes**2 * (2 * sizes + 3)).sum()) / 72
    if variance <= 0:
        return Trend(statistic, float("nan"), float("nan"))
    z = float((statistic - mean) / np.sqrt(variance))
    return Trend(statistic, z, float(stats.norm.sf(z)))
