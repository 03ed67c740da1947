"""Lloyd's iterations: exact labels, no empty cluster, one result for any number of threads."""

import numpy as np

from harness.clustering.blocks import BLOCK, blocks, each_block, group_sums

MOST_ITERATIONS = 300


class Lloyd:
    """k-means of unit vectors from given centroids, one iteration at a time.

    A row's label is its nearest centroid, ties to the lowest. Scores x.c - |c|^2/2 in float32
    settle most rows; where rounding could decide, they are computed in float64, and where it still
    could, distances are computed from differences: the machine's order of sums decides nothing.
    Between iterations only the centroids that moved are scored again. A cluster that loses all its
    rows gets the row farthest from its centroid.

    ``x`` is (n, d) float32, rows of length 1; ``centroids`` (k, d) float32, ``labels`` (n,) int64,
    ``counts`` (k,) int64 and ``sums`` (k, d) float64 of the clusters' rows; ``iterations`` counts
    how often the centroids were moved.
    """

    def __init__(self, x: np.ndarray, centroids: np.ndarray, threads: int) -> None:
        n, d = x.shape
        self.x = x
        self.centroids = np.empty((0, d), dtype=np.float32)
        self.labels = np.zeros(n, dtype=np.int64)
        self.iterations = 0
        self._threads = threads
        # Each of two scores may be off by d + 4 roundings of numbers of at most 1.
        self._margin, self._exact_margin = (2 * (d + 4) * u for u in (2.0**-24, 2.0**-53))
        self._own = np.full(n, -np.inf, dtype=np.float32)  # the score of the label's centroid
        self._others = self._own.copy()  # an upper bound of all other scores
        self.add(centroids)

    def add(self, centroids: np.ndarray) -> None:
        """Add centroids, (m, d) float32, after the others."""
        before = len(self.centroids)
        self.centroids = np.concatenate([self.centroids, centroids])
        self._score(np.arange(before, len(self.centroids)))
        self._fill()
        self.counts = np.bincount(self.labels, minlength=len(self.centroids))
        self.sums = group_sums(self.x, self.labels, len(self.centroids))

    def run(self) -> None:
        """Iterate until the labels are stable, or 300 times."""
        while self.iterations < MOST_ITERATIONS and self.step():
            pass

    def step(self) -> int:
        """Move centroids to the means of their rows, and relabel; how many labels changed."""
        before = self.labels.copy()
        filled = self.counts > 0
        means = self.centroids.copy()
        means[filled] = self.sums[filled] / self.counts[filled, None]
        self._move(means)
        self._fill()
        changed = np.flatnonzero(self.labels != before)
        # In float64, what adding and subtracting leaves is far below float32.
        k, rows = len(self.centroids), self.x[changed]
        self.sums += group_sums(rows, self.labels[changed], k)
        self.sums -= group_sums(rows, before[changed], k)
        self.counts = np.bincount(self.labels, minlength=k)
        self.iterations += 1
        return len(changed)

    def distances(self) -> np.ndarray:
        """Squared distances of the rows to their centroids: (n,) float64."""
        squares = np.empty(len(self.x))
        for rows in blocks(len(self.x)):
            squares[rows] = _squares(self.x[rows], self.centroids[self.labels[rows]])
        return squares

    def _move(self, centroids: np.ndarray) -> None:
        moved = np.flatnonzero((centroids != self.centroids).any(axis=1))
        self.centroids = centroids
        if len(moved):
            self._score(moved)

    def _score(self, moved: np.ndarray) -> None:
        """Update the labels after some centroids moved."""
        self._exact = self.centroids.astype(np.float64)
        self._exact_halves = np.einsum("ij,ij->i", self._exact, self._exact) / 2
        self._halves = self._exact_halves.astype(np.float32)
        rescore_all = 2 * len(moved) > len(self.centroids)
        place = np.full(len(self.centroids), -1)
        place[moved] = np.arange(len(moved))

        def settle(rows: slice) -> None:
            if rescore_all:
                self._compare(np.arange(rows.start, rows.stop), self.x[rows])
            else:
                self._compare_moved(rows, moved, place)

        each_block(settle, len(self.x), self._threads)

    def _compare(self, rows: np.ndarray, x: np.ndarray) -> None:
        """Compare rows with every centroid."""
        scores = x @ self.centroids.T
        scores -= self._halves
        at = np.arange(len(rows))
        labels = scores.argmax(axis=1)
        own = scores[at, labels]
        scores[at, labels] = -np.inf
        others = scores.max(axis=1)
        close = np.flatnonzero(own - others < self._margin)
        if len(close):
            scores[close, labels[close]] = own[close]
            labels[close] = self._nearest(x[close])
            others[close], own[close] = own[close], scores[close, labels[close]]
        self.labels[rows], self._own[rows], self._others[rows] = labels, own, others

    def _compare_moved(self, rows: slice, moved: np.ndarray, place: np.ndarray) -> None:
        """Compare rows with the centroids that moved, and with all if that does not settle them."""
        scores = self.x[rows] @ self.centroids[moved].T
        scores -= self._halves[moved]
        where = place[self.labels[rows]]
        at = np.flatnonzero(where >= 0)
        own, others = self._own[rows], self._others[rows]  # views
        own[at] = scores[at, where[at]]
        scores[at, where[at]] = -np.inf
        np.maximum(others, scores.max(axis=1), out=others)
        unsettled = rows.start + np.flatnonzero(own - others < self._margin)
        if len(unsettled):
            self._compare(unsettled, self.x[unsettled])

    def _nearest(self, x: np.ndarray) -> np.ndarray:
        """The nearest centroid of rows that float32 does not settle."""
        scores = x.astype(np.float64) @ self._exact.T
        scores -= self._exact_halves
        rows, candidates = np.nonzero(scores >= scores.max(axis=1)[:, None] - self._exact_margin)
        if len(rows) == len(x):
            return candidates
        # Ties: differences avoid the rounding of products.
        distances = np.empty(len(rows))
        for a in range(0, len(rows), BLOCK):
            some = slice(a, a + BLOCK)
            distances[some] = _squares(x[rows[some]], self._exact[candidates[some]])
        order = np.lexsort((candidates, distances, rows))
        return candidates[order[np.searchsorted(rows, np.arange(len(x)))]]

    def _fill(self) -> None:
        """Move each empty cluster's centroid to the row farthest from its own."""
        while len(
            empty := np.flatnonzero(np.bincount(self.labels, minlength=len(self.centroids)) == 0)
        ):
            distances = self.distances()
            farthest = np.argsort(-distances, kind="stable")[: len(empty)]
            farthest = farthest[distances[farthest] > 0]
            if not len(farthest):
                return  # all rows equal their centroids: there are no more distinct ones
            centroids = self.centroids.copy()
            centroids[empty[: len(farthest)]] = self.x[farthest]
            self._move(centroids)


def _squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared distances of rows from rows: (n,) float64."""
    apart = x.astype(np.float64)
    apart -= y
    return np.einsum("ij,ij->i", apart, apart)
