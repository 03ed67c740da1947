"""Scores over seeds, against numbers worked by hand, scipy, and simulation."""

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from harness.statistics.differences import Difference, SeedVariance
from harness.statistics.seeds import (
    deviation,
    deviation_interval,
    mean_interval,
    ratio_interval,
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


def test_the_interval_of_a_ratio_covers() -> None:
    rng = np.random.default_rng(4)
    true, inside, tables = 9.0, 0, 1500
    for _ in range(tables):
        seeds = rng.normal(33, 1.4, 8)
        sd, se = float(np.std(seeds, ddof=1)), 1.4 * math.sqrt(1 / 3 + 1 / 8)
        gap = difference(true * 1.4 + rng.normal(0, se), se, 40)
        result = ratio_interval(gap, sd, 7)
        assert result.low < result.value < result.high
        inside += result.low <= true <= result.high
    assert 0.93 <= inside / tables <= 0.97


def test_the_interval_of_a_ratio_may_reach_below_zero_and_needs_two_seeds() -> None:
    result = ratio_interval(difference(1.0, 1.0, 20), 1.4, 7)
    assert result.low < 0 < result.high
    assert math.isnan(ratio_interval(difference(1.0, 1.0, 20), math.nan, 0).value)


def difference(value: float, se: float, df: float) -> Difference:
    seeds = SeedVariance(1.0, 7, 0.0, "own")
    nan = math.nan
    return Difference(
        value=value,
        low=nan,
        high=nan,
        p=nan,
        se=se,
        df=df,
        item_se=0.0,
        skills_se=nan,
        skills_df=nan,
        above=3,
        chance=0.5,
        seeds=seeds,
    )
