"""The statistics of the tables: intervals of means and deviations, differences, trends."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ALPHA = 0.05
LEVEL = 1 - ALPHA
DRAWS = 4000


@dataclass(frozen=True)
class Interval:
    """A value and its 95% interval; low and high are NaN where there is none.

    ``p`` is two-sided, under the null hypothesis of zero; NaN where nothing was tested.
    """

    value: float
    low: float
    high: float
    p: float = float("nan")


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


@dataclass(frozen=True)
class Items:
    """One benchmark of one table row: a score for each seed and item, and the items' weights."""

    scores: np.ndarray  # (seeds, items)
    weights: np.ndarray  # (items,)
    ids: tuple[str, ...] = ()  # (items,)


def column_scores(items: Items, weights: np.ndarray) -> np.ndarray:
    """Weighted mean over items for each seed: (seeds,) or, for (draws, items), (seeds, draws)."""
    return (items.scores @ weights.T) / weights.sum(axis=-1)


def difference(
    ours: list[Items],
    theirs: list[Items],
    paired: bool,
    rng: np.random.Generator,
    fixed: tuple[bool, bool] = (False, False),
) -> Interval:
    """Difference of two rows' averages over benchmarks with a 95% interval over items and seeds.

    ``ours[c]`` and ``theirs[c]`` hold the same items in the same order; with ``paired`` also the
    same seeds. Every draw resamples the items of each benchmark, the same for both rows and all
    seeds, and adds a seed error from Student's t (resampling three seeds would give intervals a
    third too narrow or worse). A row of one seed is given the other's deviation, unless it is
    ``fixed``: the same whatever the seed, as the untrained model is. With one seed in both rows the
    interval is over items alone. The p belongs to the widest interval of draws that excludes zero.
    """
    a, b = averages(ours), averages(theirs)
    gaps = np.zeros(DRAWS)
    for one, other in zip(ours, theirs, strict=True):
        n = len(one.weights)
        counts = rng.multinomial(n, np.full(n, 1 / n), size=DRAWS) * one.weights
        gaps += column_scores(one, counts).mean(axis=0) - column_scores(other, counts).mean(axis=0)
    gaps /= len(ours)
    error, df = _seed_error(a, b, paired, fixed)
    if df > 0:
        gaps = gaps + error * rng.standard_t(df, size=DRAWS)
    low, high = np.quantile(gaps, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    # With finitely many draws, one more on either side keeps p above zero.
    beyond = 1 + min(int((gaps <= 0).sum()), int((gaps >= 0).sum()))
    p = min(1.0, 2 * beyond / (1 + DRAWS))
    return Interval(float(a.mean() - b.mean()), float(low), float(high), p)


def averages(benchmarks: list[Items]) -> np.ndarray:
    """Mean over benchmarks for each seed: (seeds,)."""
    return np.mean([column_scores(b, b.weights) for b in benchmarks], axis=0)


def _seed_error(
    a: np.ndarray, b: np.ndarray, paired: bool, fixed: tuple[bool, bool]
) -> tuple[float, int]:
    """Standard error of mean(a) - mean(b) over seeds and its degrees of freedom (0: unknown)."""
    if paired and len(a) > 1:
        return deviation(list(a - b)) / np.sqrt(len(a)), len(a) - 1
    varied = [x for x in (a, b) if len(x) > 1]
    df = sum(len(x) - 1 for x in varied)
    if df == 0:
        return 0.0, 0
    pooled = sum(float(((x - x.mean()) ** 2).sum()) for x in varied) / df
    share = sum(0.0 if still else 1 / len(x) for x, still in zip((a, b), fixed, strict=True))
    return float(np.sqrt(pooled * share)), df


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
