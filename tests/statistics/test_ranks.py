"""Rank correlations of a few things."""

import numpy as np
import pytest
from scipy import stats

from harness.statistics.ranks import rank_correlation


def test_by_hand() -> None:
    """Ranks 1 2 3 4 5 and 2 1 4 3 5: 1 - 6 * 4 / (5 * 24)."""
    result = rank_correlation([10, 20, 30, 40, 50], [0.2, 0.1, 0.4, 0.3, 0.9])
    assert result.value == pytest.approx(0.8)
    # By hand: tanh(atanh 0.8 -+ 1.96 * sqrt(1.32 / 2)).
    assert result.low == pytest.approx(
        np.tanh(np.arctanh(0.8) - 1.959964 * np.sqrt(0.66)), abs=1e-6
    )
    assert result.high == pytest.approx(
        np.tanh(np.arctanh(0.8) + 1.959964 * np.sqrt(0.66)), abs=1e-6
    )
    assert result.n == 5


@pytest.mark.parametrize("seed", range(4))
def test_equals_scipy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=7), rng.integers(0, 4, 7)
    theirs = np.corrcoef(stats.rankdata(x), stats.rankdata(y))[0, 1]
    assert rank_correlation(x.tolist(), y.tolist()).value == pytest.approx(theirs)


def test_p_counts_the_orders() -> None:
    """Of the 24 orders of four things, two are as far from none as a perfect one."""
    assert rank_correlation([1, 2, 3, 4], [1, 2, 3, 4]).p == pytest.approx(2 / 24)
    assert rank_correlation([1, 2, 3, 4], [4, 3, 2, 1]).p == pytest.approx(2 / 24)


def test_no_interval_where_there_is_none() -> None:
    perfect = rank_correlation([1, 2, 3, 4], [1, 2, 3, 4])
    assert perfect.value == pytest.approx(1)
    assert np.isnan([perfect.low, perfect.high]).all()
    for x, y in (([1, 2, 3], [1, 2, 3]), ([1, 1, 1, 1], [1, 2, 3, 4])):
        assert np.isnan(rank_correlation(x, y).value)
    known = rank_correlation([1, 2, np.nan, 3, 4], [2, 1, 9, 3, 4])
    assert known.n == 4
    assert known.value == pytest.approx(0.8)


def test_the_interval_covers() -> None:
    """Of normal pairs of a known rank correlation, about 95% of the intervals hold it."""
    rho, rng, hits = 0.6, np.random.default_rng(1), 0
    pearson = 2 * np.sin(np.pi * rho / 6)
    for _ in range(300):
        x, noise = rng.normal(size=(2, 30))
        y = pearson * x + np.sqrt(1 - pearson**2) * noise
        result = rank_correlation(x, y)
        hits += result.low <= rho <= result.high
    assert 0.9 <= hits / 300 <= 0.99
