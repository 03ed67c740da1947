"""Differences over worlds: the formulas by hand, and how often the intervals hold what they say."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from harness.statistics.differences import ALPHA, corrected
from harness.statistics.worlds import over_worlds, seed_variance

GAPS = [4.0, 1.0, 3.0, 2.0, 5.0]
MEAN, SD = 3.0, math.sqrt(2.5)


def test_mean_interval_and_test_are_those_of_students_t() -> None:
    result = over_worlds(GAPS, [0.5] * 5)
    half = stats.t.ppf(0.975, 4) * SD / math.sqrt(5)
    assert (result.value, result.df, result.by_world) == (MEAN, 4, tuple(GAPS))
    assert (result.low, result.high) == pytest.approx((MEAN - half, MEAN + half))
    assert result.p == pytest.approx(2 * stats.t.sf(MEAN / (SD / math.sqrt(5)), 4))
    assert over_worlds([-gap for gap in GAPS], [0.5] * 5).p == pytest.approx(result.p)


def test_the_prediction_interval_is_of_one_more_world() -> None:
    result = over_worlds(GAPS, [0.5] * 5)
    half = stats.t.ppf(0.975, 4) * SD * math.sqrt(1 + 1 / 5)
    assert (result.new_low, result.new_high) == pytest.approx((MEAN - half, MEAN + half))


def test_the_share_of_the_worlds_is_what_seeds_do_not_explain() -> None:
    assert over_worlds(GAPS, [0.1, 0.9, 0.5, 0.5, 0.5]).share == pytest.approx((2.5 - 0.5) / 2.5)
    assert over_worlds(GAPS, [0.0] * 5).share == 1.0
    assert over_worlds(GAPS, [4.0] * 5).share == 0.0
    assert math.isnan(over_worlds(GAPS, [0.5, 0.5, math.nan, 0.5, 0.5]).share)


@pytest.mark.parametrize("gaps", [[4.0], [2.0, 2.0]])
def test_one_world_or_no_spread_has_no_p(gaps: list[float]) -> None:
    result = over_worlds(gaps, [0.5] * len(gaps))
    assert result.value == gaps[0]
    assert math.isnan(result.p)
    assert math.isnan(result.share)
    assert math.isnan(result.low) == math.isnan(result.new_high) == (len(gaps) == 1)


def test_the_variance_of_a_mean_over_seeds() -> None:
    assert seed_variance([1.0, 2.0, 3.0]) == pytest.approx(1 / 3)
    assert math.isnan(seed_variance([1.0]))
    assert seed_variance([1.0], trained=False) == 0.0


def test_a_family_is_corrected_by_holm() -> None:
    rows = {
        "a": over_worlds(GAPS, [0.5] * 5),
        "b": over_worlds([9.0, 8.0, 9.5, 8.5, 9.0], [0.5] * 5),
    }
    family = corrected(rows)
    assert family["b"].holm == pytest.approx(2 * rows["b"].p)
    assert family["a"].holm == pytest.approx(max(rows["a"].p, 2 * rows["b"].p))
    assert family["a"].critical == pytest.approx(stats.t.ppf(1 - ALPHA / 4, 4))
    assert family["a"].by_world == rows["a"].by_world
    wanted = (family["a"].critical + stats.t.ppf(0.8, 4)) * SD / math.sqrt(5)
    assert family["a"].detectable == pytest.approx(wanted)
    assert math.isnan(replace(rows["a"]).detectable)


MEAN_GAP, OF_WORLDS, OF_SEEDS = 3.0, 2.0, 1.5


def draw(rng: np.random.Generator, worlds: int) -> tuple[list[float], list[float]]:
    """The differences of some worlds, three seeds a row, and what of their variance is of seeds."""
    effects = rng.normal(MEAN_GAP, OF_WORLDS, worlds)
    ours = rng.normal(effects[:, None], OF_SEEDS, (worlds, 3))
    theirs = rng.normal(0, OF_SEEDS, (worlds, 3))
    gaps = ours.mean(axis=1) - theirs.mean(axis=1)
    both = zip(ours.tolist(), theirs.tolist(), strict=True)
    return gaps.tolist(), [seed_variance(a) + seed_variance(b) for a, b in both]


@pytest.mark.parametrize("worlds", [3, 5, 8])
def test_the_intervals_hold_95_of_100_times(worlds: int) -> None:
    rng = np.random.default_rng(worlds)
    held = predicted = 0
    tables = 3000
    for _ in range(tables):
        (*gaps, unseen), seeds = draw(rng, worlds + 1)
        result = over_worlds(gaps, seeds[:-1])
        held += result.low <= MEAN_GAP <= result.high
        predicted += result.new_low <= unseen <= result.new_high
    assert 0.93 <= held / tables <= 0.97
    assert 0.93 <= predicted / tables <= 0.97


def test_the_share_is_found_where_worlds_are_many() -> None:
    truth = OF_WORLDS**2 / (OF_WORLDS**2 + 2 * OF_SEEDS**2 / 3)
    result = over_worlds(*draw(np.random.default_rng(0), 2000))
    assert result.share == pytest.approx(truth, abs=0.04)
