"""Greedy k-center: always the instance farthest from everything taken so far."""

from typing import Literal

import numpy as np

from harness.samplers.pool import Pool, check_choice, check_pool

Start = Literal["mean", "random"]

CANDIDATES = 2048  # instances with the largest bounds, among which a round picks
BLOCK = 4096  # rows whose distance to the mean is computed at once


def k_center(
    pool: Pool, budget: int, rng: np.random.Generator, *, start: Start = "mean"
) -> np.ndarray:
    """Take the farthest instance from those taken, in Euclidean distance, until the budget is met.

    Greedy 2-approximation of eq. 1 of arXiv 2409.11378 (section 2.1). It continues from
    ``pool.selected`` if that is not empty; else it begins with the instance nearest the pool's
    mean (``start="mean"``) or with a random one (``start="random"``). Distances are squared, in
    float32, each summed in one fixed order: duplicates tie exactly. Embeddings may be of any
    scale; distances under 1e-22 of the largest entry count as zero.
    """
    check_pool(pool, budget)
    check_choice("start", start, Start)
    m = len(pool.selected)
    order = np.empty(m + budget, dtype=np.int64)
    order[:m] = pool.selected
    if not m:
        order[0] = _first(pool.embeddings, rng, start)
    _go_on(pool.embeddings, order, max(m, 1))
    return order[m:]


def _first(x: np.ndarray, rng: np.random.Generator, start: Start) -> int:
    if start == "random":
        return int(rng.integers(len(x)))
    mean = x.mean(axis=0, dtype=np.float64)
    blocks = [x[i : i + BLOCK] for i in range(0, len(x), BLOCK)]
    return int(np.argmin(np.concatenate([((b - mean) ** 2).sum(axis=1) for b in blocks])))


def _go_on(embeddings: np.ndarray, order: np.ndarray, count: int) -> None:
    """Fill ``order`` from ``count`` on, with the same picks as comparing all pairs.

    Each instance has a bound: its distance to the nearest of those compared so far. A round
    compares only the instances of largest bounds, each only until its bound falls below theirs:
    most pairs are never computed. It picks among those left while the farthest of them is farther
    than any other instance can be.
    """
    from harness.clustering.blocks import within_one
    from harness.samplers.kernels import columns
    from harness.samplers.kernels import k_center_kernel as kernel

    n, d = embeddings.shape
    # Zeros fill up to a multiple of four dimensions, as the loops need.
    x = np.zeros((n, -(-d // 4) * 4), dtype=np.float32)
    x[:, :d] = within_one(embeddings)[0]
    taken = columns(x[order[:count]], len(order), kernel.LANES, np.inf)
    bounds = np.full(n, np.inf, dtype=np.float32)
    bounds[order[:count]] = -1  # below every distance: never the farthest
    seen = np.zeros(n, dtype=np.int32)
    while count < len(order):
        above = bounds[bounds > 0]
        if not len(above):  # only duplicates of those taken are left
            order[count:] = np.flatnonzero(bounds == 0)[: len(order) - count]
            return
        rank = max(len(above) - CANDIDATES, 0)
        floor = np.partition(above, rank)[rank]
        rows = np.flatnonzero(bounds >= floor)
        kernel.compare(x, rows, taken, count, seen, bounds, floor)
        rows = rows[bounds[rows] >= floor]
        if len(rows):
            candidates = columns(x[rows], len(rows), kernel.LANES, np.inf)
            count = kernel.pick(x, rows, candidates, floor, bounds, taken, order, count)
