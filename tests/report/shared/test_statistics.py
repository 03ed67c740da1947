"""The statistics of the tables, against numbers worked by hand, scipy, and simulation."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.report.shared.statistics import (
    Items,
    deviation,
    deviation_interval,
    difference,
    mean_interval,
    rising_trend,
)


def test_mean_of_three_seeds_has_the_t_interval_of_two_degrees_of_freedom() -> None:
    result = mean_interval([1.0, 2.0, 3.0])
    half = 4.302653 / math.sqrt(3)  # t(0.975, 2) from a table; the deviation is 1
    assert result.value == 2.0
    assert result.low == pytest.approx(2 - half, abs=1e-5)
    assert result.high == pytest.approx(2 + half, abs=1e-5)


def test_one_seed_has_a_mean_and_nothing_else() -> None:
    result = mean_interval([7.0])
    assert result.value == 7.0
    assert math.isnan(result.low)
    assert math.isnan(result.high)
    assert math.isnan(deviation([7.0]))


def test_deviation_of_eight_has_the_chi_square_interval() -> None:
    values = [-1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0]
    sd = math.sqrt(8 / 7)
    result = deviation_interval(values)
    assert result.value == pytest.approx(sd)
    assert result.low == pytest.approx(sd * math.sqrt(7 / 16.01276), rel=1e-5)
    assert result.high == pytest.approx(sd * math.sqrt(7 / 1.68987), rel=1e-5)


def test_trend_of_three_groups_by_hand() -> None:
    # Pairs in order: (1,2)(1,4)(3,4) of the first two groups, all 8 with the third: 11 of 12.
    result = rising_trend([[1, 3], [2, 4], [5, 6]])
    mean, variance = (36 - 12) / 4, (36 * 15 - 3 * 4 * 7) / 72
    assert result.statistic == 11
    assert result.z == pytest.approx((11 - mean) / math.sqrt(variance))


@pytest.mark.parametrize("number", range(5))
def test_trend_is_kendalls_tau_of_dose_and_value(number: int) -> None:
    rng = np.random.default_rng(number)
    groups = [list(rng.normal(0.3 * dose, 1, 4)) for dose in range(5)]
    doses = np.repeat(np.arange(5), 4)
    wanted: Any = stats.kendalltau(
        doses, np.concatenate(groups), alternative="greater", method="asymptotic"
    )
    assert rising_trend(groups).p == pytest.approx(wanted.pvalue, rel=1e-6)


def test_trend_p_is_close_to_the_permutation_p() -> None:
    groups = [[1.0, 2.5, 2.0], [2.2, 1.8, 3.0], [2.9, 2.6, 4.0]]
    result = rising_trend(groups)
    flat, rng = np.concatenate(groups), np.random.default_rng(0)
    draws = [
        rising_trend(rng.permutation(flat).reshape(3, 3).tolist()).statistic >= result.statistic
        for _ in range(3000)
    ]
    assert result.p == pytest.approx(float(np.mean(draws)), abs=0.02)


def items(seeds: np.ndarray, spread: np.ndarray) -> Items:
    return Items(seeds[:, None] + spread[None, :], np.ones(len(spread)))


def test_difference_of_equal_items_is_the_paired_t_interval() -> None:
    spread = np.zeros(20)
    ours, theirs = np.array([10.0, 12.0, 11.0]), np.array([9.0, 9.5, 11.5])
    result = difference(
        [items(ours, spread)], [items(theirs, spread)], True, np.random.default_rng(0)
    )
    wanted = mean_interval(list(ours - theirs))
    assert result.value == pytest.approx(wanted.value)
    assert result.low == pytest.approx(wanted.low, rel=0.15)
    assert result.high == pytest.approx(wanted.high, rel=0.15)


def test_difference_of_two_single_runs_is_over_items_alone() -> None:
    rng = np.random.default_rng(1)
    gaps = rng.normal(3, 10, 400)
    ours = [Items(gaps[None, :], np.ones(400))]
    theirs = [Items(np.zeros((1, 400)), np.ones(400))]
    result = difference(ours, theirs, False, rng)
    half = 1.96 * gaps.std() / math.sqrt(400)
    assert result.value == pytest.approx(gaps.mean())
    assert result.low == pytest.approx(gaps.mean() - half, abs=0.15)
    assert result.high == pytest.approx(gaps.mean() + half, abs=0.15)


def test_a_single_run_gets_the_others_deviation_unless_it_is_fixed() -> None:
    many, one = np.array([1.0, 2.0, 3.0]), np.array([5.0])
    spread, rng = np.zeros(10), np.random.default_rng(2)
    trained = difference([items(one, spread)], [items(many, spread)], False, rng)
    fixed = difference([items(one, spread)], [items(many, spread)], False, rng, (True, False))
    t = 4.302653
    assert trained.value == fixed.value == 3.0
    assert trained.high - 3 == pytest.approx(t * math.sqrt(1 + 1 / 3), rel=0.15)
    assert fixed.high - 3 == pytest.approx(t * math.sqrt(1 / 3), rel=0.15)


def test_items_count_by_their_weights() -> None:
    ours = [Items(np.array([[1.0, 3.0]]), np.array([3.0, 1.0]))]
    theirs = [Items(np.array([[0.0, 0.0]]), np.array([3.0, 1.0]))]
    assert difference(ours, theirs, False, np.random.default_rng(0)).value == pytest.approx(1.5)


def test_intervals_of_three_seeds_cover_where_resampling_the_seeds_would_not() -> None:
    rng = np.random.default_rng(3)
    ours_cover = naive_cover = 0
    runs = 250
    for _ in range(runs):
        hard = rng.normal(0, 5, 30)
        a, b = (items(rng.normal(0, 2, 3), hard + rng.normal(0, 3, 30)) for _ in range(2))
        result = difference([a], [b], True, rng)
        ours_cover += result.low <= 0 <= result.high
        gaps = a.scores.mean(axis=1) - b.scores.mean(axis=1)
        naive = np.quantile(rng.choice(gaps, (500, 3)).mean(axis=1), [0.025, 0.975])
        naive_cover += naive[0] <= 0 <= naive[1]
    assert ours_cover / runs >= 0.92
    assert naive_cover / runs < 0.85


@pytest.mark.parametrize("gap", [0.0, 0.5, 1.0, 1.5, 2.0, 4.0])
def test_p_is_below_five_percent_where_the_interval_excludes_zero(gap: float) -> None:
    rng = np.random.default_rng(0)
    hard = rng.normal(0, 5, 40)
    rows = [
        [Items(hard + rng.normal(mean, 2, (3, 40)), np.ones(40)) for _ in range(2)]
        for mean in (50 + gap, 50)
    ]
    result = difference(rows[0], rows[1], True, np.random.default_rng(1))
    assert (result.low > 0 or result.high < 0) == (result.p < 0.05)
    assert 0 < result.p <= 1
