"""Rows of length 1, and work on them block by block."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from harness.common.errors import InputError

BLOCK = 1024  # rows; fixed, so that products are the same for any number of threads


def unit_rows(embeddings: np.ndarray) -> np.ndarray:
    """The rows scaled to length 1: (n, d) float32.

    InputError names the first row that is NaN, infinite or all zeros.
    """
    if embeddings.ndim != 2:
        raise InputError(f"embeddings: shape {embeddings.shape}; needed: (n, d)")
    units = np.empty(embeddings.shape, dtype=np.float32)
    for rows in blocks(len(embeddings)):
        block = embeddings[rows].astype(np.float64)  # squares of float32 can overflow in float32
        lengths = np.sqrt(np.einsum("ij,ij->i", block, block))
        usable = np.isfinite(lengths) & (lengths > 0)
        if not usable.all():
            at = int(np.argmin(usable))
            what = "is all zeros" if lengths[at] == 0 else "holds NaN or infinity"
            raise InputError(f"embeddings: row {rows.start + at + 1} {what}")
        units[rows] = block / lengths[:, None]
    return units


def within_one(x: np.ndarray) -> tuple[np.ndarray, int]:
    """The array divided by a power of two so that no entry exceeds 1; and that exponent.

    Exact, and squares in float32 neither overflow nor vanish.
    """
    exponent = int(np.frexp(max(float(x.max()), -float(x.min())))[1])
    scaled = np.empty(x.shape, dtype=np.float32)
    for rows in blocks(len(x)):
        np.ldexp(x[rows], -exponent, out=scaled[rows], casting="same_kind")
    return scaled, exponent


def blocks(n: int) -> Iterator[slice]:
    """Slices of n rows by block."""
    return (slice(a, min(a + BLOCK, n)) for a in range(0, n, BLOCK))


def each_block(work: Callable[[slice], None], n: int, threads: int) -> None:
    """Call ``work`` with each block of n rows on several threads; it writes its own rows only."""
    if threads == 1 or n <= BLOCK:
        for rows in blocks(n):
            work(rows)
        return
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(work, blocks(n)):
            pass


def group_sums(
    x: np.ndarray, labels: np.ndarray, k: int, weights: np.ndarray | None = None
) -> np.ndarray:
    """The sums of each group's rows, weighted if ``weights`` are given: (k, d) float64."""
    from scipy.sparse import csr_matrix

    if weights is None:
        weights = np.ones(len(x))
    sums = np.zeros((k, x.shape[1]))
    for rows in blocks(len(x)):
        block = x[rows].astype(np.float64)
        places = (labels[rows], np.arange(len(block)))
        sums += csr_matrix((weights[rows], places), shape=(k, len(block))) @ block
    return sums
