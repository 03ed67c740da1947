"""QDIT: greedy on a mixture of coverage of the pool and quality."""

import warnings
from typing import Literal

import numpy as np

from harness.samplers.pool import (
    Pool,
    by_quality,
    check_choice,
    check_pool,
    check_quality,
    check_unit,
    warn_of_ties,
)

Diversity = Literal["sum", "mean"]

BLOCK = 4096  # rows scaled at once
BUFFERS = 500_000_000  # bytes for all threads' similarities; at least one thread runs


def qdit(
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    quality_weight: float = 0.5,
    diversity: Diversity = "sum",
) -> np.ndarray:
    """Take, one by one, the instance of the largest (1 - a) * gain + a * quality.

    Quality-Diversity Instruction Tuning (Bukharin & Zhao 2023, arXiv 2311.14736). The gain is the
    increase of the sum over the pool of max(0, best cosine similarity to the subset and
    ``pool.selected``); ``diversity="mean"`` divides it by n. Quality is min-max scaled to 0 to 1
    over the pool, and 0 if all is equal. a is ``quality_weight``, 0 to 1: 0 is facility location
    and needs no quality, 1 is the highest quality. Embeddings must have unit length.

    All gains are exact at every pick. A similarity is summed in float32 (off by about 1e-7) and cut
    to a multiple of 2 ** -30; sums of these are exact. So duplicates of one quality tie, picks do
    not depend on the number of threads (``pool.threads``; fewer if their buffers would exceed half
    a gigabyte), and only objectives closer than that rounding can differ from float64's.
    """
    check_pool(pool, budget)
    check_unit(pool)
    check_choice("diversity", diversity, Diversity)
    if not 0 <= quality_weight <= 1:
        raise ValueError(f"quality_weight is {quality_weight}; it must be 0 to 1")
    quality = np.zeros(pool.size)
    if quality_weight:
        quality = _scaled(check_quality(pool))
    if quality_weight == 1:  # the gain has no weight
        quality = check_quality(pool)  # unscaled: scaling could make close ones equal
        ranked = by_quality(quality, pool.free())
        warn_of_ties(quality, ranked, budget)
        return ranked[:budget]
    scale = (1 - quality_weight) / (pool.size if diversity == "mean" else 1)
    threads = _threads(pool)
    bonus = quality_weight * quality
    return _greedy(_units(pool.embeddings), pool.selected, budget, scale, bonus, threads)


def _scaled(quality: np.ndarray) -> np.ndarray:
    low, high = quality.min(), quality.max()
    if not high:
        warnings.warn("every quality is zero; it decides nothing", stacklevel=4)
    return (quality - low) / (high - low) if high > low else np.zeros(len(quality))


def _units(x: np.ndarray) -> np.ndarray:
    """Rows of length 1: (n, d) float32, d filled up with zeros to a multiple of 4."""
    n, d = x.shape
    units = np.zeros((n, -(-d // 4) * 4), dtype=np.float32)
    for i in range(0, n, BLOCK):
        rows = x[i : i + BLOCK].astype(np.float64)
        units[i : i + BLOCK, :d] = rows / np.sqrt((rows * rows).sum(axis=1, keepdims=True))
    return units


def _threads(pool: Pool) -> int:
    """As many as the pool allows and as BUFFERS has room for."""
    from numba import config

    from harness.samplers.kernels.qdit_kernel import LANES

    cores = config.NUMBA_NUM_THREADS  # pyright: ignore[reportAttributeAccessIssue]
    most = BUFFERS // (4 * LANES * (pool.size + LANES))
    return max(1, min(pool.threads or cores, most))


def _greedy(
    units: np.ndarray,
    selected: np.ndarray,
    budget: int,
    scale: float,
    bonus: np.ndarray,
    threads: int,
) -> np.ndarray:
    """Picks of the largest ``scale`` * gain + ``bonus``, ties to the lowest index."""
    from concurrent.futures import ThreadPoolExecutor

    from harness.samplers.kernels.qdit_gains import Gains
    from harness.samplers.kernels.qdit_held import HeldGains, fits
    from harness.samplers.kernels.qdit_kernel import ONE

    bonus = bonus.copy()
    bonus[selected] = -np.inf
    picks = np.empty(budget, dtype=np.int64)
    with ThreadPoolExecutor(threads) as executor:
        gains = (HeldGains if fits(len(units)) else Gains)(units, selected, executor)
        for i in range(budget):
            objective = (scale / ONE) * gains.gains + bonus
            picks[i] = objective.argmax()
            bonus[picks[i]] = -np.inf
            if i + 1 < budget:
                gains.take(int(picks[i]), objective)
    return picks
