"""Clusters of a pool: seeded k-means on unit vectors, and how good they are."""

from harness.clustering.choosing import at_the_end, best_k, choose_k, prune_clusterings
from harness.clustering.files import Clustering, read_clustering, write_clustering
from harness.clustering.fitting import kmeans
from harness.clustering.rows import unit_rows
from harness.clustering.silhouette import silhouette_cosine

__all__ = [
    "Clustering",
    "at_the_end",
    "best_k",
    "choose_k",
    "kmeans",
    "prune_clusterings",
    "read_clustering",
    "silhouette_cosine",
    "unit_rows",
    "write_clustering",
]
