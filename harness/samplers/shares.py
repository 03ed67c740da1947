"""Sharing a budget out over clusters, and the order in which their shares are taken."""

from collections.abc import Callable
from typing import Literal

import numpy as np

from harness.samplers.pool import Pool, check_choice, check_clusters

Share = Literal["proportional", "equal"]
Counts = Literal["remainder", "multinomial"]


def share_out(
    pool: Pool,
    budget: int,
    share: Share,
    min_per_cluster: int,
    draw: np.random.Generator | None = None,
) -> tuple[list[np.ndarray], np.ndarray]:
    """Group the free instances by cluster and share the budget out over the clusters.

    A cluster's weight is its size (``share="proportional"``: arXiv 2409.11378, section 2.1,
    b_j = |X_j| / |X| * b) or equal to the others' (``"equal"``: b / k). If the pool has
    ``cluster_weights``, those count instead. Each cluster gives ``min_per_cluster`` at least, or
    all it has left. Shares are by largest remainder, or, with a generator ``draw``, multinomial.

    Returns:
        k arrays of free indices, ascending, and the (k,) int64 shares, which sum to ``budget``.
    """
    labels, centroids = check_clusters(pool)
    check_choice("share", share, Share)
    k = len(centroids)
    free = pool.free()
    free = free[np.argsort(labels[free], kind="stable")]
    capacity = np.bincount(labels[free], minlength=k)
    if pool.cluster_weights is not None:
        weights = _checked_weights(pool.cluster_weights, k)
    elif share == "equal":
        weights = np.ones(k, dtype=np.int64)
    else:
        weights = np.bincount(labels, minlength=k)
    if draw is None:
        shares = shares_of(weights, capacity, budget, min_per_cluster)
    else:
        shares = drawn_shares(weights, capacity, budget, draw)
    return np.split(free, np.cumsum(capacity)[:-1]), shares


def _checked_weights(weights: np.ndarray, k: int) -> np.ndarray:
    if weights.shape != (k,):
        raise ValueError(f"cluster_weights have shape {weights.shape}; needed: ({k},)")
    usable = np.isfinite(weights) & (weights >= 0)
    if not usable.all():
        j = int(np.argmin(usable))
        rule = "it must be finite and at least 0"
        raise ValueError(f"the weight of cluster {j} is {weights[j]}; {rule}")
    return weights


def shares_of(
    weights: np.ndarray, capacity: np.ndarray, budget: int, min_per_cluster: int = 0
) -> np.ndarray:
    """Share ``budget`` in proportion to ``weights``, no share above its ``capacity``.

    Largest remainder (the paper is silent on the rounding): what a cluster cannot give goes to the
    others in the same way. Ties go to the lowest cluster. Clusters of weight 0 give only when the
    others have nothing left, and then equally. Clusters that would fall below ``min_per_cluster``
    give that many, or their capacity, and the others share the rest.

    ``weights`` (k,) are >= 0: whole numbers are shared exactly; of others, quotas equal to 9
    decimals count as equal. ``capacity`` (k,) int is what each can still give; ``budget`` at most
    its sum. Returns (k,) int64 shares that sum to ``budget``.
    """
    if not isinstance(min_per_cluster, int | np.integer) or min_per_cluster < 0:
        raise ValueError(f"min_per_cluster is {min_per_cluster}; needed: a whole number, 0 or more")
    # Bounded by the largest capacity, so that any number fits the array's type.
    least = np.minimum(capacity, min(min_per_cluster, int(capacity.max())))
    if least.sum() > budget:
        raise ValueError(
            f"min_per_cluster is {min_per_cluster}: {np.count_nonzero(capacity)} clusters "
            f"need {least.sum()} instances; the budget is {budget}"
        )
    shares = np.zeros(len(weights), dtype=np.int64)
    under = np.zeros(len(weights), dtype=bool)
    while True:
        # Clusters at the minimum leave less for the others, which may then fall below it.
        shares[under] = least[under]
        rest = budget - int(least[under].sum())
        shares[~under] = _until_spent(weights[~under], capacity[~under], rest, _largest_remainder)
        if (shares >= least).all():
            return shares
        under |= shares < least


def drawn_shares(
    weights: np.ndarray, capacity: np.ndarray, budget: int, rng: np.random.Generator
) -> np.ndarray:
    """Share ``budget`` by multinomial draws, as the paper's released code does.

    Arguments, shares and clusters of weight 0 are as for ``shares_of``; what a cluster cannot give
    is drawn again among the others.
    """

    def allot(weights: np.ndarray, left: int) -> np.ndarray:
        chances = weights.astype(np.float64)
        return rng.multinomial(left, chances / chances.sum())

    return _until_spent(weights, capacity, budget, allot)


def _until_spent(
    weights: np.ndarray,
    capacity: np.ndarray,
    budget: int,
    allot: Callable[[np.ndarray, int], np.ndarray],
) -> np.ndarray:
    """Allot by weights, then what is left among the clusters with room, until all is spent."""
    shares = np.zeros(len(weights), dtype=np.int64)
    while (left := budget - int(shares.sum())) > 0:
        room = capacity - shares
        open_ = np.where(room > 0, weights, 0)
        if not open_.any():  # only clusters of weight 0 have room left
            open_ = (room > 0).astype(np.int64)
        shares += np.minimum(allot(open_, left), room)
    return shares


def _largest_remainder(weights: np.ndarray, total: int) -> np.ndarray:
    if weights.dtype.kind in "iu":
        # In whole numbers, equal remainders are equal, as ties need.
        whole, remainder = np.divmod(weights.astype(np.int64) * total, weights.sum())
    else:
        # 0.15 and 0.35 of 10 both leave a half, but not in binary: round what decides a tie.
        quota = weights / weights.sum() * total
        whole = np.floor(quota).astype(np.int64)
        remainder = np.round(quota - whole, 9)
    short = total - int(whole.sum())
    order = np.argsort(-remainder, kind="stable")
    whole[order[:short]] += 1
    return whole


def in_turn(picks: list[np.ndarray]) -> np.ndarray:
    """Merge the clusters' picks so that every beginning is shared out like the whole: (budget,).

    A cluster's t-th of s picks (t from 0) is (t + 1/2) / s of the way; ties go to the lowest
    cluster.
    """
    # Quotients are correctly rounded, so equal positions are equal floats.
    places = [np.arange(1, 2 * len(own), 2) / (2 * len(own)) for own in picks if len(own)]
    order = np.argsort(np.concatenate(places), kind="stable")
    return np.concatenate(picks)[order].astype(np.int64)
