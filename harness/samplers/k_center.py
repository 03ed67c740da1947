"""Greedy k-center: always the instance farthest from everything taken so far."""

from typing import Literal, get_args

import numpy as np

from harness.samplers.pool import Pool, check_pool

Start = Literal["mean", "random"]


def k_center(
    pool: Pool, budget: int, rng: np.random.Generator, *, start: Start = "mean"
) -> np.ndarray:
    """Take the farthest instance from those taken, in Euclidean distance, until the budget is met.

    Greedy 2-approximation of eq. 1 of arXiv 2409.11378 (section 2.1). It goes on from
    ``pool.selected`` where that is not empty; else it begins with the instance nearest the pool's
    mean (``start="mean"``) or with a random one (``start="random"``). Ties go to the lowest index.

    Returns:
        (budget,) int64 indices in the order taken.
    """
    check_pool(pool, budget)
    if start not in get_args(Start):
        raise ValueError(f"start is {start!r}; the choices are {', '.join(get_args(Start))}")
    x = np.ascontiguousarray(pool.embeddings, dtype=np.float32)
    squares = np.einsum("ij,ij->i", x, x)
    nearest = np.full(pool.size, np.inf, dtype=np.float32)
    picks: list[int] = []
    for taken in pool.selected:
        _approach(x, squares, nearest, int(taken))
    if not len(pool.selected):
        picks.append(_first(x, rng, start))
        _approach(x, squares, nearest, picks[0])
    while len(picks) < budget:
        picks.append(int(np.argmax(nearest)))
        _approach(x, squares, nearest, picks[-1])
    return np.array(picks, dtype=np.int64)


def _first(x: np.ndarray, rng: np.random.Generator, start: Start) -> int:
    if start == "random":
        return int(rng.integers(len(x)))
    mean = x.mean(axis=0, dtype=np.float64)
    return int(np.argmin(((x - mean) ** 2).sum(axis=1)))


def _approach(x: np.ndarray, squares: np.ndarray, nearest: np.ndarray, taken: int) -> None:
    distance = squares + squares[taken] - 2 * (x @ x[taken])
    # A duplicate of a taken instance is at distance 0, and rounding must not put it below.
    np.minimum(nearest, np.maximum(distance, 0), out=nearest)
    # -1 is below every distance: a taken instance is never the farthest again.
    nearest[taken] = -1
