"""Unit vectors to select from, made by seed: two kinds of clusters, of very unequal sizes."""

import numpy as np

CLUSTERS = 1000


def separated(rows: int, width: int, seed: int = 0) -> np.ndarray:
    """(rows, width) float32 of length 1 around 1,000 directions, which k-means can find."""
    rng = np.random.default_rng(seed)
    centres, labels = _clusters(rng, rows, rng.normal(size=(CLUSTERS, width)))
    noise = rng.standard_normal((rows, width), dtype=np.float32) / np.sqrt(width)
    return _unit(centres[labels] + 0.7 * noise)


def overlapping(rows: int, width: int, seed: int = 0) -> np.ndarray:
    """(rows, width) float32 of length 1 whose clusters run into each other.

    The spectrum decays, as that of sentence embeddings does.
    """
    rng = np.random.default_rng(seed)
    scale = 1 / np.sqrt(1 + np.arange(width))
    scale /= np.linalg.norm(scale)
    centres, labels = _clusters(rng, rows, rng.normal(size=(CLUSTERS, width)) * scale)
    noise = rng.standard_normal((rows, width), dtype=np.float32) * scale.astype(np.float32)
    turned = np.linalg.qr(rng.normal(size=(width, width)))[0].astype(np.float32)
    return _unit((centres[labels] + 0.9 * noise) @ turned)


POOLS = {"separated": separated, "overlapping": overlapping}


def _clusters(
    rng: np.random.Generator, rows: int, directions: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Centres of length 1, and each row's: the r-th cluster's size goes as 1 / r."""
    sizes = 1 / np.arange(1, CLUSTERS + 1)
    return _unit(directions), rng.choice(CLUSTERS, rows, p=sizes / sizes.sum())


def _unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
