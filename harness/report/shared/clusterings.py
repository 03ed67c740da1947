"""The facts of a clustering: silhouette, inertia, sizes, and how many clusters are poor."""

from typing import Any

import numpy as np

from harness.clustering.files import read_clustering
from harness.common import layout
from harness.common.files import read_json
from harness.describing.measures import share_below

POOR = 0.3  # of the mean quality, 0-1: figure 4 of arXiv 2409.11378
FIELDS = ("k", "silhouette", "inertia", "iterations", "smallest", "largest", "empty")


def clustering_line(embedding: str, k: int, quality: np.ndarray | None) -> dict[str, Any]:
    """`FIELDS` of a clustering, and ``poor``: the share of clusters of mean quality under 0.3.

    That is NaN without a quality (n,) on a 0-1 scale; a silhouette that is not defined is None.
    """
    line = {name: read_json(layout.silhouette_file(embedding, k))[name] for name in FIELDS}
    line["poor"] = np.nan
    if quality is not None:
        labels = read_clustering(layout.cluster_folder(embedding, k), len(quality)).labels
        line["poor"] = share_below(labels, quality, POOR)
    return line
