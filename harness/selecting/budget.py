"""Meeting a budget that counts tokens, or rows: how many rows a sampler is asked for."""

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
    """The indices chosen for a number of rows that the budget holds, one row more being too many.

    Args:
        choose: indices for a number of rows; asked anew for each number tried, always with the
            same state of ``rng``, so that a system's own shares hold at the number taken.
        costs: (n,) int64 >= 0, what each instance costs: 1 a row, or its tokens.
        budget: at most what all instances cost together.
        rng: what the choice is drawn with.

    The choice for one row more costs over the budget or is refused. Where a choice costs the more
    the more rows it has, that is the largest number that fits. A random one of more rows can cost
    less than one of fewer: then a larger number may fit too, but chance alone decides which does.

    The number is searched for, as most systems' choices for m rows are no prefix of those for
    m + 1. A number that ``choose`` refuses (ValueError) is passed over; where none that was tried
    both fits and is taken, the refusal is raised. Raises InputError where not even one row fits, or
    the budget is over the whole.
    """
    whole = int(costs.sum())
    if not 1 <= budget <= whole:
        raise InputError(f"budget is {budget}; the whole pool is {whole}; lower the budget")
    if (costs == 1).all():
        return choose(budget, rng)
    ascending = np.sort(costs)
    # Whichever they are, so many of the dearest fit, and one more than so many of the cheapest
    # does not: no number beyond these is asked for.
    low = int(np.searchsorted(np.cumsum(ascending[::-1]), budget, side="right"))
    high = int(np.searchsorted(np.cumsum(ascending), budget, side="right"))
    search = _Search(choose, costs, budget, rng, max(low, 1), high)
    # A little over the mean: a choice that is too dear tells more than one that fits.
    return search.run(budget * len(costs) // whole * 103 // 100)


@dataclass
class _Search:
    """A search among ``low`` to ``high`` rows, which are drawn in by what each try tells."""

    choose: Sized
    costs: np.ndarray
    budget: int
    rng: np.random.Generator
    low: int
    high: int
    fits: tuple[int, int] | None = None  # the most rows that fitted, and their cost
    # The fewest rows that did not, their cost, and how many of the first of them did.
    dear: tuple[int, int, int] | None = None
    best: np.ndarray | None = None  # the choice that fitted
    refused: dict[int, ValueError] = field(default_factory=dict)

    def run(self, likely: int) -> np.ndarray:
        """The choice, from a likely number of rows on."""
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
            # The last number left to look at, more often than not; else costs leap, and halving
            # bounds the tries. So it does where the end is a refusal and not a cost.
            rows = (self.low + self.high) // 2 if outside and halve else guess
            self._try(min(max(rows, self.low), self.high))
            halve = outside
        if self.best is not None:
            return self.best
        if self.refused:
            raise self.refused[max(self.refused)]
        raise InputError(f"budget is {self.budget} tokens; not one instance chosen fits; raise it")

    def _outwards(self, first: int) -> Iterator[int]:
        """Numbers on both sides of the first, ever farther from it, to either end."""
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
        """Narrow the numbers left; a refusal is too many above what was chosen, too few below."""
        if self.fits:
            self.low = max(self.low, self.fits[0] + 1)
        if self.dear:
            self.high = min(self.high, self.dear[0] - 1)
        if known := self.fits or self.dear:
            self.high = min([self.high, *(r - 1 for r in self.refused if r > known[0])])
            self.low = max([self.low, *(r + 1 for r in self.refused if r < known[0])])

    def _guess(self) -> int:
        """The number that comes nearest, as far as is known; it may lie outside of those left."""
        if not self.dear:
            rows, cost = self.fits or (self.low, self.budget)
            return rows * self.budget // max(cost, 1) * 101 // 100 + 1
        dear, over, first = self.dear
        # Many systems take first what they take for fewer rows, or as much of each cluster.
        if not self.fits or self.low <= first <= self.high:
            return first
        rows, cost = self.fits
        return rows + (self.budget - cost) * (dear - rows) // (over - cost)


def read_costs(unit: str, rows: int) -> np.ndarray:
    """What each of the pool's instances costs in a unit of the budget: (rows,) int64."""
    path = layout.costs_file(unit)
    costs = read_array(path, f"cost_{unit}")
    if len(costs) != rows:
        raise InputError(f"{path}: costs of {len(costs)} rows, the pool has {rows}; dvc repro")
    return costs
