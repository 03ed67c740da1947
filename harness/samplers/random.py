"""Uniform choice, the baseline of every comparison."""

import numpy as np

from harness.samplers.pool import Pool, check_pool


def random(pool: Pool, budget: int, rng: np.random.Generator) -> np.ndarray:
    """Draw uniformly without replacement."""
    check_pool(pool, budget)
    return rng.choice(pool.free(), size=budget, replace=False).astype(np.int64)
