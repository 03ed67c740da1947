"""Whether two did the same: a few words with the figure, and yes or no."""

import numpy as np


def same_greedy(x: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> tuple[str, bool]:
    """k_center's picks: equal, or each the farthest in float64 to the precision of float32."""
    same = float((ours == theirs).mean())
    if same == 1:
        return "the same picks", True
    exact = x.astype(np.float64)
    squares = np.einsum("ij,ij->i", exact, exact)
    nearest = np.full(len(x), np.inf)
    short = 0.0
    for first in range(0, len(ours), 100):
        picks = ours[first : first + 100]
        apart = squares[:, None] + squares[picks] - 2 * (exact @ exact[picks].T)
        for pick, distances in zip(picks, apart.T, strict=True):
            if np.isfinite(nearest[pick]):  # the first is given
                short = max(short, 1 - nearest[pick] / nearest.max())
            np.minimum(nearest, distances, out=nearest)
    return f"{same:.1%} the same picks; ours the farthest to {short:.0e}", short < 1e-5


def same_picks(ours: np.ndarray, theirs: np.ndarray) -> tuple[str, bool]:
    """The same instances in the same order."""
    return f"{(ours == theirs).mean():.1%} the same picks", bool((ours == theirs).all())


def same_objective(x: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> tuple[str, bool]:
    """Facility location of both choices, in float64: within 1e-5 of each other, or ours more."""
    above = _facility_location(x, ours) / _facility_location(x, theirs) - 1
    return f"objective {above:+.0e}", above > -1e-5


def _facility_location(x: np.ndarray, picks: np.ndarray) -> float:
    best = np.zeros(len(x))
    for i in range(0, len(picks), 500):
        some = x[picks[i : i + 500]].astype(np.float64)
        best = np.maximum(best, (x.astype(np.float64) @ some.T).max(axis=1))
    return float(best.sum())


def same_shares(labels: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> tuple[str, bool]:
    """As many from each cluster: the draws within are by chance."""
    k = int(labels.max()) + 1
    same = np.bincount(labels[ours], minlength=k) == np.bincount(labels[theirs], minlength=k)
    return "the same from each cluster" if same.all() else "other shares", bool(same.all())


def same_inertia(
    x: np.ndarray, most: float, ours: np.ndarray, theirs: np.ndarray
) -> tuple[str, bool]:
    """Inertia of both labellings about their own means, in float64: ours at most so much more."""
    above = _inertia(x, ours) / _inertia(x, theirs) - 1
    return f"inertia {above:+.2%}", above < most


def _inertia(x: np.ndarray, labels: np.ndarray) -> float:
    x = x.astype(np.float64)
    total = 0.0
    for j in np.unique(labels):
        rows = x[labels == j]
        total += float(((rows - rows.mean(axis=0)) ** 2).sum())
    return total


def same_number(ours: float, theirs: float) -> tuple[str, bool]:
    """Within 1e-6, relative to the larger of it and 1."""
    apart = abs(ours - theirs) / max(1.0, abs(theirs))
    return f"apart by {apart:.0e}", apart <= 1e-6
