"""Exact and near duplicates within a pool.

Exact: equal to an earlier row once normalised (case, white space). Near: not exact, and the sets
of 3-word runs of the row and of an earlier row have at least the threshold's Jaccard similarity.
Candidates come from MinHash with banding (Broder 1997; Leskovec, Rajaraman and Ullman, Mining of
Massive Datasets, section 3.4) and are then compared exactly: no false positives; a pair is missed
once in 14,000 at a similarity of 0.8, once in 80 at 0.7.
"""

from dataclasses import dataclass

import numpy as np

from harness.common.progress import progress
from harness.pools.word_runs import Vocabulary, first_of_equals, word_runs

RUN_WORDS = 3
BANDS = 24
BAND_ROWS = 5
# A row is compared with this many before it in a band's bucket, lest a pool of one template compare
# every pair. Rows that are truly alike share a bucket in nearly every band.
NEIGHBOURS = 32
SLACK = 0.2  # signatures of 120 hashes are within this of the similarity, 5 deviations


@dataclass(frozen=True)
class Duplicates:
    """For each row, the earlier row that it duplicates, or -1; both (n,) int64."""

    exact: np.ndarray
    near: np.ndarray


def find_duplicates(texts: list[str], threshold: float) -> Duplicates:
    """The duplicates among ``texts``; ``threshold`` is a Jaccard similarity in [0.7, 1]."""
    first = first_of_equals(texts)
    exact = np.where(first == np.arange(len(texts)), -1, first)
    unique = np.flatnonzero(exact < 0)
    runs = word_runs(
        (texts[i] for i in unique), RUN_WORDS, Vocabulary(), "near duplicates: words", whole=True
    )
    sizes = runs.sizes()
    filled, ends = np.flatnonzero(sizes), np.cumsum(sizes)
    sets = np.split(runs.hashes, ends[:-1])
    pairs = _candidates(_signatures(runs.hashes, (ends - sizes)[filled]), threshold - SLACK)
    near = np.full(len(texts), -1, np.int64)
    for one, two in progress(filled[pairs], "near duplicates: pairs"):
        shared = len(np.intersect1d(sets[one], sets[two], assume_unique=True))
        similar = shared >= threshold * (sizes[one] + sizes[two] - shared) - 1e-9
        if similar and near[unique[two]] < 0:  # pairs ascend: the earliest counts
            near[unique[two]] = unique[one]
    return Duplicates(exact, near)


def _signatures(hashes: np.ndarray, starts: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(0)  # any constant: results must not depend on a seed
    factors = rng.integers(1, 2**63, BANDS * BAND_ROWS, dtype=np.uint64) * 2 + 1
    columns = []
    for factor in progress(factors, "near duplicates: MinHash"):
        mixed = hashes * factor
        mixed ^= mixed >> np.uint64(32)
        mixed *= np.uint64(0x94D049BB133111EB)
        columns.append((np.minimum.reduceat(mixed, starts) >> np.uint64(32)).astype(np.uint32))
    return np.stack(columns, axis=1)


def _candidates(signatures: np.ndarray, floor: float) -> np.ndarray:
    count = len(signatures)
    met: list[np.ndarray] = []
    for band in range(BANDS):
        part = np.ascontiguousarray(signatures[:, band * BAND_ROWS : (band + 1) * BAND_ROWS])
        _, bucket = np.unique(part, axis=0, return_inverse=True)
        order = np.argsort(bucket.ravel(), kind="stable")
        sorted_bucket = bucket.ravel()[order]
        for gap in range(1, min(NEIGHBOURS, count - 1) + 1):
            same = np.flatnonzero(sorted_bucket[gap:] == sorted_bucket[:-gap])
            if not len(same):
                break
            met.append(order[same] * count + order[same + gap])
    keys = np.unique(np.concatenate([np.empty(0, np.int64), *met]))
    pairs = np.stack([keys // count, keys % count], axis=1)
    blocks = np.array_split(pairs, len(pairs) // 50_000 + 1)
    likely = [(signatures[b[:, 0]] == signatures[b[:, 1]]).mean(axis=1) >= floor for b in blocks]
    return pairs[np.concatenate(likely)]
