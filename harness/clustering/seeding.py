"""Where k-means starts: twice as many seeds as clusters, merged two by two."""

import hashlib

import numpy as np

from harness.clustering.rows import each_block

ROWS_EACH = 16  # rows per cluster that seeds are drawn from ...
FEWEST_ROWS, MOST_ROWS = 2048, 8192  # ... within these: their products with each other are kept
SPARE = 2  # seeds per cluster, before they are merged
MOST_SEEDS = 8192  # merging needs the costs of all pairs: 268 MB
CANDIDATES = 8  # drawn for each seed, of which the best is taken
NOISE = np.float32(1e-6)  # of squared distances between float32 rows of length 1


def seed_rows(x: np.ndarray, k: int, rng: np.random.Generator, threads: int) -> np.ndarray:
    """Rows to start from: k to 2k of them, or every distinct row where there are fewer.

    Args:
        x: (n, d) float32, rows of length 1.
        k: the number of clusters.
        rng: the source of chance.
        threads: how many; the result does not depend on it.
    """
    wanted = max(k, min(SPARE * k, MOST_SEEDS))
    size = max(wanted, min(max(ROWS_EACH * k, FEWEST_ROWS), MOST_ROWS))
    chosen = _spread(x, _some(np.arange(len(x)), size, rng), wanted, rng, threads)
    if len(chosen) >= k:
        return chosen
    # So many copies that the rows drawn hold too few others: these are looked for in the whole.
    distinct = first_of_each(x)
    chosen = _spread(x, _some(distinct, size, rng), wanted, rng, threads)
    if len(chosen) >= k:
        return chosen
    others = np.setdiff1d(distinct, chosen)
    return np.concatenate([chosen, _some(others, k - len(chosen), rng)])


def _some(rows: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= size else np.sort(rng.choice(rows, size, replace=False))


def first_of_each(x: np.ndarray) -> np.ndarray:
    """The first of each set of equal rows, ascending."""
    seen: dict[bytes, int] = {}
    for row in range(len(x)):
        values = x[row] + np.float32(0)  # -0.0 equals 0.0
        seen.setdefault(hashlib.blake2b(values.data, digest_size=16).digest(), row)
    return np.fromiter(seen.values(), dtype=np.int64)


def _spread(
    x: np.ndarray, rows: np.ndarray, wanted: int, rng: np.random.Generator, threads: int
) -> np.ndarray:
    """Those of the rows that greedy k-means++ takes; fewer once the rest are copies.

    Each is the best of a few that are drawn with probability by squared distance to the nearest
    taken. Source: Arthur and Vassilvitskii 2007, where the greedy choice is in section 7.
    """
    sample = x[rows]
    products = _products(sample, threads) if len(rows) <= MOST_ROWS else None

    def distances(of: np.ndarray) -> np.ndarray:
        found = sample[of] @ sample.T if products is None else products[of]
        found *= -2
        found += 2 - NOISE  # copies are at distance 0, whatever the rounding
        return np.maximum(found, 0, out=found)

    taken = [int(rng.integers(len(rows)))]
    nearest = distances(np.array(taken))[0]
    while len(taken) < min(wanted, len(rows)):
        sums = np.cumsum(nearest, dtype=np.float64)
        if sums[-1] == 0:
            break
        drawn = np.searchsorted(sums, rng.random(CANDIDATES) * sums[-1], side="right")
        left = distances(drawn)
        np.minimum(left, nearest, out=left)
        best = int(left.sum(axis=1).argmin())
        taken.append(int(drawn[best]))
        nearest = left[best]
    return rows[taken]


def _products(x: np.ndarray, threads: int) -> np.ndarray:
    """The products of all pairs of rows: (n, n) float32."""
    found = np.empty((len(x), len(x)), dtype=np.float32)

    def multiply(rows: slice) -> None:
        np.matmul(x[rows], x.T, out=found[rows])

    each_block(multiply, len(x), threads)
    return found


def merged(centroids: np.ndarray, counts: np.ndarray, k: int) -> np.ndarray:
    """What is left of the centroids once the pairs that cost least are merged, until k are left.

    Merging a and b adds |a| |b| / (|a| + |b|) times their squared distance to the inertia (Ward
    1963); what their union costs to merge with a third follows from the costs of the three (Lance
    and Williams 1967). Ties go to the lowest.

    Args:
        centroids: (m, d) float64, m >= k.
        counts: (m,) rows of each, none 0.
        k: how many to leave.

    Returns:
        (k, d) float32.
    """
    weights = counts.astype(np.float64)
    costs = _merging_costs(centroids, weights)
    partners = costs.argmin(axis=1)
    cheapest = np.take_along_axis(costs, partners[:, None], axis=1)[:, 0]
    groups = np.arange(len(centroids))
    for _ in range(len(centroids) - k):
        a = int(cheapest.argmin())
        a, b = sorted((a, int(partners[a])))
        union = (weights[a] + weights) * costs[a] + (weights[b] + weights) * costs[b]
        union = (union - weights * costs[a, b]) / (weights[a] + weights[b] + weights)
        costs[a], costs[:, a], costs[b], costs[:, b] = union, union, np.inf, np.inf
        weights[a] += weights[b]
        groups[groups == b] = a
        cheapest[b] = np.inf
        nearer = costs[a] < cheapest
        partners[nearer], cheapest[nearer] = a, costs[a, nearer]
        again = np.isin(partners, (a, b)) & np.isfinite(cheapest) & ~nearer
        partners[again] = costs[again].argmin(axis=1)
        cheapest[again] = costs[again, partners[again]]
    left = np.unique(groups)
    sums = np.zeros_like(centroids)
    np.add.at(sums, groups, centroids * counts[:, None])
    return (sums[left] / weights[left, None]).astype(np.float32)


def _merging_costs(centroids: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """What merging each pair costs: (m, m) float32, infinite on the diagonal."""
    squares = np.einsum("ij,ij->i", centroids, centroids)
    costs = np.empty((len(centroids), len(centroids)), dtype=np.float32)
    for i, row in enumerate(costs):
        distances = np.maximum(squares + squares[i] - 2 * (centroids @ centroids[i]), 0)
        row[:] = distances * (weights * weights[i] / (weights + weights[i]))
        row[i] = np.inf
    return costs
