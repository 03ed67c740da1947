"""Deita: the best first, unless too similar to one already taken."""

import warnings
from typing import NamedTuple

import numpy as np

from harness.samplers.pool import (
    Pool,
    by_quality,
    check_pool,
    check_quality,
    check_unit,
    warn_of_ties,
)

BLOCK = 512  # candidates compared in one matrix product
PAIRS = 4096  # pairs compared again in float64 at once


def deita(
    pool: Pool, budget: int, rng: np.random.Generator, *, threshold: float = 0.9
) -> np.ndarray:
    """Take by quality, passing over what is too similar to an instance already taken.

    Score-first, diversity-aware selection (Liu et al. 2023, arXiv 2312.15685; there quality is
    complexity x quality). An instance is passed over if its cosine similarity to one taken, or to
    one of ``pool.selected``, is above ``threshold`` (-1 to 1). If the pool runs out before the
    budget does, the best of those passed over follow, and a warning says how many.

    Similarities are those of the float64 values, at most 1 and for exact duplicates 1: with
    ``threshold=1`` nothing is passed over, with anything less no duplicate is taken twice. A
    warning says where ties of quality decide what is taken. Embeddings must have unit length.
    """
    check_pool(pool, budget)
    check_unit(pool)
    quality = check_quality(pool)
    if not -1 <= threshold <= 1:
        raise ValueError(f"threshold is {threshold}; a cosine similarity is -1 to 1")
    order = by_quality(quality, pool.free())
    taken, passed_over = _walk(pool.embeddings, order, pool.selected, budget, threshold)
    if not quality[order].any():
        warnings.warn("every quality is zero; the lowest indices come first", stacklevel=3)
    elif len(taken) == budget:
        last = int(np.flatnonzero(order == taken[-1])[0])
        warn_of_ties(quality, np.concatenate([taken, order[last + 1 :]]), budget)
    else:
        warn_of_ties(quality, passed_over, budget - len(taken))
    if missing := budget - len(taken):
        text = f"{missing} of {budget} are of those passed over, above similarity {threshold}"
        warnings.warn(f"{text}: the pool ran out", stacklevel=3)
        taken = np.concatenate([taken, passed_over[:missing]])
    return taken


class _Some(NamedTuple):
    """Some instances: their rows in the pool (m,), and embeddings of length 1 (m, d) float32."""

    rows: np.ndarray
    units: np.ndarray


def _walk(
    x: np.ndarray, order: np.ndarray, before: np.ndarray, budget: int, threshold: float
) -> tuple[np.ndarray, np.ndarray]:
    """Go along ``order``: the instances taken, and those passed over until then."""
    end = len(before)  # those up to here are taken
    met = _Some(
        np.empty(end + budget, dtype=np.int64),
        np.empty((end + budget, x.shape[1]), dtype=np.float32),
    )
    met.rows[:end], met.units[:end] = before, _units(x[before])
    passed_over = [order[:0]]
    for start in range(0, len(order), BLOCK):
        if end == len(met.rows):
            break
        rows = order[start : start + BLOCK]
        block = _Some(rows, _units(x[rows]))
        taken = _Some(met.rows[:end], met.units[:end])
        closed = _above(x, block, taken, threshold).any(axis=1)
        fresh = np.flatnonzero(~closed)
        kept = fresh[_first_come(x, _Some(rows[fresh], block.units[fresh]), threshold)]
        kept = kept[: len(met.rows) - end]
        met.rows[end : end + len(kept)] = rows[kept]
        met.units[end : end + len(kept)] = block.units[kept]
        end += len(kept)
        passed_over.append(np.delete(rows, kept))
    return met.rows[len(before) : end], np.concatenate(passed_over)


def _units(x: np.ndarray) -> np.ndarray:
    exact = x.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    return np.ascontiguousarray(exact / lengths, dtype=np.float32)


def _first_come(x: np.ndarray, some: _Some, threshold: float) -> np.ndarray:
    """Positions of those not too similar to any kept before them."""
    above = _above(x, some, some, threshold)
    closed = np.zeros(len(some.rows), dtype=bool)
    kept = []
    for i in range(len(closed)):
        if not closed[i]:
            kept.append(i)
            closed |= above[i]
    return np.array(kept, dtype=np.int64)


def _above(x: np.ndarray, a: _Some, b: _Some, threshold: float) -> np.ndarray:
    """Whether each of ``a`` is more similar to each of ``b`` than the threshold: bool."""
    similarity = a.units @ b.units.T
    above = similarity > threshold
    # A float32 product is off by less than this, depending on the block's shape.
    margin = (x.shape[1] + 10) * 2.0**-23
    i, j = np.nonzero(np.abs(similarity - np.float32(threshold)) < margin)
    for start in range(0, len(i), PAIRS):
        pairs = i[start : start + PAIRS], j[start : start + PAIRS]
        above[pairs] = _cosine(x[a.rows[pairs[0]]], x[b.rows[pairs[1]]]) > threshold
    return above


def _cosine(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Row by row in float64, with sums in one order: duplicates give s / sqrt(s * s), exactly 1."""
    a, b = (np.ascontiguousarray(rows, dtype=np.float64) for rows in (a, b))
    products, of_a, of_b = ((p * q).sum(axis=1) for p, q in ((a, b), (a, a), (b, b)))
    return np.minimum(products / np.sqrt(of_a * of_b), 1)
