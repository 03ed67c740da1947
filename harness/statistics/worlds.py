"""Differences between rows over generated worlds, each of which is one draw.

A world has its own pool, benchmarks and base model. Its difference, a mean over seeds, is one
value of the sample: seeds and items of one world say nothing of another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.statistics.differences import ALPHA, NAN, Estimate


@dataclass(frozen=True, kw_only=True)
class WorldDifference(Estimate):
    """The mean over worlds of a difference; the interval is over new worlds, W - 1 df.

    Attributes:
        by_world: (W,) the difference in each.
        new_low: of the 95% prediction interval of the difference in a world not seen.
        new_high: of the same.
        share: of the variance of ``by_world``, what is not that of the seeds (0-1): the world's.
    """

    by_world: tuple[float, ...]
    new_low: float
    new_high: float
    share: float


def over_worlds(by_world: Sequence[float], seeds: Sequence[float]) -> WorldDifference:
    """The mean of a difference over worlds, its intervals, and a two-sided t test.

    Args:
        by_world: (W,) the difference in each world.
        seeds: (W,) the variance that seeds give it there; NaN where a row has a single one.

    Fewer than two worlds have no interval and no p. Worlds that all agree to the digit have no p.
    """
    from scipy import special

    x = np.asarray(by_world, dtype=np.float64)
    count, df = len(x), len(x) - 1
    mean = float(x.mean())
    variance = float(x.var(ddof=1)) if df else NAN
    se = float(np.sqrt(variance / count))
    half = float(special.stdtrit(df, 1 - ALPHA / 2)) * se if df else NAN
    new = half * float(np.sqrt(count + 1))  # sd sqrt(1 + 1/W) = se sqrt(W + 1)
    return WorldDifference(
        value=mean,
        low=mean - half,
        high=mean + half,
        p=2 * float(special.stdtr(df, -abs(mean) / se)) if se > 0 else NAN,
        se=se,
        df=df,
        by_world=tuple(x.tolist()),
        new_low=mean - new,
        new_high=mean + new,
        share=float(np.maximum(0, 1 - np.mean(seeds) / variance)) if variance > 0 else NAN,
    )


def seed_variance(scores: Sequence[float], trained: bool = True) -> float:
    """Variance of a row's mean over seeds in one world; NaN for a single seed.

    0 where nothing is ``trained``: the base model as it is, the same for every seed.
    """
    if not trained:
        return 0.0
    return float(np.var(scores, ddof=1)) / len(scores) if len(scores) > 1 else NAN
