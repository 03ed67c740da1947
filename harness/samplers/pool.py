"""What a sampler sees of the instances, and the checks every sampler begins with."""

import warnings
from dataclasses import dataclass, field
from typing import get_args

import numpy as np

UNIT_TOLERANCE = 1e-3  # rows once stored as float16 are this close to unit length


def _none_selected() -> np.ndarray:
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class Pool:
    """The instances to choose from, as arrays.

    Attributes:
        embeddings: (n, d) float32, one row an instance.
        quality: (n,) float64 >= 0, or None.
        clusters: labels (n,) int64 and centroids (k, d) float32, or None.
        cluster_weights: (k,) float64 that sum to 1, or None.
        selected: (m,) int64, instances already taken; a sampler never returns them again.
        threads: how many a sampler may start of its own, which changes no pick; None: as many as
            numba may (NUMBA_NUM_THREADS, or every core).
    """

    embeddings: np.ndarray
    quality: np.ndarray | None = None
    clusters: tuple[np.ndarray, np.ndarray] | None = None
    cluster_weights: np.ndarray | None = None
    selected: np.ndarray = field(default_factory=_none_selected)
    threads: int | None = None

    @property
    def size(self) -> int:
        """The number of instances, taken ones included."""
        return len(self.embeddings)

    def free(self) -> np.ndarray:
        """Indices not yet taken, ascending: (n - m,) int64."""
        open_ = np.ones(self.size, dtype=bool)
        open_[self.selected] = False
        return np.flatnonzero(open_)


def check_pool(pool: Pool, budget: int) -> None:
    """Raise ValueError where the pool or the budget breaks a rule every sampler relies on."""
    n = pool.size
    if pool.embeddings.ndim != 2 or n == 0:
        raise ValueError(f"embeddings have shape {pool.embeddings.shape}; needed: (n, d), n > 0")
    _check_selected(pool.selected, n)
    free = n - len(pool.selected)
    if not isinstance(budget, int | np.integer) or not 1 <= budget <= free:
        raise ValueError(f"budget is {budget}; it must be 1 to {free}, the instances not yet taken")
    finite = np.isfinite(pool.embeddings).all(axis=1)
    if not finite.all():
        raise ValueError(f"embeddings row {np.argmin(finite)} holds NaN or infinity")
    # A row of zeros has no direction: it is an instance that was never embedded.
    blank = ~pool.embeddings.any(axis=1)
    if blank.any():
        raise ValueError(f"embeddings row {np.argmax(blank)} is all zeros; embed that instance")


def _check_selected(selected: np.ndarray, n: int) -> None:
    if selected.ndim != 1 or selected.dtype.kind not in "iu":
        raise ValueError(
            f"selected is {selected.dtype} of shape {selected.shape}; needed: integers, (m,)"
        )
    outside = selected[(selected < 0) | (selected >= n)]
    if len(outside):
        raise ValueError(f"selected holds {outside[0]}; the pool's indices are 0 to {n - 1}")
    values, counts = np.unique(selected, return_counts=True)
    if len(values) < len(selected):
        raise ValueError(f"selected holds {values[counts.argmax()]} more than once")


def check_clusters(pool: Pool) -> tuple[np.ndarray, np.ndarray]:
    """The labels (n,) and centroids (k, d), or ValueError where they are absent or do not fit.

    A cluster may be empty.
    """
    if pool.clusters is None:
        raise ValueError("this sampler needs clusters; the pool has none (give it a k)")
    labels, centroids = pool.clusters
    if labels.shape != (pool.size,) or labels.dtype.kind not in "iu":
        raise ValueError(
            f"cluster labels are {labels.dtype} of shape {labels.shape}; "
            f"needed: integers, ({pool.size},)"
        )
    width = pool.embeddings.shape[1]
    if centroids.ndim != 2 or centroids.shape[1] != width:
        raise ValueError(f"centroids have shape {centroids.shape}; needed: (k, {width})")
    k = len(centroids)
    if labels.min() < 0 or labels.max() >= k:
        raise ValueError(f"cluster labels go from {labels.min()} to {labels.max()}; k is {k}")
    # An empty cluster has no mean, so its centroid may be anything.
    usable = np.isfinite(centroids).all(axis=1) | (np.bincount(labels, minlength=k) == 0)
    if not usable.all():
        raise ValueError(f"the centroid of cluster {np.argmin(usable)} holds NaN or infinity")
    return labels, centroids


def check_quality(pool: Pool) -> np.ndarray:
    """The quality as (n,) float64, or ValueError where it is absent, negative or not finite."""
    if pool.quality is None:
        raise ValueError("this sampler needs quality; the pool has none (name a quality)")
    if pool.quality.shape != (pool.size,):
        raise ValueError(f"quality has shape {pool.quality.shape}; needed: ({pool.size},)")
    quality = np.asarray(pool.quality, dtype=np.float64)
    usable = np.isfinite(quality) & (quality >= 0)
    if not usable.all():
        row = int(np.argmin(usable))
        raise ValueError(
            f"quality of row {row} is {quality[row]}; it must be finite and at least 0"
        )
    return quality


def by_quality(quality: np.ndarray, free: np.ndarray) -> np.ndarray:
    """The free instances, best first: (n - m,) int64; ties go to the lowest index."""
    return free[np.argsort(-quality[free], kind="stable")].astype(np.int64)


def warn_of_ties(quality: np.ndarray, ranked: np.ndarray, places: int) -> None:
    """Warn where more of the ``ranked``, best first, share a quality than ``places`` are left.

    Which of them are taken is then decided by where they stand in the pool.
    """
    if places == len(ranked) or quality[ranked[places - 1]] != quality[ranked[places]]:
        return
    least = quality[ranked[places]]
    shared = quality[ranked] == least
    warnings.warn(
        f"{shared.sum():,} rows share the quality at the cut, {least:.6g}; taken of them, in the "
        f"pool's order: {shared[:places].sum():,}; name a quality that tells them apart, as "
        "rank(...) does where sigmoid(...) saturates",
        stacklevel=4,
    )


def are_unit(embeddings: np.ndarray) -> bool:
    """Whether every row is of length 1, as ``check_unit`` asks."""
    return not _not_unit(_lengths(embeddings)).any()


def check_unit(pool: Pool) -> None:
    """Raise ValueError where a row is not of unit length: only then is a dot product a cosine."""
    lengths = _lengths(pool.embeddings)
    wrong = _not_unit(lengths)
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"embeddings row {row} has length {lengths[row]:.4g}, not 1; "
            "divide each row by its length"
        )


def _lengths(embeddings: np.ndarray) -> np.ndarray:
    # einsum sums row by row, without an (n, d) copy.
    return np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings, dtype=np.float64))


def _not_unit(lengths: np.ndarray) -> np.ndarray:
    return np.abs(lengths - 1) > UNIT_TOLERANCE


def check_choice(name: str, value: object, literal: object) -> None:
    """Raise ValueError where a knob's value is none of those its ``Literal`` allows."""
    if value not in get_args(literal):
        raise ValueError(f"{name} is {value!r}; the choices are {', '.join(get_args(literal))}")
