"""The compiled loops of qdit: similarities as whole numbers, and sums over them.

A similarity is always summed in float32 in the same order, and then cut to a whole number of
1 / ONE. Sums of whole numbers are exact in any order: gains are the same to the last bit however
the work is split.

Shapes: rows (m,) some instances; similar (m, columns) int32, their similarities to all; old and
new (m,) int32, their best similarity to the subset before and after a pick; gains (columns,) int64,
updated. Slices are looped over from 0: an index that might be negative prevents vectorisation.
"""

import numpy as np

from harness.samplers.kernels import compiled

LANES = 384  # similarities summed side by side
ONE = 1 << 30  # a similarity of 1; int32 holds up to twice as much


# A product may be fused with the one sum it goes into; sums stay in order.
@compiled(nogil=True, fastmath={"contract"})
def _four(a, b, c, d, block, out) -> None:  # noqa: ANN001
    """Dot products of four points (d,) with the columns of a block (d, LANES), into (4, LANES)."""
    out[:] = np.float32(0)
    of_a, of_b, of_c, of_d = out[0], out[1], out[2], out[3]
    for i in range(0, len(a), 4):
        a0, a1, a2, a3 = a[i], a[i + 1], a[i + 2], a[i + 3]
        b0, b1, b2, b3 = b[i], b[i + 1], b[i + 2], b[i + 3]
        c0, c1, c2, c3 = c[i], c[i + 1], c[i + 2], c[i + 3]
        d0, d1, d2, d3 = d[i], d[i + 1], d[i + 2], d[i + 3]
        e0, e1, e2, e3 = block[i], block[i + 1], block[i + 2], block[i + 3]
        for k in range(LANES):
            f0, f1, f2, f3 = e0[k], e1[k], e2[k], e3[k]
            of_a[k] = a3 * f3 + (a2 * f2 + (a1 * f1 + (a0 * f0 + of_a[k])))
            of_b[k] = b3 * f3 + (b2 * f2 + (b1 * f1 + (b0 * f0 + of_b[k])))
            of_c[k] = c3 * f3 + (c2 * f2 + (c1 * f1 + (c0 * f0 + of_c[k])))
            of_d[k] = d3 * f3 + (d2 * f2 + (d1 * f1 + (d0 * f0 + of_d[k])))


@compiled(nogil=True)
def similarities(
    x: np.ndarray, rows: np.ndarray, blocks: np.ndarray, first: int, last: int, out: np.ndarray
) -> None:
    """Similarities of ``rows`` to the instances of blocks ``first`` to ``last`` - 1, at least 0.

    ``x`` is (n, d) float32, d a multiple of 4; ``blocks`` (b, d, LANES), all instances as columns;
    ``out`` (m, b * LANES) int32 in units of 1 / ONE, written in those blocks' columns only.
    """
    sums = np.empty((4, LANES), dtype=np.float32)
    end = len(rows) - 1
    for b in range(first, last):
        for r in range(0, len(rows), 4):
            # If the last four are fewer, the last is computed more than once.
            r1, r2, r3 = min(r + 1, end), min(r + 2, end), min(r + 3, end)
            _four(x[rows[r]], x[rows[r1]], x[rows[r2]], x[rows[r3]], blocks[b], sums)
            for i in range(min(4, len(rows) - r)):
                similar, to = sums[i], out[r + i, b * LANES : (b + 1) * LANES]
                for k in range(LANES):
                    to[k] = np.int32(max(similar[k], np.float32(0)) * np.float32(ONE))


@compiled(nogil=True)
def add(
    similar: np.ndarray, rows: np.ndarray, first: int, best: np.ndarray, gains: np.ndarray
) -> None:
    """Add what the instances of the block at column ``first`` give to, and get from, later ones.

    ``best`` is (columns,) int32, each instance's best similarity to the subset.
    """
    after = first + LANES
    own, later, floors = gains[first:after], gains[after:], best[after:]
    for r in range(len(rows)):
        floor = best[rows[r]]
        row = similar[r, first:after]
        for j in range(len(row)):  # the block's own: each pair is met twice
            own[j] += max(np.int32(row[j] - floor), np.int32(0))
        row = similar[r, after:]
        total = 0
        for j in range(len(row)):
            later[j] += max(np.int32(row[j] - floor), np.int32(0))
            total += max(np.int32(row[j] - floors[j]), np.int32(0))
        gains[rows[r]] += total


@compiled(nogil=True)
def lower(
    similar: np.ndarray, old: np.ndarray, new: np.ndarray, gains: np.ndarray, counts: np.ndarray
) -> None:
    """Lower gains by what some instances no longer give, their best having risen to ``new``.

    Fills ``counts`` (m,) int64 with how many similarities are above ``new``.
    """
    for r in range(len(old)):
        row, below, above = similar[r], old[r], new[r]
        count = np.int32(0)
        for j in range(len(row)):
            similarity = below if row[j] < below else row[j]
            similarity = above if similarity > above else similarity
            gains[j] -= np.int32(similarity - below)
            count += np.int32(row[j] > above)
        counts[r] = count


@compiled(nogil=True)
def keep(
    similar: np.ndarray,
    best: np.ndarray,
    starts: np.ndarray,
    others: np.ndarray,
    values: np.ndarray,
) -> None:
    """Store the similarities above each one's best: ``values`` (room,) to instances ``others``.

    ``starts`` (m,) is where each one's room begins, one longer than needed; -1 if it has none.
    """
    for r in range(len(best)):
        row, floor = similar[r], best[r]
        if starts[r] < 0:
            continue
        whom, how = others[starts[r] :], values[starts[r] :]
        to = 0
        for j in range(len(row)):
            # Always written, and overwritten unless it counts: faster than a branch.
            whom[to], how[to] = j, row[j]
            to += row[j] > floor


@compiled(nogil=True)
def lower_kept(
    rows: np.ndarray,
    old: np.ndarray,
    new: np.ndarray,
    starts: np.ndarray,
    lengths: np.ndarray,
    others: np.ndarray,
    values: np.ndarray,
    gains: np.ndarray,
) -> None:
    """``lower`` for stored instances; similarities no longer above ``new`` are dropped.

    ``starts`` (n,) and ``lengths`` (n,) give each instance's part of ``others`` and ``values``.
    """
    for r in range(len(rows)):
        start = starts[rows[r]]
        whom, how = others[start:], values[start:]
        to = 0
        for k in range(lengths[rows[r]]):
            other, value = whom[k], how[k]
            gains[other] -= min(value, new[r]) - old[r]
            whom[to], how[to] = other, value
            to += value > new[r]
        lengths[rows[r]] = to


@compiled(nogil=True)
def mirror(held: np.ndarray, block: int, other: int) -> None:
    """Copy the similarities ``held`` (n, columns) of a full block to another to the transpose."""
    if block == other:
        return
    step = 16  # a square of so many fits in the fastest cache
    begin, end = other * LANES, min((other + 1) * LANES, len(held))
    for r in range(block * LANES, (block + 1) * LANES, step):
        for c in range(begin, end, step):
            for k in range(c, min(c + step, end)):
                to = held[k, r : r + step]
                for i in range(step):
                    to[i] = held[r + i, k]


@compiled(nogil=True)
def lower_held(
    held: np.ndarray,
    rows: np.ndarray,
    old: np.ndarray,
    new: np.ndarray,
    first: int,
    last: int,
    gains: np.ndarray,
) -> None:
    """``lower`` for columns ``first`` to ``last`` - 1, from all similarities ``held``."""
    part = gains[first:last]
    for r in range(len(rows)):
        row, below, above = held[rows[r], first:last], old[r], new[r]
        for j in range(len(row)):
            similarity = below if row[j] < below else row[j]
            similarity = above if similarity > above else similarity
            part[j] -= np.int32(similarity - below)
