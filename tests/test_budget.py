"""Budgets in tokens: the most rows whose tokens fit."""

import numpy as np
import pytest

from harness.budget import within_budget
from harness.errors import InputError


def ordered(rows: int, rng: np.random.Generator) -> np.ndarray:
    return np.arange(rows)


def shuffled(rows: int, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(50, size=rows, replace=False)


def test_rows_are_asked_for_once() -> None:
    asked = []

    def choose(rows: int, rng: np.random.Generator) -> np.ndarray:
        asked.append(rows)
        return np.arange(rows)

    rng = np.random.default_rng(0)
    assert within_budget(choose, np.ones(9, dtype=np.int64), 4, rng).tolist() == [0, 1, 2, 3]
    assert asked == [4]


@pytest.mark.parametrize(
    ("budget", "rows"), [(3, 1), (4, 1), (7, 1), (8, 2), (9, 3), (29, 3), (30, 4)]
)
def test_worked_by_hand(budget: int, rows: int) -> None:
    costs = np.array([3, 5, 1, 21])
    found = within_budget(ordered, costs, budget, np.random.default_rng(0))
    assert found.tolist() == list(range(rows))


def test_one_row_more_would_be_too_many() -> None:
    costs = np.random.default_rng(1).integers(1, 100, size=50)
    for budget in range(100, int(costs.sum()), 97):
        rng = np.random.default_rng(3)
        found = within_budget(shuffled, costs, budget, rng)
        assert costs[found].sum() <= budget
        same = shuffled(len(found), np.random.default_rng(3))
        assert found.tolist() == same.tolist(), "the choice is that of the seed at this many rows"
        more = shuffled(len(found) + 1, np.random.default_rng(3))
        assert costs[more].sum() > budget


def test_all_of_it() -> None:
    costs = np.array([3, 5, 1, 21])
    assert len(within_budget(ordered, costs, 30, np.random.default_rng(0))) == 4


@pytest.mark.parametrize(
    ("budget", "told"), [(0, "budget is 0"), (31, "pool is 30"), (2, "not one")]
)
def test_budgets_that_cannot_be_met(budget: int, told: str) -> None:
    with pytest.raises(InputError, match=told):
        within_budget(ordered, np.array([3, 5, 1, 21]), budget, np.random.default_rng(0))
