"""The start of k-means: twice as many seeds as clusters, merged pairwise."""

import numpy as np

from harness.clustering.blocks import each_block
from harness.clustering.lloyd import Lloyd

ROWS_EACH = 16  # rows per cluster in the sample for the first seeds, ...
FEWEST_ROWS, MOST_ROWS = 2048, 8192  # ... within these bounds: all their products are kept
FIRST, SPARE = 1.5, 2.0  # seeds per cluster: from those rows, and in all
MOST_SEEDS = 8192  # merging needs the costs of all pairs: 268 MB
CANDIDATES = 8  # drawn for each seed; the best is taken
NOISE = np.float32(1e-6)  # of squared distances between float32 rows of length 1


def starting_centroids(x: np.ndarray, k: int, rng: np.random.Generator, threads: int) -> np.ndarray:
    """Centroids to start from: (k, d) float32, or every distinct row where there are fewer.

    Most seeds come from a sample of the rows by greedy k-means++. The others are drawn from all
    rows with probability by squared distance to the nearest of the first, to reach small groups
    that the sample misses (k-means||, Bahmani et al. 2012). Each row then joins its nearest seed,
    and the groups are merged to k.

    ``x`` is (n, d) float32, rows of length 1; k at most n. ``threads`` do not change the result.
    """
    wanted = max(k, min(int(SPARE * k), MOST_SEEDS))
    first = max(1, int(FIRST / SPARE * wanted))
    size = max(first, min(max(ROWS_EACH * k, FEWEST_ROWS), MOST_ROWS))
    sample = np.sort(rng.choice(len(x), min(size, len(x)), replace=False))
    groups = Lloyd(x, x[sample[_spread(x[sample], first, rng, threads)]], threads)
    while len(groups.centroids) < wanted:
        far = groups.distances()
        missing = min(wanted - len(groups.centroids), np.count_nonzero(far))
        if not missing:
            break  # each row is a seed, or a copy of one
        more = rng.choice(len(x), missing, replace=False, p=far / far.sum())
        groups.add(x[more])
    # Of identical seeds, one has all the rows.
    some = groups.counts > 0
    means = groups.sums[some] / groups.counts[some, None]
    return merged(means, groups.counts[some], k)


def _spread(x: np.ndarray, wanted: int, rng: np.random.Generator, threads: int) -> np.ndarray:
    """The rows that greedy k-means++ takes: (wanted,) int64, or fewer if the rest are copies.

    Each is the best of a few drawn with probability by squared distance to the nearest taken.
    Source: Arthur and Vassilvitskii 2007, the greedy choice in section 7.
    """
    products = _products(x, threads) if len(x) <= MOST_ROWS else None

    def distances(rows: np.ndarray) -> np.ndarray:
        squares = x[rows] @ x.T if products is None else products[rows]
        squares *= -2
        squares += 2 - NOISE  # copies are at distance 0, whatever the rounding
        return np.maximum(squares, 0, out=squares)

    taken = [int(rng.integers(len(x)))]
    nearest = distances(np.array(taken))[0]
    while len(taken) < min(wanted, len(x)):
        sums = np.cumsum(nearest, dtype=np.float64)
        if sums[-1] == 0:
            break
        drawn = np.searchsorted(sums, rng.random(CANDIDATES) * sums[-1], side="right")
        left = distances(drawn)
        np.minimum(left, nearest, out=left)
        best = int(left.sum(axis=1).argmin())
        taken.append(int(drawn[best]))
        nearest = left[best]
    return np.array(taken)


def _products(x: np.ndarray, threads: int) -> np.ndarray:
    """The products of all pairs of rows: (n, n) float32."""
    products = np.empty((len(x), len(x)), dtype=np.float32)

    def multiply(rows: slice) -> None:
        np.matmul(x[rows], x.T, out=products[rows])

    each_block(multiply, len(x), threads)
    return products


def merged(centroids: np.ndarray, counts: np.ndarray, k: int) -> np.ndarray:
    """Merge the pair of least cost until k centroids are left: (k, d) float32, or all if fewer.

    ``centroids`` are (m, d) float64 of ``counts`` (m,) rows, none 0. Merging a and b adds
    |a| |b| / (|a| + |b|) times their squared distance to the inertia (Ward 1963); the cost of
    merging their union with a third follows from the costs of the three (Lance and Williams 1967).
    Ties go to the lowest.
    """
    weights = counts.astype(np.float64)
    costs = _merging_costs(centroids, weights)
    partners = costs.argmin(axis=1)
    cheapest = np.take_along_axis(costs, partners[:, None], axis=1)[:, 0]
    groups = np.arange(len(centroids))
    for _ in range(max(0, len(centroids) - k)):
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
    """The cost of merging each pair: (m, m) float32, infinite on the diagonal."""
    squares = np.einsum("ij,ij->i", centroids, centroids)
    costs = np.empty((len(centroids), len(centroids)), dtype=np.float32)
    for i, row in enumerate(costs):
        distances = np.maximum(squares + squares[i] - 2 * (centroids @ centroids[i]), 0)
        row[:] = distances * (weights * weights[i] / (weights + weights[i]))
        row[i] = np.inf
    return costs
