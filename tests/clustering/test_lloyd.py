"""What k-means is made of: each part equals its definition, worked by hand or written naively."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.clustering.blocks import unit_rows
from harness.clustering.lloyd import Lloyd
from harness.clustering.seeding import merged, starting_centroids
from tests.helpers.clustered_vectors import means, mixture, squares


def naive_labels(x: np.ndarray, centroids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of all centroids, and the centroids once the empty ones lie on far rows."""
    while True:
        distances = squares(x, centroids)
        labels = distances.argmin(axis=1)
        empty = [j for j in range(len(centroids)) if j not in labels]
        if not empty:
            return labels, centroids
        own = distances.min(axis=1)
        farthest = sorted(range(len(x)), key=lambda row: (-own[row], row))
        centroids = centroids.copy()
        centroids[empty] = x[farthest[: len(empty)]]


@pytest.mark.parametrize("noise", [1e-4, 0.05, 0.5, 1.5])
@pytest.mark.parametrize("k", [3, 50])
def test_lloyd_equals_the_naive_one_at_every_step(noise: float, k: int) -> None:
    """At 1e-4, float32 products cannot decide which centroid is nearest."""
    x = mixture(1200, 60, noise, dimensions=16)
    start = unit_rows(np.random.default_rng(1).normal(size=(k, 16)))
    fast = Lloyd(x, start, threads=1)
    labels, centroids = naive_labels(x, start)
    moved = []
    while True:
        np.testing.assert_array_equal(fast.labels, labels)
        np.testing.assert_array_equal(fast.centroids, centroids)
        before, old = labels, centroids
        labels, centroids = naive_labels(x, means(x, labels, k).astype(np.float32))
        moved.append(float((centroids != old).any(axis=1).mean()))
        assert fast.step() == (labels != before).sum()
        if (labels == before).all():
            break
    if (noise, k) == (1.5, 50):  # both when most of the centroids moved and when few did
        assert sum(share > 0.5 for share in moved) > 3 < sum(share < 0.5 for share in moved)


def test_ties_go_to_the_lowest_centroid() -> None:
    x = unit_rows(np.array([[1, 0], [0, 1], [-1, 0], [0, -1], [1, 1], [1, -1], [-1, 1], [-1, -1]]))
    axes = np.array([[0, 1], [1, 0], [0, -1], [-1, 0]], dtype=np.float32)
    np.testing.assert_array_equal(Lloyd(x, axes, 1).labels, [1, 0, 3, 2, 0, 1, 0, 2])


def test_an_empty_cluster_gets_the_row_farthest_from_its_own() -> None:
    angles = np.radians([0, 1, 2, 50, 180, 181])
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    beside = np.array([0, -5], dtype=np.float32)  # of no row the nearest
    result = Lloyd(x, np.stack([x[0], beside, x[4]]), threads=1)
    np.testing.assert_array_equal(result.centroids[1], x[3])
    np.testing.assert_array_equal(result.labels, [0, 0, 0, 1, 2, 2])


def test_several_empty_clusters_and_copies() -> None:
    x = np.repeat(np.eye(5, dtype=np.float32), 3, axis=0)
    result = Lloyd(x, np.concatenate([x[:1]] * 5), threads=1)
    np.testing.assert_array_equal(result.counts, [3] * 5)
    result.run()
    assert (result.iterations, result.distances().sum()) == (1, 0)


def test_merging_by_hand() -> None:
    """Costs of 0 and 1, 10 and 12, 1 and 10 ...: |a||b|/(|a|+|b|) times the square between."""
    line = np.array([[0.0], [1], [10], [12]])
    # 0.5, then 2: one row each.
    np.testing.assert_allclose(merged(line, np.ones(4), 3), [[0.5], [10], [12]])
    np.testing.assert_allclose(merged(line, np.ones(4), 2), [[0.5], [11]])
    np.testing.assert_allclose(merged(line, np.ones(4), 1), [[5.75]])
    # Many rows make a merge dear: 30 x 30 / 60 = 15, above 1 x 1 / 2 times 4.
    np.testing.assert_allclose(merged(line, np.array([30, 30, 1, 1]), 3), [[0], [1], [11]])
    np.testing.assert_allclose(merged(line, np.array([3, 1, 1, 1]), 3), [[0.25], [10], [12]])
    np.testing.assert_allclose(merged(line, np.ones(4), 4), line)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 9))
def test_merging_equals_the_naive_one(seed: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    centroids, counts = rng.normal(size=(m, 3)), rng.integers(1, 50, m)
    k = int(rng.integers(1, m + 1))
    left = {i: (float(counts[i]), centroids[i]) for i in range(m)}
    while len(left) > k:

        def cost(pair: tuple[int, int], left: dict = left) -> float:
            (n, a), (m, b) = left[pair[0]], left[pair[1]]
            return n * m / (n + m) * float(((a - b) ** 2).sum())

        i, j = min(itertools.combinations(sorted(left), 2), key=cost)
        (n, a), (m_, b) = left[i], left.pop(j)
        left[i] = (n + m_, (n * a + m_ * b) / (n + m_))
    expected = np.stack([left[i][1] for i in sorted(left)])
    np.testing.assert_allclose(merged(centroids, counts, k), expected, atol=1e-5)


def test_the_start_is_k_means_of_all_rows() -> None:
    x = mixture(5000, 300, 0.5)
    start = starting_centroids(x, 200, np.random.default_rng(0), threads=1)
    assert start.shape == (200, 32)
    fitted = Lloyd(x, start, threads=1)
    first = fitted.distances().sum()
    fitted.run()
    assert first < 1.1 * fitted.distances().sum()


def test_the_start_is_every_distinct_row_where_those_are_few() -> None:
    copies = np.repeat(mixture(30, 30, 0.5), 100, axis=0)
    for k in (30, 40, 3000):
        start = starting_centroids(copies, k, np.random.default_rng(0), threads=1)
        np.testing.assert_array_equal(np.unique(start, axis=0), np.unique(copies, axis=0))
        assert len(start) == 30


def test_rows_that_float32_products_confuse() -> None:
    x = unit_rows(np.ones((50, 4)) + 1e-5 * np.random.default_rng(0).normal(size=(50, 4)))
    distinct = len(np.unique(x, axis=0))
    assert distinct > 40
    start = starting_centroids(x, 50, np.random.default_rng(0), threads=1)
    np.testing.assert_array_equal(np.unique(start, axis=0), np.unique(x, axis=0))
