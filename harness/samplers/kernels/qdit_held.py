"""The gains of a pool whose similarities of all pairs fit in memory."""

from concurrent.futures import Executor

import numpy as np

from harness.samplers.kernels import columns, qdit_gains
from harness.samplers.kernels import qdit_kernel as kernel

HIGHEST = np.int32(np.iinfo(np.int32).max)  # more than any similarity
SHARES = 4  # of the columns, for the threads
FEW = 100  # rows that take less time than threads to start


def fits(n: int) -> bool:
    """Whether all similarities of n instances fit in the room that ``Gains`` may use."""
    return n * _width(n) <= 2 * qdit_gains.ROOM  # half as many bytes each


class HeldGains:
    """The same as ``Gains`` to the last bit: each pair is computed once and then read."""

    def __init__(self, units: np.ndarray, taken: np.ndarray, executor: Executor) -> None:
        """Gains over the subset ``taken``; arguments as for ``Gains``."""
        n = len(units)
        self._units, self._executor = units, executor
        self._blocks = columns(units, n, kernel.LANES, 0)
        self._held = np.empty((n, _width(n)), dtype=np.int32)  # columns from n on are padding
        list(executor.map(self._compare, range(len(self._blocks))))
        self._gains = np.zeros(_width(n), dtype=np.int64)
        self._best = np.zeros(_width(n), dtype=np.int32)
        for row in taken:
            np.maximum(self._best, self._held[row], out=self._best)
        # The gains are what is lost if every best rises to the highest.
        self._lower(np.arange(n), self._best[:n], np.full(n, HIGHEST))
        np.negative(self._gains, out=self._gains)

    @property
    def gains(self) -> np.ndarray:
        """(n,) int64, in units of ``1 / kernel.ONE``."""
        return self._gains[: len(self._units)]

    def take(self, pick: int, _objective: np.ndarray) -> None:
        """Add an instance to the subset."""
        similar = self._held[pick]
        rows = np.flatnonzero(similar > self._best)
        old, new = self._best[rows], similar[rows]
        self._best[rows] = new
        self._lower(rows, old, new)

    def _compare(self, block: int) -> None:
        """Similarities within a block, and between it and all later ones."""
        first = block * kernel.LANES
        rows = np.arange(first, min(first + kernel.LANES, len(self._units)))
        own = self._held[first : first + kernel.LANES]
        for other in range(block, len(self._blocks)):
            kernel.similarities(self._units, rows, self._blocks, other, other + 1, own)
            kernel.mirror(self._held, block, other)  # at once: still in the core's cache

    def _lower(self, rows: np.ndarray, old: np.ndarray, new: np.ndarray) -> None:
        """Lower all gains by what some instances no longer give."""

        def work(first: int, last: int) -> None:
            kernel.lower_held(self._held, rows, old, new, first, last, self._gains)

        cuts = np.linspace(0, len(self._blocks), SHARES + 1).astype(int) * kernel.LANES
        each = self._executor.map if len(rows) > FEW else map
        list(each(work, cuts[:-1], cuts[1:]))


def _width(n: int) -> int:
    return -(-n // kernel.LANES) * kernel.LANES
