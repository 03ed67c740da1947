"""Meeting a budget in tokens or rows: how many rows to ask of a sampler."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_array

Sized = Callable[[int, np.random.Generator], np.ndarray]


def within_budget(
    choose: Sized, costs: np.ndarray, budget: int, rng: np.random.Generator
) -> np.ndarray:
    """The choice of a number of rows that fits the budget, where one row more does not.

    The number is searched for, as most systems' choices of m rows are not a prefix of those of
    m + 1. If larger choices always cost more, it is the largest that fits; of random choices, a
    larger one may happen to fit too.

    ``choose`` is called for each number tried, always with the same state of ``rng``; a number that
    it refuses (ValueError) is skipped. ``costs`` (n,) int64 >= 0 are 1 a row, or tokens.

    Raises InputError if not even one row fits or the budget exceeds the pool; and a refusal of
    ``choose`` if no number that it accepted fits.
    """
    whole = int(costs.sum())
    if not 1 <= budget <= whole:
        raise InputError(f"budget is {budget}; the whole pool is {whole}; lower the budget")
    if (costs == 1).all():
        return choose(budget, rng)
    ascending = np.sort(costs)
    # `low` of the costliest rows always fit; over `high` of the cheapest never do.
    low = int(np.searchsorted(np.cumsum(ascending[::-1]), budget, side="right"))
    high = int(np.searchsorted(np.cumsum(ascending), budget, side="right"))
    search = _Search(choose, costs, budget, rng, max(low, 1), high)
    # A little over the mean: a choice over the budget narrows the search more than one within.
    return search.run(budget * len(costs) // whole * 103 // 100)


@dataclass
class _Search:
    """A search among ``low`` to ``high`` rows, narrowed by each try."""

    choose: Sized
    costs: np.ndarray
    budget: int
    rng: np.random.Generator
    low: int
    high: int
    fits: tuple[int, int] | None = None  # the most rows that fitted, and their cost
    # The fewest rows that did not, their cost, and how many of the first of them would.
    dear: tuple[int, int, int] | None = None
    best: np.ndarray | None = None  # the choice that fitted
    refused: dict[int, ValueError] = field(default_factory=dict)

    def run(self, likely: int) -> np.ndarray:
        """The choice, starting from a likely number of rows."""
        first = min(max(likely, self.low), self.high)
        for rows in self._outwards(first):
            self._try(rows)
            if self.fits or self.dear:
                break
        else:
            if self.refused:
                raise self.refused[first]
        halve = False
        while self.low <= self.high:
            guess = self._guess()
            outside = not self.low <= guess <= self.high
            # A guess outside mostly means that one number is left; if not, halving bounds the tries
            # where costs leap or numbers are refused.
            rows = (self.low + self.high) // 2 if outside and halve else guess
            self._try(min(max(rows, self.low), self.high))
            halve = outside
        if self.best is not None:
            return self.best
        if self.refused:
            raise self.refused[max(self.refused)]
        raise InputError(f"budget is {self.budget} tokens; not one instance chosen fits; raise it")

    def _outwards(self, first: int) -> Iterator[int]:
        """Numbers on both sides of the first, at doubling distances, to either end."""
        if self.low <= self.high:
            yield first
        step = max(1, first // 16)
        below, above = first, first
        while below > self.low or above < self.high:
            if below > self.low:
                below = max(first - step, self.low)
                yield below
            if above < self.high:
                above = min(first + step, self.high)
                yield above
            step *= 2

    def _try(self, rows: int) -> None:
        try:
            picks = self.choose(rows, copy.deepcopy(self.rng))
        except ValueError as error:
            self.refused[rows] = error
        else:
            spent = np.cumsum(self.costs[picks])
            if spent[-1] <= self.budget:
                self.fits, self.best = (rows, int(spent[-1])), picks
            else:
                first = int(np.searchsorted(spent, self.budget, side="right"))
                self.dear = rows, int(spent[-1]), first
        self._draw_in()

    def _draw_in(self) -> None:
        """Narrow the numbers left; refused ones above a chosen number count as too many."""
        if self.fits:
            self.low = max(self.low, self.fits[0] + 1)
        if self.dear:
            self.high = min(self.high, self.dear[0] - 1)
        if known := self.fits or self.dear:
            self.high = min([self.high, *(r - 1 for r in self.refused if r > known[0])])
            self.low = max([self.low, *(r + 1 for r in self.refused if r < known[0])])

    def _guess(self) -> int:
        """The best guess from the costs known; it may lie outside the numbers left."""
        if not self.dear:
            rows, cost = self.fits or (self.low, self.budget)
            return rows * self.budget // max(cost, 1) * 101 // 100 + 1
        dear, over, first = self.dear
        # Many systems take first what they take for fewer rows, or in the same proportions.
        if not self.fits or self.low <= first <= self.high:
            return first
        rows, cost = self.fits
        return rows + (self.budget - cost) * (dear - rows) // (over - cost)


def read_costs(unit: str, rows: int) -> np.ndarray:
    """The cost of each of the pool's instances in a unit of the budget: (rows,) int64."""
    path = layout.costs_file(unit)
    costs = read_array(path, f"cost_{unit}")
    if len(costs) != rows:
        raise InputError(f"{path}: costs of {len(costs)} rows, the pool has {rows}; dvc repro")
    return costs
