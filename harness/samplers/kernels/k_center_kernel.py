"""The compiled loops of k_center; each distance is always summed in the same order.

Shapes: x (n, d) float32, d a multiple of 4; bounds (n,) float32, each instance's squared distance
to the nearest of those taken that it was compared with, -1 once taken; taken (blocks, d, LANES)
float32, the taken as columns, infinite beyond ``count``.
"""

import numpy as np

from harness.samplers.kernels import compiled

LANES = 64  # distances summed side by side


@compiled()
def distances(point: np.ndarray, block: np.ndarray, out: np.ndarray) -> None:
    """Squared distances of a point (d,) to the columns of a block (d, LANES), into ``out``.

    Without fastmath the compiler keeps the order of sums: equal pairs have equal distances.
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
    """Lower the bounds of ``rows`` to their distances, or to anything under ``floor``.

    ``seen`` (n,) counts the full blocks that each instance was compared with; updated.
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
    """Take the farthest of ``rows``, repeatedly, while it is at least at ``floor``; the new count.

    ``rows`` ascend and their bounds are exact; ``candidates`` are the same instances as columns.
    All others are nearer than ``floor``. ``bounds``, ``taken`` and, from ``count`` on, ``order``
    are updated.
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
