"""The gains of a pool so small that the similarities of all pairs can be held in memory."""

from concurrent.futures import Executor

import numpy as np

from harness.samplers.kernels import qdit_gains
from harness.samplers.kernels import qdit_kernel as kernel

HIGHEST = np.int32(np.iinfo(np.int32).max)  # more than any similarity
SHARES = 4  # of the columns, for the threads to take from
FEW = 100  # rows that are done sooner than they are handed out


def fits(n: int) -> bool:
    """Whether the similarities of n instances fit in the room ``Gains`` may write down in."""
    return n * _width(n) <= 2 * qdit_gains.ROOM  # half as many bytes each


class HeldGains:
    """To the last bit what ``Gains`` is: each pair is computed once, and read from then on."""

    def __init__(self, units: np.ndarray, taken: np.ndarray, executor: Executor) -> None:
        """Gains where ``taken`` is the subset so far.

        Args:
            units: (n, d) float32, of unit length, d a multiple of 4.
            taken: (m,) int64.
            executor: its threads share the work; how many there are changes no result.
        """
        n = len(units)
        self._units, self._executor = units, executor
        self._blocks = qdit_gains.columns(units)
        self._held = np.empty((n, _width(n)), dtype=np.int32)  # columns from n on are nobody's
        list(executor.map(self._compare, range(len(self._blocks))))
        self._gains = np.zeros(_width(n), dtype=np.int64)
        self._best = np.zeros(_width(n), dtype=np.int32)
        for row in taken:
            np.maximum(self._best, self._held[row], out=self._best)
        # A gain is what is lost by it when nothing is left to gain.
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
        """Similarities of a block's instances to each other, and to and from all after them."""
        first = block * kernel.LANES
        rows = np.arange(first, min(first + kernel.LANES, len(self._units)))
        own = self._held[first : first + kernel.LANES]
        for other in range(block, len(self._blocks)):
            kernel.similarities(self._units, rows, self._blocks, other, other + 1, own)
            kernel.mirror(self._held, block, other)  # at once: still in the core's own memory

    def _lower(self, rows: np.ndarray, old: np.ndarray, new: np.ndarray) -> None:
        """Take from all gains what some instances no longer give."""

        def work(first: int, last: int) -> None:
            kernel.lower_held(self._held, rows, old, new, first, last, self._gains)

        cuts = np.linspace(0, len(self._blocks), SHARES + 1).astype(int) * kernel.LANES
        each = self._executor.map if len(rows) > FEW else map
        list(each(work, cuts[:-1], cuts[1:]))


def _width(n: int) -> int:
    return -(-n // kernel.LANES) * kernel.LANES
