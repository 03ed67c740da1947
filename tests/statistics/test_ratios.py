"""A ratio of sums, against numbers worked by hand, the jackknife and simulation."""

import math

import numpy as np
import pytest

from harness.statistics.ratios import ratio_of_sums


def test_three_questions_by_hand() -> None:
    # The ratio is 12 / 16; above - ratio * below is -1, 1, 0; t(0.975, 2) is 4.302653.
    result = ratio_of_sums(np.array([2.0, 4.0, 6.0]), np.array([4.0, 4.0, 8.0]))
    half = 4.302653 * math.sqrt(3 / 2 * 2) / 16
    assert result.value == 0.75
    assert result.low == pytest.approx(0.75 - half, abs=1e-6)
    assert result.high == pytest.approx(0.75 + half, abs=1e-6)


def test_one_question_has_a_ratio_and_no_interval() -> None:
    result = ratio_of_sums(np.array([7.0]), np.array([8.0]))
    assert result.value == 7 / 8
    assert math.isnan(result.low)
    assert math.isnan(result.high)


def test_a_ratio_that_is_the_same_everywhere_has_no_width() -> None:
    below = np.array([3.0, 5.0, 9.0, 1.0])
    result = ratio_of_sums(2 * below, below)
    assert (result.low, result.high) == (2.0, 2.0)


def draw(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Sums of two judgments of the model and of the reference, which move together."""
    ease = rng.normal(0, 1, n)
    below = np.clip(np.round(18 + ease + rng.normal(0, 1, n)), 2, 20)
    return np.clip(np.round(14 + 2 * ease + rng.normal(0, 3, n)), 2, 20), below


def test_the_interval_is_near_the_jackknife() -> None:
    above, below = draw(np.random.default_rng(0), 80)
    left_out = (above.sum() - above) / (below.sum() - below)
    jackknife = math.sqrt(79 / 80 * ((left_out - left_out.mean()) ** 2).sum())
    result = ratio_of_sums(above, below)
    assert (result.high - result.low) / 2 == pytest.approx(1.990450 * jackknife, rel=0.02)


def test_nineteen_intervals_of_twenty_cover_the_ratio() -> None:
    rng = np.random.default_rng(1)
    above, below = draw(rng, 10**6)
    truth = above.sum() / below.sum()
    intervals = [ratio_of_sums(*draw(rng, 40)) for _ in range(4000)]
    covered = np.mean([one.low <= truth <= one.high for one in intervals])
    assert 0.935 <= covered <= 0.965
