"""Meeting a budget that counts tokens, or rows: how many rows a sampler is asked for."""

import copy
from collections.abc import Callable

import numpy as np

from harness import layout
from harness.errors import InputError
from harness.files import read_array

Sized = Callable[[int, np.random.Generator], np.ndarray]


def within_budget(
    choose: Sized, costs: np.ndarray, budget: int, rng: np.random.Generator
) -> np.ndarray:
    """The indices chosen for the largest number of rows whose costs stay within the budget.

    Args:
        choose: indices for a number of rows; asked anew for each number tried, always with the
            same state of ``rng``, so that a system's own shares hold at the number taken.
        costs: (n,) int64 >= 0, what each instance costs: 1 a row, or its tokens.
        budget: at most what all instances cost together.
        rng: what the choice is drawn with.

    The number is found by bisection, as most systems' choices for m rows are no prefix of those
    for m + 1. Raises InputError where not even one row fits, or the budget is over the whole.
    """
    whole = int(costs.sum())
    if not 1 <= budget <= whole:
        raise InputError(f"budget is {budget}; the whole pool is {whole}; lower the budget")
    if (costs == 1).all():
        return choose(budget, rng)
    low, high = 0, len(costs)  # low fits, as far as was tried
    best = np.empty(0, dtype=np.int64)
    while low < high:
        rows = (low + high + 1) // 2
        found = choose(rows, copy.deepcopy(rng))
        if costs[found].sum() <= budget:
            low, best = rows, found
        else:
            high = rows - 1
    if not len(best):
        raise InputError(f"budget is {budget} tokens; not one instance chosen fits; raise it")
    return best


def read_costs(unit: str, rows: int) -> np.ndarray:
    """What each of the pool's instances costs in a unit of the budget: (rows,) int64."""
    path = layout.costs_file(unit)
    costs = read_array(path, f"cost_{unit}")
    if len(costs) != rows:
        raise InputError(f"{path}: costs of {len(costs)} rows, the pool has {rows}; dvc repro")
    return costs
