"""Budgets in tokens: the most rows whose tokens fit."""

from collections.abc import Callable

import numpy as np
import pytest

from harness.common.errors import InputError
from harness.samplers import SAMPLERS, Pool
from harness.selecting.budget import within_budget


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
    result = within_budget(ordered, costs, budget, np.random.default_rng(0))
    assert result.tolist() == list(range(rows))


def test_one_row_more_would_be_too_many() -> None:
    costs = np.random.default_rng(1).integers(1, 100, size=50)
    for budget in range(100, int(costs.sum()), 97):
        rng = np.random.default_rng(3)
        result = within_budget(shuffled, costs, budget, rng)
        assert costs[result].sum() <= budget
        same = shuffled(len(result), np.random.default_rng(3))
        assert result.tolist() == same.tolist(), "the choice is that of the seed at this many rows"
        more = shuffled(len(result) + 1, np.random.default_rng(3))
        assert costs[more].sum() > budget


def test_the_whole_pool() -> None:
    costs = np.array([3, 5, 1, 21])
    assert len(within_budget(ordered, costs, 30, np.random.default_rng(0))) == 4


@pytest.mark.parametrize(
    ("budget", "message"), [(0, "budget is 0"), (31, "pool is 30"), (2, "not one")]
)
def test_budgets_that_cannot_be_met(budget: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        within_budget(ordered, np.array([3, 5, 1, 21]), budget, np.random.default_rng(0))


Choose = Callable[[int, np.random.Generator], np.ndarray]


def refusing(low: int, high: int, asked: list[int]) -> Choose:
    """The first rows of a pool, by a system that gives so many only."""

    def choose(rows: int, rng: np.random.Generator) -> np.ndarray:
        asked.append(rows)
        if not low <= rows <= high:
            raise InputError(f"{rows} rows are not {low} to {high}")
        return np.arange(rows)

    return choose


# 40 rows of 5 and 40 of 20 tokens: 39 of the latter at least, 60 of the former at most.
UNEVEN = np.repeat([5, 20], 40)


@pytest.mark.parametrize(
    ("low", "high", "budget", "rows"),
    [
        (1, 80, 600, 60),
        (45, 80, 600, 60),  # as many clusters of a row each at least
        (55, 80, 600, 60),
        (60, 60, 600, 60),
        (1, 50, 600, 50),  # as many faulty rows there are
        (1, 35, 600, 35),
        (20, 33, 600, 33),
    ],
)
def test_numbers_that_are_refused_are_passed_over(
    low: int, high: int, budget: int, rows: int
) -> None:
    asked: list[int] = []
    choose = refusing(low, high, asked)
    result = within_budget(choose, UNEVEN, budget, np.random.default_rng(0))
    assert result.tolist() == list(range(rows))
    assert len(asked) == len(set(asked)) <= 14


def test_a_refusal_of_every_number_that_fits_is_reported() -> None:
    for low, high in ((61, 80), (70, 80), (1, 20)):
        asked: list[int] = []
        with pytest.raises(InputError, match=f"rows are not {low} to {high}"):
            within_budget(refusing(low, high, asked), UNEVEN, 600, np.random.default_rng(0))
        assert len(asked) < 14


def test_no_number_is_tried_that_cannot_be_it() -> None:
    asked: list[int] = []
    within_budget(refusing(1, 80, asked), UNEVEN, 600, np.random.default_rng(0))
    assert 30 <= min(asked) <= max(asked) <= 60
    asked.clear()
    even = np.full(80, 7)
    assert len(within_budget(refusing(1, 80, asked), even, 100, np.random.default_rng(0))) == 14
    assert asked == [14]


@pytest.mark.filterwarnings("ignore:.* rows share the quality at the cut")  # whole lengths
@pytest.mark.parametrize("key", ["random", "top_k", "k_center", "km_closest", "km_random", "kmq"])
def test_few_numbers_are_tried(key: str) -> None:
    """Bisection tries 11 of this pool; each is a whole choice."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 4)).astype(np.float32)
    costs = np.exp(rng.normal(5, 0.7, 2000)).astype(np.int64) + 1
    labels = x.argmax(axis=1)
    centroids = np.stack([x[labels == label].mean(axis=0) for label in range(4)])
    asked: list[int] = []

    def choosing(quality: np.ndarray) -> Choose:
        def choose(rows: int, inner: np.random.Generator) -> np.ndarray:
            asked.append(rows)
            return SAMPLERS[key](Pool(x, quality, (labels, centroids)), rows, inner)

        return choose

    counts = []
    for quality in (costs.astype(np.float64), rng.random(2000)):
        for share in (0.05, 0.1, 0.3):
            asked.clear()
            budget = int(share * costs.sum())
            within_budget(choosing(quality), costs, budget, np.random.default_rng(1))
            counts.append(len(asked))
    assert np.mean(counts) <= 6
    assert max(counts) <= 9
