"""What each instance would add to how well the subset covers the pool, exact after every pick."""

from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Lock

import numpy as np

from harness.samplers.kernels import qdit_kernel as kernel

ROOM = 100_000_000  # similarities written down at most, 8 bytes each
AHEAD = 8  # instances whose similarities are computed where one's are needed


class Gains:
    """The gain in the sum over the pool of max(0, best similarity to the subset), of each instance.

    A pick takes from the gains what the instances that are nearer to it than to any pick before it
    no longer give. That asks for such an instance's similarities to all, but from then on only for
    those above its new best. As soon as there is room for these they are written down. So an
    instance is compared with all others a few times and not once a pick, and an (n, n) array is
    never made. Where there is no room the comparing goes on, to the same end.
    """

    def __init__(self, units: np.ndarray, taken: np.ndarray, executor: Executor) -> None:
        """Gains where ``taken`` is the subset so far.

        Args:
            units: (n, d) float32, of unit length, d a multiple of 4.
            taken: (m,) int64.
            executor: its threads share the work; how many there are changes no result.
        """
        n = len(units)
        self._units, self._executor = units, executor
        self._blocks = columns(units)
        width = len(self._blocks) * kernel.LANES  # columns from n on are nobody's
        self._gains = np.zeros(width, dtype=np.int64)
        self._best = np.zeros(width, dtype=np.int32)
        self._spaces: SimpleQueue[np.ndarray] = SimpleQueue()
        self._lock = Lock()
        self._ahead: dict[int, np.ndarray] = {}
        # Twice an even share of the room: when written down, most need less than half of that.
        self._few = min(max(n // 2, 1024), 2 * ROOM // n)
        room = min(n * (self._few + 1), ROOM)
        self._others = np.empty(room, dtype=np.int32)
        self._values = np.empty(room, dtype=np.int32)
        self._used = 0
        self._starts = np.zeros(n, dtype=np.int64)
        self._lengths = np.full(n, -1, dtype=np.int64)  # -1: not written down
        for rows in _parts(taken):
            np.maximum(self._best, self._compared(rows).max(axis=0), out=self._best)
        self._sum_up()

    @property
    def gains(self) -> np.ndarray:
        """(n,) int64, in units of ``1 / kernel.ONE``."""
        return self._gains[: len(self._units)]

    def take(self, pick: int, objective: np.ndarray) -> None:
        """Add an instance to the subset; those of the highest objective are expected to follow."""
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
        if 2 * len(unknown) > n and 4 * self._few < n:  # and few of them could be written down
            self._sum_up()
            return
        parts = _parts(unknown)
        for lowered in self._executor.map(
            self._lowered,
            [rows[p] for p in parts],
            [old[p] for p in parts],
            [new[p] for p in parts],
        ):
            self._gains += lowered

    def _similar_to(self, pick: int, objective: np.ndarray) -> np.ndarray:
        if pick not in self._ahead:
            # Reading the pool takes longer than comparing it with one: several are, at once.
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
        """All gains anew."""
        self._gains[:] = 0
        for added in self._executor.map(self._added, range(len(self._blocks))):
            self._gains += added

    def _added(self, block: int) -> np.ndarray:
        """What a block's instances give to each other, and give to and get from all after them.

        Similarity goes both ways, so all blocks together need only half of the pairs.
        """
        gains = np.zeros_like(self._gains)
        first = block * kernel.LANES
        rows = np.arange(first, min(first + kernel.LANES, len(self._units)))
        with self._borrowed() as similar:
            kernel.similarities(self._units, rows, self._blocks, block, len(self._blocks), similar)
            kernel.add(similar, rows, first, self._best, gains)
        return gains

    def _lowered(self, rows: np.ndarray, old: np.ndarray, new: np.ndarray) -> np.ndarray:
        """What some instances no longer give, below 0; those that fit are written down."""
        gains = np.zeros_like(self._gains)
        counts = np.empty(len(rows), dtype=np.int64)
        with self._borrowed() as similar:
            kernel.similarities(self._units, rows, self._blocks, 0, len(self._blocks), similar)
            kernel.lower(similar, old, new, gains, counts)
            starts = self._rooms(rows, counts)
            kernel.keep(similar, new, starts, self._others, self._values)
        return gains

    def _rooms(self, rows: np.ndarray, counts: np.ndarray) -> np.ndarray:
        """Where to write each one's similarities: (m,), -1 where they are many or room is out."""
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
        """Space for the similarities of a block's instances to all, made once a thread."""
        try:
            space = self._spaces.get_nowait()
        except Empty:
            space = np.empty((kernel.LANES, len(self._gains)), dtype=np.int32)
        yield space
        self._spaces.put(space)


def columns(units: np.ndarray) -> np.ndarray:
    """Rows (n, d) as columns in blocks, (blocks, d, LANES); zeros fill the last."""
    n, d = units.shape
    lanes = kernel.LANES
    blocks = np.zeros((-(-n // lanes), d, lanes), dtype=np.float32)
    for b in range(len(blocks)):
        part = units[b * lanes : (b + 1) * lanes]
        blocks[b, :, : len(part)] = part.T
    return blocks


def _parts(rows: np.ndarray) -> list[np.ndarray]:
    """Cut so that several threads have work, but none so little that reading the pool prevails."""
    size = min(max(64, -(-len(rows) // 8)), kernel.LANES)
    return [rows[i : i + size] for i in range(0, len(rows), size)]
