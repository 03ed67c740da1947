"""The gain in coverage by each instance, exact after every pick."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Lock

import numpy as np

from harness.samplers.kernels import columns
from harness.samplers.kernels import qdit_kernel as kernel

ROOM = 100_000_000  # similarities stored at most, 8 bytes each
AHEAD = 8  # instances whose similarities are computed when one's are needed


class Gains:
    """The gain in the sum over the pool of max(0, best similarity to the subset), of each instance.

    A pick lowers the gains by what the instances nearer to it than to any earlier pick no longer
    give. That needs such an instance's similarities to all, but afterwards only those above its new
    best, which are stored while there is room. So an instance is compared with all others a few
    times, not once a pick, and without an (n, n) array. Without room it is compared again, with the
    same result.
    """

    def __init__(self, units: np.ndarray, taken: np.ndarray, executor: Executor) -> None:
        """Gains over the subset ``taken``, (m,); ``units`` is (n, d) float32, d a multiple of 4.

        The executor's threads share the work; their number changes no result.
        """
        n = len(units)
        self._units, self._executor = units, executor
        self._blocks = columns(units, n, kernel.LANES, 0)
        width = len(self._blocks) * kernel.LANES  # columns from n on are padding
        self._gains = np.zeros(width, dtype=np.int64)
        self._best = np.zeros(width, dtype=np.int32)
        self._spaces: SimpleQueue[np.ndarray] = SimpleQueue()
        self._lock = Lock()
        self._ahead: dict[int, np.ndarray] = {}
        # Twice an even share of the room, as most need less than half of that.
        self._few = min(max(n // 2, 1024), 2 * ROOM // n)
        room = min(n * (self._few + 1), ROOM)
        self._others = np.empty(room, dtype=np.int32)
        self._values = np.empty(room, dtype=np.int32)
        self._used = 0
        self._starts = np.zeros(n, dtype=np.int64)
        self._lengths = np.full(n, -1, dtype=np.int64)  # -1: not stored
        for rows in _parts(taken):
            np.maximum(self._best, self._compared(rows).max(axis=0), out=self._best)
        self._sum_up()

    @property
    def gains(self) -> np.ndarray:
        """(n,) int64, in units of ``1 / kernel.ONE``."""
        return self._gains[: len(self._units)]

    def take(self, pick: int, objective: np.ndarray) -> None:
        """Add an instance to the subset; those of highest objective probably follow."""
        similar = self._similar_to(pick, objective)
        rows = np.flatnonzero(similar > self._best)
        old, new = self._best[rows], similar[rows]
        self._best[rows] = new
        known = self._lengths[rows] >= 0
        kernel.lower_kept(
            *(rows[known], old[known], new[known]),
            *(self._starts, self._lengths, self._others, self._values, self._gains),
        )
        unknown = np.flatnonzero(~known)
        n = len(self._units)
        if 2 * len(unknown) > n and 4 * self._few < n:  # and few of them could be stored
            self._sum_up()
            return
        parts = _parts(unknown)
        work = ([array[part] for part in parts] for array in (rows, old, new))
        for lowered in self._executor.map(self._lowered, *work):
            self._gains += lowered

    def _similar_to(self, pick: int, objective: np.ndarray) -> np.ndarray:
        if pick not in self._ahead:
            # Reading the pool takes longer than one comparison: compare several at once.
            some = min(AHEAD, len(objective))
            likely = np.argpartition(-objective, some - 1)[:some]
            rows = np.concatenate([[pick], likely[likely != pick]])[:AHEAD]
            self._ahead = dict(zip(rows.tolist(), self._compared(rows), strict=True))
        return self._ahead[pick]

    def _compared(self, rows: np.ndarray) -> np.ndarray:
        """Similarities to all: (m, columns) int32."""
        similar = np.empty((len(rows), len(self._gains)), dtype=np.int32)

        def work(first: int, last: int) -> None:
            kernel.similarities(self._units, rows, self._blocks, first, last, similar)

        cuts = np.linspace(0, len(self._blocks), 5).astype(int)
        list(self._executor.map(work, cuts[:-1], cuts[1:]))
        return similar

    def _sum_up(self) -> None:
        """Compute all gains anew."""
        self._gains[:] = 0
        for added in self._executor.map(self._added, range(len(self._blocks))):
            self._gains += added

    def _added(self, block: int) -> np.ndarray:
        """The gains within a block, and between it and all later ones: half of all pairs."""
        gains = np.zeros_like(self._gains)
        first = block * kernel.LANES
        rows = np.arange(first, min(first + kernel.LANES, len(self._units)))
        with self._borrowed() as similar:
            kernel.similarities(self._units, rows, self._blocks, block, len(self._blocks), similar)
            kernel.add(similar, rows, first, self._best, gains)
        return gains

    def _lowered(self, rows: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        """What some instances no longer give, negative; stores similarities if there is room."""
        gains = np.zeros_like(self._gains)
        counts = np.empty(len(rows), dtype=np.int64)
        with self._borrowed() as similar:
            kernel.similarities(self._units, rows, self._blocks, 0, len(self._blocks), similar)
            kernel.lower(similar, old, new, gains, counts)
            starts = self._rooms(rows, counts)
            kernel.keep(similar, new, starts, self._others, self._values)
        return gains

    def _rooms(self, rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Where to store each one's similarities: (m,), -1 if they are too many."""
        sizes = np.where(counts <= self._few, counts + 1, 0)
        with self._lock:
            sizes[self._used + np.cumsum(sizes) > len(self._others)] = 0
            starts = self._used + np.cumsum(sizes) - sizes
            self._used += int(sizes.sum())
        fits = sizes > 0
        self._starts[rows[fits]], self._lengths[rows[fits]] = starts[fits], counts[fits]
        return np.where(fits, starts, -1)

    @contextmanager
    def _borrowed(self) -> Iterator[np.ndarray]:
        """A buffer for the similarities of a block's instances to all, one a thread."""
        try:
            space = self._spaces.get_nowait()
        except Empty:
            space = np.empty((kernel.LANES, len(self._gains)), dtype=np.int32)
        yield space
        self._spaces.put(space)


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    """Parts for several threads, but large enough that reading the pool does not dominate."""
    size = min(max(64, -(-len(rows) // 8)), kernel.LANES)
    return [rows[i : i + size] for i in range(0, len(rows), size)]
