"""Measures of a subset before any training: pure functions, arrays in, numbers out.

Products of the pool with the subset are computed in blocks: nothing of size n x n is held.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

import numpy as np

from harness.clustering.blocks import unit_rows, within_one
from harness.common.schemas import FAULTS

CELLS = 2**23  # similarities held at once: 32 MiB of float32
NEAR_DUPLICATE = 0.95  # cosine similarity above which a row repeats another
FAMILY = "family_"  # before a family's name: its share of a subset
UNIT = 1e-6  # how far from 1 the length of a unit row of float32 may be


@dataclass(frozen=True)
class Coverage:
    """How close the pool's instances are to the subset.

    Attributes:
        facility_location: mean over the pool of max(0, best cosine similarity to the subset), 0-1.
        covering_radius: largest Euclidean distance of an instance to the nearest of the subset.
    """

    facility_location: float
    covering_radius: float


def coverage(embeddings: np.ndarray, picks: np.ndarray) -> Coverage:
    """Facility-location value and covering radius of a subset of the rows.

    Args:
        embeddings: (n, d) of any length; the similarity is of directions, the distance is not.
        picks: (m,) distinct indices, m >= 1.

    The nearest are searched in float32, their similarity and distance computed in float64. Source:
    arXiv 2409.11378, eq. 1 (radius); Bukharin & Zhao 2023 (facility location).
    """
    n = len(embeddings)
    outside = np.ones(n, dtype=bool)
    outside[picks] = False  # a pick is its own nearest: similarity 1, distance 0
    others = np.flatnonzero(outside)
    # Squares of float32 can overflow.
    lengths = np.sqrt(np.einsum("ij,ij->i", embeddings, embeddings, dtype=np.float64))
    unit = bool(np.abs(lengths - 1).max() <= UNIT)
    similar, radius = float(n - len(others)), 0.0
    for rows, near in _nearest(unit_rows(embeddings), others, picks):
        ours, theirs = embeddings[rows].astype(np.float64), embeddings[near].astype(np.float64)
        norms = np.linalg.norm(ours, axis=1) * np.linalg.norm(theirs, axis=1)
        similar += float(np.clip(np.einsum("ij,ij->i", ours, theirs) / norms, 0, 1).sum())
        if unit:  # among rows of unit length the most similar is the nearest
            radius = max(radius, float(np.linalg.norm(ours - theirs, axis=1).max()))
    if not unit and len(others):
        # Centred, lengths are as small as they can be, and so are rounding errors.
        centred, _ = within_one(embeddings - embeddings.mean(axis=0, dtype=np.float64))
        halves = (np.linalg.norm(centred[picks], axis=1) ** 2 / 2).astype(np.float32)
        for rows, near in _nearest(centred, others, picks, halves):
            apart = embeddings[rows].astype(np.float64) - embeddings[near]
            radius = max(radius, float(np.linalg.norm(apart, axis=1).max()))
    return Coverage(similar / n, radius)


def _nearest(
    x: np.ndarray, rows: np.ndarray, picks: np.ndarray, offsets: np.ndarray | None = None
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Blocks of rows, each with the picks that maximise x[row] . x[pick] - offset."""
    chosen = np.ascontiguousarray(x[picks].T)
    step = max(1, CELLS // len(picks))
    for start in range(0, len(rows), step):
        block = rows[start : start + step]
        products = x[block] @ chosen
        if offsets is not None:
            products -= offsets
        yield block, picks[products.argmax(axis=1)]


def vendi_score(embeddings: np.ndarray) -> float:
    """The effective number of different rows: exp of the entropy of the eigenvalues of K / m.

    Args:
        embeddings: (m, d), m >= 1; scaled to unit length here.

    K is the m x m matrix of cosine similarities. Its nonzero eigenvalues are those of the d x d
    matrix X^T X, so the smaller of the two is decomposed. Between 1 and min(m, d). Source: Friedman
    & Dieng 2023 (order 1).
    """
    x = np.asarray(embeddings, dtype=np.float64)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
    gram = x.T @ x if len(x) > x.shape[1] else x @ x.T
    values = np.linalg.eigvalsh(gram / len(x))
    values = values[values > 0]
    return float(np.exp(-(values * np.log(values)).sum()))


def near_duplicates(
    embeddings: np.ndarray, picks: np.ndarray, threshold: float = NEAR_DUPLICATE
) -> float:
    """Share of the subset (0-1) more similar than the threshold to a row chosen earlier.

    Args:
        embeddings: (n, d); cosine similarity.
        picks: (m,) indices in the order of selection, m >= 1.
        threshold: a similarity; equal to it is not above it.
    """
    x = unit_rows(embeddings[picks])
    m, repeats = len(x), 0
    step = max(1, CELLS // m)
    for start in range(0, m, step):
        stop = min(start + step, m)
        products = x[start:stop] @ x[:stop].T
        # Row i of the block is row start + i: that column and later ones are not earlier rows.
        later = np.triu(np.ones((stop - start, stop - start), dtype=bool))
        products[:, start:][later] = -np.inf
        repeats += int((products > threshold).any(axis=1).sum())
    return repeats / m


def entropy(labels: np.ndarray) -> float:
    """Entropy in nats of the spread over clusters: 0 for one cluster, ln k for k equal ones."""
    counts = np.unique(labels, return_counts=True)[1]
    shares = counts / counts.sum()
    return float(-(shares * np.log(shares)).sum()) + 0.0  # not -0.0


def share_reached(labels: np.ndarray, picks: np.ndarray) -> float:
    """Share of the pool's labels, (n,) of any type, that occur in the subset (0-1)."""
    return len(np.unique(labels[picks])) / len(np.unique(labels))


def top_overlap(quality: np.ndarray, picks: np.ndarray) -> float:
    """Share of the subset among as many instances of highest quality, ties broken in its favour.

    So it is the most that selecting by quality alone could have in common with it: where all have
    the same quality, every subset is among the best.
    """
    outside = np.ones(len(quality), dtype=bool)
    outside[picks] = False
    top = np.lexsort((outside, -quality))[: len(picks)]
    return np.count_nonzero(~outside[top]) / len(picks)


def share_below(labels: np.ndarray, quality: np.ndarray, threshold: float = 0.3) -> float:
    """Share of the non-empty clusters whose mean quality is below the threshold.

    Source: arXiv 2409.11378, figure 4, with quality on a 0-1 scale and the threshold 0.3.
    """
    counts = np.bincount(labels)
    sums = np.bincount(labels, weights=quality)
    held = counts > 0
    return float((sums[held] / counts[held] < threshold).mean())


def family_mix(families: np.ndarray, picks: np.ndarray | None = None) -> dict[str, float]:
    """Share of the picks, or of the pool without any, in each of the pool's families (0-1).

    ``families`` is (n,) of names; one that the picks do not reach has 0. They sum to 1.
    """
    mine = families if picks is None else families[picks]
    return {str(name): float((mine == name).mean()) for name in np.unique(families)}


@dataclass(frozen=True)
class PoolView:
    """What is known of a pool's instances; what is None or empty is not measured.

    Attributes:
        embeddings: (n, d) float32.
        tokens: (n,) tokens of each conversation.
        scores: columns of (n,) by scorer.
        quality: (n,) the quality by which instances rank.
        labels: (n,) the clusters that all subsets are measured on.
        noise: (n,) the planted fault of each instance, or `none`.
        skills: (n,) the planted sub-skill.
        families: (n,) the family of that sub-skill.
    """

    embeddings: np.ndarray
    tokens: np.ndarray | None = None
    scores: Mapping[str, np.ndarray] = field(default_factory=dict)
    quality: np.ndarray | None = None
    labels: np.ndarray | None = None
    noise: np.ndarray | None = None
    skills: np.ndarray | None = None
    families: np.ndarray | None = None


def describe_subset(
    pool: PoolView,
    picks: np.ndarray,
    own_quality: np.ndarray | None = None,
    own_labels: np.ndarray | None = None,
) -> dict[str, float]:
    """Every measure of one subset, by name; `harness.report.shared.columns` explains them.

    Args:
        pool: what is known of the pool.
        picks: (m,) distinct indices into it, in the order of selection.
        own_quality: (n,) the quality that the selection reads, if any.
        own_labels: (n,) the clusters that the selection reads, if any.

    Raises ValueError for an empty subset, and for indices outside the pool or repeated.
    """
    n = len(pool.embeddings)
    _check_picks(picks, n)
    values: dict[str, float] = {"rows": float(len(picks))}
    if pool.tokens is not None:
        values["tokens"] = float(pool.tokens[picks].sum())
    values |= {f"mean_{name}": float(col[picks].mean()) for name, col in pool.scores.items()}
    if own_quality is not None:
        values["own_quality"] = float(own_quality[picks].mean())
    if pool.quality is not None:
        values["top_overlap"] = top_overlap(pool.quality, picks)
    values |= asdict(coverage(pool.embeddings, picks))
    values["vendi_score"] = vendi_score(pool.embeddings[picks])
    values["near_duplicates"] = near_duplicates(pool.embeddings, picks)
    for prefix, labels in (("", pool.labels), ("own_", own_labels)):
        if labels is not None:
            values[f"{prefix}cluster_entropy"] = entropy(labels[picks])
            values[f"{prefix}clusters_reached"] = share_reached(labels, picks)
    if pool.noise is not None:
        noise = pool.noise[picks]
        values["noise_share"] = float((noise != "none").mean())
        values |= {f"noise_{kind}": float((noise == kind).mean()) for kind in FAULTS}
    if pool.skills is not None:
        values["skills_reached"] = share_reached(pool.skills, picks)
    if pool.families is not None:
        mix = family_mix(pool.families, picks)
        values |= {f"{FAMILY}{name}": share for name, share in mix.items()}
    return values


def _check_picks(picks: np.ndarray, n: int) -> None:
    if not len(picks):
        raise ValueError("the subset is empty; there is nothing to describe")
    outside = picks[(picks < 0) | (picks >= n)]
    if len(outside):
        raise ValueError(f"the subset holds {outside[0]}; the pool's indices are 0 to {n - 1}")
    distinct, counts = np.unique(picks, return_counts=True)
    if counts.max() > 1:
        raise ValueError(f"the subset holds {distinct[counts.argmax()]} more than once")
