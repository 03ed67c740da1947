"""kM-Closest: each cluster's share of the budget, the instances closest to its centroid."""

import numpy as np

from harness.samplers.pool import Pool, check_pool
from harness.samplers.shares import Share, in_turn, share_out

BLOCK = 4096  # rows whose differences from a centroid are in memory at once


def km_closest(
    pool: Pool,
    budget: int,
    rng: np.random.Generator,
    *,
    share: Share = "proportional",
    min_per_cluster: int = 0,
) -> np.ndarray:
    """Take within each k-means cluster those closest to its centroid, in Euclidean distance.

    Source: arXiv 2409.11378, section 3.3. Shares: ``harness.samplers.shares.share_out``. Order: the
    clusters in turn (``in_turn``), each from its centroid outwards.
    """
    check_pool(pool, budget)
    groups, shares = share_out(pool, budget, share, min_per_cluster)
    assert pool.clusters is not None  # share_out has seen them
    return in_turn(
        [
            rows[np.argsort(_squares(pool.embeddings, rows, centroid), kind="stable")[:count]]
            for rows, count, centroid in zip(groups, shares, pool.clusters[1], strict=True)
            if count
        ]
    )


def _squares(x: np.ndarray, rows: np.ndarray, centroid: np.ndarray) -> np.ndarray:
    """Squared distances in float64, each summed in one order: duplicates tie exactly."""
    squares = np.empty(len(rows))
    for start in range(0, len(rows), BLOCK):
        block = np.subtract(x[rows[start : start + BLOCK]], centroid, dtype=np.float64, order="C")
        squares[start : start + BLOCK] = np.square(block).sum(axis=1)
    return squares
