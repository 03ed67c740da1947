"""Clusters of a user's pool: as many as asked for, or the number of best silhouette."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.errors import InputError
from harness.progress import progress

if TYPE_CHECKING:
    from harness.clustering import Clustering

SMALLEST, LARGEST = 16, 4096  # powers of two, as table 5 of arXiv 2409.11378 has from 64 to 8192
ROWS_EACH = 8  # on average, in the clusters of the largest k that is tried


@dataclass(frozen=True)
class Clusters:
    """The clustering that was chosen, what the provenance says of how, and what should be known."""

    clustering: "Clustering"
    card: dict[str, Any]
    notes: tuple[str, ...]


def automatic(rows: int) -> list[int]:
    """The numbers of clusters tried for a pool: powers of two; from 2 where the pool is small."""
    most = min(LARGEST, rows // ROWS_EACH)
    least = SMALLEST if most >= 8 * SMALLEST else 2  # four numbers at least, where there can be
    return [k for k in (2**i for i in range(1, 13)) if least <= k <= most] or [1]


def pool_clusters(
    embeddings: np.ndarray, k: Sequence[int] | Literal["auto"], seed: int
) -> Clusters:
    """k-means for each number tried; of several, the best silhouette is kept, ties to the fewest.

    InputError for more clusters than rows.
    """
    from harness.clustering import at_the_end, kmeans

    rows = len(embeddings)
    tried = automatic(rows) if k == "auto" else list(k)
    if max(tried) > rows:
        raise InputError(f"--k {max(tried)}: the pool has {rows:,} rows; give at most that")
    best: Clustering | None = None
    silhouettes: dict[int, float | None] = {}
    for count in progress(tried, "cluster"):
        found = kmeans(embeddings, count, seed)
        silhouettes[count] = found.silhouette
        if best is None or _height(found) > _height(best):
            best = found
    assert best is not None  # one number at least is tried
    told = {str(count): height for count, height in silhouettes.items()}
    card = {"k": best.k, "seed": seed, "silhouettes": told, "inertia": best.inertia}
    notes = []
    if at_the_end(best.k, silhouettes):
        notes.append(f"k is {best.k}, the largest tried: give --k larger ones to see if they suit")
    if best.silhouette is None and (k == "auto" or len(tried) > 1):
        notes.append(f"k is {best.k}: no number of clusters tried on {rows} rows has a silhouette")
    return Clusters(best, card, tuple(notes))


def _height(clustering: "Clustering") -> float:
    return -2.0 if clustering.silhouette is None else clustering.silhouette


def one_cluster(rows: int, dimensions: int) -> "Clustering":
    """The pool as a whole, for systems that read no clusters."""
    from harness.clustering import Clustering

    centroid = np.zeros((1, dimensions), dtype=np.float32)
    return Clustering(np.zeros(rows, dtype=np.int64), centroid, 0.0, None, 0)
