"""The instances of highest quality: a baseline for any score."""

import warnings

import numpy as np

from harness.samplers.pool import Pool, by_quality, check_pool, check_quality, warn_of_ties


def top_k(pool: Pool, budget: int, rng: np.random.Generator) -> np.ndarray:
    """Take the instances of highest quality.

    A warning says if ties decide what is taken, or every quality is zero.
    """
    check_pool(pool, budget)
    quality = check_quality(pool)
    ranked = by_quality(quality, pool.free())
    if not quality[ranked].any():
        warnings.warn("every quality is zero; the lowest indices are taken", stacklevel=3)
    else:
        warn_of_ties(quality, ranked, budget)
    return ranked[:budget]
