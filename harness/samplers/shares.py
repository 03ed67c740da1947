"""How a budget is shared out over clusters."""

import numpy as np


def proportional_shares(sizes: np.ndarray, capacity: np.ndarray, budget: int) -> np.ndarray:
    """Share ``budget`` in proportion to ``sizes``, no share above its ``capacity``.

    Largest remainder (arXiv 2409.11378 section 2.1: b_j = |X_j| / |X| * b; the paper is silent on
    the rounding): what a cluster cannot give goes to the others in the same way. Ties go to the
    lowest cluster.

    Args:
        sizes: (k,) int, the size of each cluster.
        capacity: (k,) int, how many instances each can still give.
        budget: at most ``capacity.sum()``.

    Returns:
        (k,) int64 shares that sum to ``budget``.
    """
    shares = np.zeros(len(sizes), dtype=np.int64)
    while (left := budget - int(shares.sum())) > 0:
        room = capacity - shares
        weights = np.where(room > 0, sizes, 0).astype(np.int64)
        if not weights.any():  # only empty-sized clusters have room left
            weights = (room > 0).astype(np.int64)
        shares += np.minimum(_largest_remainder(weights, left), room)
    return shares


def _largest_remainder(weights: np.ndarray, total: int) -> np.ndarray:
    # Whole numbers throughout: equal remainders must be equal, for ties to fall as promised.
    whole, remainder = np.divmod(weights * total, weights.sum())
    short = total - int(whole.sum())
    order = np.argsort(-remainder, kind="stable")
    whole[order[:short]] += 1
    return whole
