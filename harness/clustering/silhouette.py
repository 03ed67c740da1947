"""The separation of clusters: the silhouette under cosine distance."""

import numpy as np

from harness.clustering.blocks import each_block, group_sums

NOISE = 1e-12  # of mean distances in float64: below, two points are the same


def silhouette_cosine(unit: np.ndarray, labels: np.ndarray, threads: int = 1) -> float | None:
    """The mean silhouette of rows of length 1: -1 to 1, or None where it is undefined.

    A row's silhouette is (b - a) / max(a, b): a is its mean cosine distance to the others of its
    cluster, b the least mean distance to another cluster. It is 0 for a row alone in its cluster,
    and if a and b are both 0. Undefined for one cluster, and for as many as rows. On unit vectors
    a mean distance to a cluster needs only the cluster's sum, so no pair of rows is compared.

    ``unit`` is (n, d) float32, rows of length 1 up to rounding; ``labels`` (n,) any integers.
    ``threads`` do not change the result.
    Source: Rousseeuw 1987; scikit-learn's ``silhouette_score(metric="cosine")``.
    """
    groups, labels, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if not 1 < len(groups) < len(unit):
        return None
    # Rescaled in float64, as float32 rows have length 1 only up to rounding.
    scales = 1 / np.sqrt(np.einsum("ij,ij->i", unit, unit, dtype=np.float64))
    sums = group_sums(unit, labels, len(groups), scales)
    means = np.ascontiguousarray((sums / counts[:, None]).T)
    values = np.zeros(len(unit))

    def measure(rows: slice) -> None:
        similar = unit[rows].astype(np.float64) @ means
        similar *= scales[rows, None]
        at, own = np.arange(len(similar)), labels[rows]
        sizes = counts[own]
        # Excluding the row itself, whose similarity is 1.
        a = 1 - (similar[at, own] * sizes - 1) / np.maximum(sizes - 1, 1)
        similar[at, own] = -np.inf
        b = 1 - similar.max(axis=1)
        larger = np.maximum(a, b)
        known = (sizes > 1) & (larger > NOISE)
        values[rows][known] = (b[known] - a[known]) / larger[known]

    each_block(measure, len(unit), threads)
    return float(values.mean())
