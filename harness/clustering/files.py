"""A clustering, and its files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.common.errors import InputError
from harness.common.files import file_hash, read_array, read_json, replacing_folder, write_json

ARRAYS = ("labels", "centroids")


@dataclass(frozen=True)
class Clustering:
    """Clusters of a pool."""

    labels: np.ndarray  # (n,) int64, the nearest centroid of each instance, ties to the lowest
    centroids: np.ndarray  # (k, d) float32, the means of the clusters' instances
    inertia: float  # sum of squared distances to the centroids
    # Mean under cosine distance; None for one cluster, and for as many as instances.
    silhouette: float | None
    iterations: int  # of Lloyd until the labels were stable, 300 at most

    @property
    def k(self) -> int:
        """The number of clusters."""
        return len(self.centroids)


def write_clustering(folder: Path, clustering: Clustering) -> dict[str, Any]:
    """Write labels, centroids and their info, all or nothing; return the info."""
    sizes = np.bincount(clustering.labels, minlength=clustering.k)
    with replacing_folder(folder) as temporary:
        files = {name: temporary / f"{name}.npy" for name in ARRAYS}
        for name, path in files.items():
            np.save(path, getattr(clustering, name))
        info = {
            "k": clustering.k,
            "silhouette": clustering.silhouette,
            "inertia": clustering.inertia,
            "iterations": clustering.iterations,
            "smallest": int(sizes.min()),
            "largest": int(sizes.max()),
            "empty": int((sizes == 0).sum()),
            **{f"{name}_sha256": file_hash(path) for name, path in files.items()},
        }
        write_json(temporary / "info.json", info)
    return info


def read_clustering(folder: Path, rows: int) -> Clustering:
    """Read a clustering; InputError if of another pool, or chosen without any silhouette."""
    info = read_json(folder / "info.json")
    if info["silhouette"] is None and (tried := info.get("candidates")):
        rule = f"k: auto cannot choose, as no silhouette is defined for k = {', '.join(tried)}"
        raise InputError(f"{folder}: {rule}; add another k to cluster.k")
    labels = read_array(folder / "labels.npy", "cluster")
    centroids = read_array(folder / "centroids.npy", "cluster")
    if len(labels) != rows:
        raise InputError(f"{folder}: clusters {len(labels)} rows, the pool has {rows}; dvc repro")
    return Clustering(labels, centroids, info["inertia"], info["silhouette"], info["iterations"])
