"""Greedy k-center: always the instance farthest from everything taken so far."""

from typing import Literal

import numpy as np

from harness.samplers.pool import Pool, check_choice, check_pool

Start = Literal["mean", "random"]

CANDIDATES = 2048  # the farthest, as far as is known, among which a round picks
BLOCK = 4096  # rows whose distance to the mean is computed at once


def k_center(
    pool: Pool, budget: int, rng: np.random.Generator, *, start: Start = "mean"
) -> np.ndarray:
    """Take the farthest instance from those taken, in Euclidean distance, until the budget is met.

    Greedy 2-approximation of eq. 1 of arXiv 2409.11378 (section 2.1). It goes on from
    ``pool.selected`` where that is not empty; else it begins with the instance nearest the pool's
    mean (``start="mean"``) or with a random one (``start="random"``). Distances are squared, in
    float32, each summed in one fixed order: duplicates tie exactly. Ties go to the lowest index.
    Embeddings may be of any scale; distances under 1e-22 of the largest entry count as none.

    Args:
        pool: only ``embeddings`` and ``selected`` are read.
        budget: how many to take.
        rng: read by ``start="random"`` where nothing is selected.
        start: which instance is the first.

    Returns:
        (budget,) int64 indices in the order taken.
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
    """Fill ``order`` from ``count`` on, by the same picks as comparing everything with everything.

    An instance carries the distance to the nearest of those it was compared with, which is at
    least its distance. A round compares only the instances whose bound is among the highest, and
    each only until its bound is under theirs: most pairs are never computed. Among those still as
    far the round picks while the farthest of them is farther than any other instance may be.
    """
    from harness.clustering.blocks import within_one
    from harness.samplers.kernels import k_center_kernel as kernel

    n, d = embeddings.shape
    # The loops take four dimensions at a time; zeros add nothing to a distance.
    x = np.zeros((n, -(-d // 4) * 4), dtype=np.float32)
    x[:, :d] = within_one(embeddings)[0]
    taken = _columns(x[order[:count]], len(order), kernel.LANES)
    bounds = np.full(n, np.inf, dtype=np.float32)
    bounds[order[:count]] = -1  # below every distance: a taken instance is never the farthest
    seen = np.zeros(n, dtype=np.int32)
    while count < len(order):
        above = bounds[bounds > 0]
        if not len(above):  # duplicates of those taken are all that is left
            order[count:] = np.flatnonzero(bounds == 0)[: len(order) - count]
            return
        rank = max(len(above) - CANDIDATES, 0)
        floor = np.partition(above, rank)[rank]
        rows = np.flatnonzero(bounds >= floor)
        kernel.compare(x, rows, taken, count, seen, bounds, floor)
        rows = rows[bounds[rows] >= floor]
        if len(rows):
            columns = _columns(x[rows], len(rows), kernel.LANES)
            count = kernel.pick(x, rows, columns, floor, bounds, taken, order, count)


def _columns(rows: np.ndarray, room: int, lanes: int) -> np.ndarray:
    """Rows (m, d) as columns in blocks with room for ``room``: (blocks, d, lanes), the rest inf."""
    m, d = rows.shape
    blocks = np.full((-(-room // lanes), d, lanes), np.inf, dtype=np.float32)
    for b in range(-(-m // lanes)):
        part = rows[b * lanes : (b + 1) * lanes]
        blocks[b, :, : len(part)] = part.T
    return blocks
