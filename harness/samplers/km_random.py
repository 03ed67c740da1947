"""kM-Random: each cluster's share of the budget, drawn uniformly."""

import numpy as np

from harness.samplers.pool import Pool, check_clusters, check_pool
from harness.samplers.shares import proportional_shares


def km_random(pool: Pool, budget: int, rng: np.random.Generator) -> np.ndarray:
    """Draw uniformly within k-means clusters, in proportion to their sizes.

    Source: arXiv 2409.11378, sections 2.1 and 3.3.

    Returns:
        (budget,) int64 indices, cluster by cluster.
    """
    check_pool(pool, budget)
    labels, centroids = check_clusters(pool)
    k = len(centroids)
    free = pool.free()
    free = free[np.argsort(labels[free], kind="stable")]
    capacity = np.bincount(labels[free], minlength=k)
    shares = proportional_shares(np.bincount(labels, minlength=k), capacity, budget)
    ends = np.cumsum(capacity)
    picks = [
        rng.choice(free[end - size : end], size=share, replace=False)
        for end, size, share in zip(ends, capacity, shares, strict=True)
        if share
    ]
    return np.concatenate(picks).astype(np.int64)
