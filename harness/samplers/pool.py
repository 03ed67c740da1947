"""The instances as a sampler sees them, and checks of them."""

import warnings
from dataclasses import dataclass, field
from typing import get_args

import numpy as np

UNIT_TOLERANCE = 1e-3  # rows once stored as float16 are this close to unit length


@dataclass(frozen=True)
class Pool:
    """The instances to choose from, as arrays."""

    embeddings: np.ndarray  # (n, d) float32, one row an instance
    quality: np.ndarray | None = None  # (n,) float64 >= 0
    # Labels (n,) int64 and centroids (k, d) float32.
    clusters: tuple[np.ndarray, np.ndarray] | None = None
    cluster_weights: np.ndarray | None = None  # (k,) float64 that sum to 1
    # (m,) int64, instances already taken, which a sampler never returns.
    selected: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    # How many a sampler may start, which changes no pick; None: as many as numba may.
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
    """Raise ValueError if the pool or the budget breaks a rule that all samplers rely on."""
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
    # A row of zeros has no direction: the instance was never embedded.
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
    """The labels (n,) and centroids (k, d), or ValueError; a cluster may be empty."""
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
    # An empty cluster's centroid may be anything.
    usable = np.isfinite(centroids).all(axis=1) | (np.bincount(labels, minlength=k) == 0)
    if not usable.all():
        raise ValueError(f"the centroid of cluster {np.argmin(usable)} holds NaN or infinity")
    return labels, centroids


def check_quality(pool: Pool) -> np.ndarray:
    """The quality as (n,) float64, or ValueError if absent, negative or not finite."""
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
    """Warn if the cut after ``places`` of the ``ranked``, best first, is among equal qualities."""
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
    """Whether every row has length 1, as ``check_unit`` asks."""
    return not (np.abs(_lengths(embeddings) - 1) > UNIT_TOLERANCE).any()


def check_unit(pool: Pool) -> None:
    """Raise ValueError if a row has not unit length, as a dot product is then not a cosine."""
    lengths = _lengths(pool.embeddings)
    wrong = np.abs(lengths - 1) > UNIT_TOLERANCE
    if wrong.any():
        row = int(np.argmax(wrong))
        rule = f"has length {lengths[row]:.4g}, not 1; divide each row by its length"
        raise ValueError(f"embeddings row {row} {rule}")


def _lengths(embeddings: np.ndarray) -> np.ndarray:
    # einsum sums row by row, without an (n, d) copy.
    return np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings, dtype=np.float64))


def check_choice(name: str, value: object, literal: object) -> None:
    """Raise ValueError if a knob's value is not among its ``Literal``'s."""
    if value not in get_args(literal):
        raise ValueError(f"{name} is {value!r}; the choices are {', '.join(get_args(literal))}")
