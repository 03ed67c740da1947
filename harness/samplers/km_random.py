"""kM-Random: each cluster's share of the budget, drawn uniformly."""

import numpy as np

from harness.samplers.pool import Pool, check_pool
from harness.samplers.shares import Share, in_turn, share_out


def km_random(
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    share: Share = "proportional",
    min_per_cluster: int = 0,
) -> np.ndarray:
    """Draw uniformly without replacement within k-means clusters.

    Source: arXiv 2409.11378, sections 2.1 and 3.3. Shares: ``harness.samplers.shares.share_out``.
    Order: the clusters in turn (``in_turn``).
    """
    check_pool(pool, budget)
    groups, shares = share_out(pool, budget, share, min_per_cluster)
    return in_turn(
        [
            rng.choice(rows, size=count, replace=False)
            for rows, count in zip(groups, shares, strict=True)
            if count
        ]
    )
