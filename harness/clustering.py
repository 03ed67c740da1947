"""Seeded k-means on unit vectors, and how good the clusters are."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import InputError
from harness.files import read_array, read_json, replacing_folder, write_json

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clustering:
    """Clusters of a pool.

    Attributes:
        labels: (n,) int64, the nearest centroid of each instance.
        centroids: (k, d) float32.
        inertia: sum of squared distances to the centroids.
        silhouette: mean silhouette under cosine distance; None for k = 1, where it is undefined.
        iterations: Lloyd iterations until the labels stood still.
    """

    labels: np.ndarray
    centroids: np.ndarray
    inertia: float
    silhouette: float | None
    iterations: int

    @property
    def k(self) -> int:
        """The number of clusters."""
        return len(self.centroids)


def unit_rows(embeddings: np.ndarray) -> np.ndarray:
    """The rows scaled to length 1: (n, d) float32."""
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    if not lengths.all():
        raise InputError(f"embeddings: row {int(np.argmin(lengths)) + 1} is all zeros")
    return np.ascontiguousarray(embeddings / lengths, dtype=np.float32)


def kmeans(embeddings: np.ndarray, k: int, seed: int) -> Clustering:
    """Cluster the rows, scaled to unit length, by k-means (k-means++ seeding, one start).

    Source: arXiv 2409.11378, section 2.1; seed 42 in its table 4.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score
    from threadpoolctl import threadpool_limits

    n = len(embeddings)
    if not 1 <= k <= n:
        raise InputError(f"cluster.k: {k} clusters of {n} instances; k must be 1 to {n}")
    log.info("clustering: k-means with k = %d on %s rows", k, f"{n:,}")
    x = unit_rows(embeddings)
    # One thread: partial sums in another order could put a row on the other side of a border.
    with threadpool_limits(1):
        model: Any = KMeans(n_clusters=k, n_init=1, random_state=seed)  # pyright: ignore[reportArgumentType]
        model.fit(x)
        labels = model.labels_.astype(np.int64)
        distinct = len(np.unique(labels))
        score = float(silhouette_score(x, labels, metric="cosine")) if 1 < distinct < n else None
    return Clustering(
        labels=labels,
        centroids=model.cluster_centers_.astype(np.float32),
        inertia=float(model.inertia_),
        silhouette=score,
        iterations=int(model.n_iter_),
    )


def write_clustering(folder: Path, clustering: Clustering) -> None:
    """Write labels, centroids and what is known of them, all or nothing."""
    with replacing_folder(folder) as temporary:
        np.save(temporary / "labels.npy", clustering.labels)
        np.save(temporary / "centroids.npy", clustering.centroids)
        info = {
            "k": clustering.k,
            "silhouette": clustering.silhouette,
            "inertia": clustering.inertia,
            "iterations": clustering.iterations,
            "smallest": int(np.bincount(clustering.labels, minlength=clustering.k).min()),
            "largest": int(np.bincount(clustering.labels).max()),
        }
        write_json(temporary / "info.json", info)


def read_clustering(folder: Path, rows: int) -> Clustering:
    """Read what ``write_clustering`` wrote; InputError where it is of another pool."""
    info = read_json(folder / "info.json")
    labels = read_array(folder / "labels.npy", "cluster")
    centroids = read_array(folder / "centroids.npy", "cluster")
    if len(labels) != rows:
        raise InputError(f"{folder}: clusters {len(labels)} rows, the pool has {rows}; dvc repro")
    return Clustering(labels, centroids, info["inertia"], info["silhouette"], info["iterations"])
