"""Vectors in groups, and the definitions that k-means is held to."""

import numpy as np

from harness.clustering.blocks import unit_rows


def blobs(k: int = 4, each: int = 20) -> np.ndarray:
    """Tight groups along the axes, of very different lengths: only direction tells them apart."""
    rng = np.random.default_rng(0)
    centers = np.repeat(np.eye(k, 8, dtype=np.float32), each, axis=0)
    x = centers + 0.02 * rng.normal(size=(k * each, 8)).astype(np.float32)
    return x * rng.uniform(0.1, 10, size=(len(x), 1)).astype(np.float32)


def squares(x: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Squared distances of all rows from all centroids, (n, k), by their definition."""
    return ((x.astype(np.float64)[:, None] - centroids.astype(np.float64)) ** 2).sum(axis=2)


def means(x: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    return np.stack([x[labels == j].astype(np.float64).mean(axis=0) for j in range(k)])


def mixture(n: int, k: int, noise: float, seed: int = 5, dimensions: int = 32) -> np.ndarray:
    """Unit vectors around k directions, of sizes that fall as 1 / rank."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, k + 1)
    of = rng.choice(k, n, p=share / share.sum())
    x = unit_rows(rng.normal(size=(k, dimensions)))[of]
    return unit_rows(x + noise / np.sqrt(dimensions) * rng.normal(size=x.shape))
