"""k-means of embeddings: checks, start, run and silhouette."""

import logging

import numpy as np

from harness.clustering.blocks import unit_rows
from harness.clustering.files import Clustering
from harness.clustering.lloyd import Lloyd
from harness.clustering.seeding import starting_centroids
from harness.clustering.silhouette import silhouette_cosine
from harness.common.errors import InputError

log = logging.getLogger(__name__)


def kmeans(embeddings: np.ndarray, k: int, seed: int) -> Clustering:
    """Cluster the rows, scaled to unit length, by k-means from one seeded start.

    ``embeddings`` are (n, d) floats, n >= k. The start is 2k seeds, whose groups of rows are merged
    to k where that costs least. The same seed gives the same bytes for any number of threads; it
    uses as many as the numerical libraries may. If there are fewer distinct rows than clusters,
    the last clusters are empty, with the first one's centroid, and a warning says so.

    Raises InputError for k out of bounds, and for a row that is NaN, infinite or all zeros.
    Source: arXiv 2409.11378, section 2.1; seed 42 in its table 4.
    """
    from threadpoolctl import threadpool_info, threadpool_limits

    n = len(embeddings)
    if not 1 <= k <= n:
        raise InputError(f"cluster.k: {k} clusters of {n} instances; k must be 1 to {n}")
    log.info("clustering: k-means with k = %d on %s rows", k, f"{n:,}")
    x = unit_rows(embeddings)
    # OMP_NUM_THREADS, or every core.
    blas = [it["num_threads"] for it in threadpool_info() if it["user_api"] == "blas"]
    threads = max(blas, default=1)
    # BLAS threads would change the order of sums: the threads are our own.
    with threadpool_limits(1):
        start = starting_centroids(x, k, np.random.default_rng(seed), threads)
        lloyd = Lloyd(x, start, threads)
        lloyd.run()
        silhouette = silhouette_cosine(x, lloyd.labels, threads)
    distinct = len(lloyd.centroids)
    if distinct < k:
        log.warning(
            "clustering: %d clusters of %d distinct rows: the last %d are empty",
            *(k, distinct, k - distinct),
        )
    if silhouette is None:
        filled = min(k, distinct)
        log.info("clustering: the silhouette of %d clusters of %d rows is undefined", filled, n)
    return Clustering(
        labels=lloyd.labels,
        centroids=np.concatenate([lloyd.centroids, lloyd.centroids[[0] * (k - distinct)]]),
        inertia=float(lloyd.distances().sum()),
        silhouette=silhouette,
        iterations=lloyd.iterations,
    )
