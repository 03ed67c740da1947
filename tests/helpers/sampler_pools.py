"""Pools for the samplers' tests: one of every awkward thing, and a hypothesis strategy."""

import warnings
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import strategies as st

from harness.samplers import SAMPLERS, Pool


def make_pool(n: int, seed: int = 0, k: int = 5, taken: int = 0) -> Pool:
    """A pool of unit vectors with duplicates, clusters of very unequal size, and taken rows."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6)).astype(np.float32)
    x[n // 2] = x[0]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    labels = np.minimum(rng.geometric(0.4, n) - 1, k - 1).astype(np.int64)
    centroids = rng.normal(size=(k, 6)).astype(np.float32)
    selected = rng.choice(n, taken, replace=False).astype(np.int64)
    return Pool(x, rng.random(n), (labels, centroids), None, selected)


def clusters(n: int, d: int = 24, spread: float = 0.3, seed: int = 0) -> np.ndarray:
    """Unit vectors in clusters, of which every seventh in the second half is the same."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(40, d))[rng.integers(0, 40, n)] + spread * rng.normal(size=(n, d))
    x[n // 2 :: 7] = x[0]
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def take(key: str, pool: Pool, budget: int, seed: int = 0, **params: object) -> np.ndarray:
    """A sampler's picks where what it warns of is beside the point."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return SAMPLERS[key](pool, budget, np.random.default_rng(seed), **params)


def clustered(
    labels: list[int],
    quality: list[float] | None = None,
    k: int | None = None,
    weights: list[float] | None = None,
    selected: Sequence[int] = (),
) -> Pool:
    """A pool of which only the clusters and the quality matter."""
    n, k = len(labels), k or max(labels) + 1
    x = np.ones((n, 2), dtype=np.float32)
    clusters = (np.array(labels), np.zeros((k, 2), dtype=np.float32))
    return Pool(
        x,
        None if quality is None else np.array(quality),
        clusters,
        None if weights is None else np.array(weights),
        np.array(selected, dtype=np.int64),
    )


@st.composite
def small_pools(draw: st.DrawFn) -> tuple[Pool, int]:
    """A small pool and a budget; all its numbers are exact in float32.

    Rows are four times plus or minus a half: unit length, 16 different ones, hence duplicates, and
    similarities and distances in whole quarters, hence ties. Clusters may be tiny or empty,
    qualities zero or equal, instances taken; the budget is often 1 or all that is left.
    """
    n = draw(st.integers(1, 14))
    k = draw(st.integers(1, 5))

    def rows(count: int, cell: st.SearchStrategy[float]) -> np.ndarray:
        row = st.tuples(cell, cell, cell, cell)
        drawn = draw(st.lists(row, min_size=count, max_size=count))
        return np.array(drawn, dtype=np.float32)

    x = rows(n, st.sampled_from([-0.5, 0.5]))
    centroids = rows(k, st.sampled_from([-0.5, 0.0, 0.25, 0.5]))
    labels = draw(st.lists(st.integers(0, k - 1), min_size=n, max_size=n))
    quality = draw(st.lists(st.sampled_from([0.0, 0.0, 0.5, 1.0, 3.0]), min_size=n, max_size=n))
    selected = draw(st.lists(st.integers(0, n - 1), unique=True, max_size=n - 1))
    free = n - len(selected)
    budget = draw(st.one_of(st.just(1), st.just(free), st.integers(1, free)))
    pool = Pool(
        x,
        np.array(quality),
        (np.array(labels), centroids),
        None,
        np.array(selected, dtype=np.int64),
    )
    return pool, budget


def free_of(pool: Pool) -> list[int]:
    """The instances not yet taken."""
    return [i for i in range(pool.size) if i not in set(pool.selected.tolist())]


def refused(key: str, pool: Pool, budget: int = 2) -> str:
    """The one line that a sampler refuses its input with."""
    with pytest.raises(ValueError, match=r"^[^\n]+$") as error:
        SAMPLERS[key](pool, budget, np.random.default_rng(0))
    return str(error.value)


def check_picks(picks: np.ndarray, pool: Pool, budget: int) -> None:
    assert picks.dtype == np.int64
    assert picks.shape == (budget,)
    assert len(set(picks.tolist())) == budget
    assert not set(picks.tolist()) & set(pool.selected.tolist())
    assert picks.min() >= 0
    assert picks.max() < pool.size
