"""The instances of highest quality: a baseline for any score."""

import warnings

import numpy as np

from harness.samplers.pool import Pool, check_pool, check_quality


def top_k(pool: Pool, budget: int, rng: np.random.Generator) -> np.ndarray:
    """Take the instances of highest quality.

    Deterministic: ``rng`` is not used. Ties go to the lowest index; where every quality is zero,
    a warning says that the index decides alone.

    Returns:
        (budget,) int64 indices, highest quality first.
    """
    check_pool(pool, budget)
    quality = check_quality(pool)
    free = pool.free()
    if not quality[free].any():
        warnings.warn("every quality is zero; the lowest indices are taken", stacklevel=2)
    return free[np.argsort(-quality[free], kind="stable")[:budget]].astype(np.int64)
