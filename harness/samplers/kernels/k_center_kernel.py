"""The compiled loops of k_center: each distance is summed in one order, whoever asks for it."""

import numpy as np

from harness.samplers.kernels import compiled

LANES = 64  # distances that are summed side by side


@compiled()
def distances(point: np.ndarray, block: np.ndarray, out: np.ndarray) -> None:
    """Squared distances of a point (d,) to the columns of a block (d, LANES), into ``out``.

    Four dimensions at a time, d a multiple of 4. Nothing here lets the compiler change the order
    of the sums, so two equal pairs of points have the same distance to the last bit.
    """
    out[:] = np.float32(0)
    for c in range(0, len(point), 4):
        a0, a1, a2, a3 = point[c], point[c + 1], point[c + 2], point[c + 3]
        b0, b1, b2, b3 = block[c], block[c + 1], block[c + 2], block[c + 3]
        for lane in range(LANES):
            e0, e1 = a0 - b0[lane], a1 - b1[lane]
            e2, e3 = a2 - b2[lane], a3 - b3[lane]
            out[lane] += (e0 * e0 + e1 * e1) + (e2 * e2 + e3 * e3)


@compiled()
def compare(
    x: np.ndarray,
    rows: np.ndarray,
    taken: np.ndarray,
    count: int,
    seen: np.ndarray,
    bounds: np.ndarray,
    floor: float,
) -> None:
    """Lower the bounds of some instances: to their distance, or to anything under ``floor``.

    Args:
        x: (n, d) float32.
        rows: which instances.
        taken: (blocks, d, LANES) float32, those taken as columns; infinite where none is yet.
        count: how many are taken.
        seen: (n,) how many full blocks each instance was compared with; updated.
        bounds: (n,) float32, the squared distance to the nearest of those compared with; updated.
        floor: below this an instance is of no interest yet.
    """
    squares = np.empty(LANES, dtype=np.float32)
    for b in range((count + LANES - 1) // LANES):
        full = (b + 1) * LANES <= count
        for row in rows:
            if seen[row] <= b and bounds[row] >= floor:
                distances(x[row], taken[b], squares)
                bounds[row] = min(bounds[row], squares.min())
                if full:
                    seen[row] = b + 1


@compiled()
def pick(
    x: np.ndarray,
    rows: np.ndarray,
    candidates: np.ndarray,
    floor: float,
    bounds: np.ndarray,
    taken: np.ndarray,
    order: np.ndarray,
    count: int,
) -> int:
    """Take the farthest of some instances, again and again, while it is no nearer than ``floor``.

    Args:
        x: (n, d) float32.
        rows: the instances, ascending; their bounds are their distances.
        candidates: (blocks, d, LANES) float32, the same instances as columns.
        floor: every other instance is nearer than this.
        bounds: as in ``compare``; updated, and -1 for what is taken.
        taken: as in ``compare``; updated.
        order: the taken in order; filled from ``count`` on.
        count: how many are taken.

    Returns:
        How many are taken now.
    """
    nearest = bounds[rows]
    squares = np.empty(LANES, dtype=np.float32)
    while count < len(order):
        best = np.argmax(nearest)
        if nearest[best] < floor:
            break
        row = rows[best]
        order[count] = row
        taken[count // LANES, :, count % LANES] = x[row]
        count += 1
        for b in range(len(candidates)):
            start = b * LANES
            distances(x[row], candidates[b], squares)
            for i in range(start, min(start + LANES, len(rows))):
                nearest[i] = min(nearest[i], squares[i - start])
        nearest[best] = -1
    bounds[rows] = nearest
    return count
