"""The same work done by others: by the definition in NumPy, and by libraries people use for it.

Each peer imports its library when it is called; one that is not installed raises ImportError, and
its row of the table says so.
"""

from importlib import import_module

import numpy as np


def naive_k_center(x: np.ndarray, budget: int) -> np.ndarray:
    """Greedy k-center in NumPy: after each pick, the distances of all rows to it."""
    squares = np.einsum("ij,ij->i", x, x)
    nearest = np.full(len(x), np.inf, dtype=np.float32)
    pick = int(np.argmin(((x - x.mean(axis=0, dtype=np.float64)) ** 2).sum(axis=1)))
    picks = np.empty(budget, dtype=np.int64)
    for i in range(budget):
        picks[i] = pick
        np.minimum(nearest, np.maximum(squares + squares[pick] - 2 * (x @ x[pick]), 0), out=nearest)
        nearest[pick] = -1
        pick = int(np.argmax(nearest))
    return picks


def naive_deita(x: np.ndarray, quality: np.ndarray, budget: int, threshold: float) -> np.ndarray:
    """Deita's rule row by row: the best first, unless too like one that is taken already."""
    picks: list[int] = []
    taken = np.empty((budget, x.shape[1]), dtype=np.float32)
    for i in np.argsort(-quality, kind="stable"):
        if not picks or (taken[: len(picks)] @ x[i]).max() < threshold:
            taken[len(picks)] = x[i]
            picks.append(int(i))
        if len(picks) == budget:
            break
    return np.array(picks)


def naive_kmq(
    labels: np.ndarray, quality: np.ndarray, shares: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """NumPy's choice, by quality and without replacement, cluster by cluster."""
    rows = [np.flatnonzero(labels == j) for j in range(len(shares))]
    chosen = [
        rng.choice(r, m, replace=False, p=quality[r] / quality[r].sum())
        for r, m in zip(rows, shares, strict=True)
        if m
    ]
    return np.concatenate(chosen)


def apricot_facility_location(x: np.ndarray, budget: int) -> np.ndarray:
    """apricot-select's lazy greedy on all pairs' similarities, negative ones as 0."""
    similar = np.maximum(x @ x.T, 0).astype(np.float64)
    asked = import_module("apricot").FacilityLocationSelection(
        budget, metric="precomputed", optimizer="lazy"
    )
    return np.asarray(asked.fit(similar).ranking)


def sklearn_kmeans(x: np.ndarray, k: int, seed: int) -> np.ndarray:
    """scikit-learn's k-means++ and Lloyd, one start. Returns labels."""
    from sklearn.cluster import KMeans

    return KMeans(k, n_init=1, random_state=seed).fit_predict(x)  # pyright: ignore[reportArgumentType]


def faiss_kmeans(x: np.ndarray, k: int, seed: int) -> np.ndarray:
    """The k-means of faiss, all rows, 25 rounds (its default). Returns labels."""
    fitted = import_module("faiss").Kmeans(x.shape[1], k, seed=seed, max_points_per_centroid=len(x))
    fitted.train(x)
    return fitted.assign(x)[1]


def sklearn_silhouette(x: np.ndarray, labels: np.ndarray) -> float:
    """scikit-learn's silhouette, which compares all pairs of rows."""
    from sklearn.metrics import silhouette_score

    return float(silhouette_score(x, labels, metric="cosine"))


def vendi_package(x: np.ndarray) -> float:
    """The vendi-score package on the n x n similarities."""
    return float(import_module("vendi_score.vendi").score_X(x.astype(np.float64)))


def vendi_package_dual(x: np.ndarray) -> float:
    """The vendi-score package's own d x d form."""
    return float(import_module("vendi_score.vendi").score_dual(x.astype(np.float64)))
