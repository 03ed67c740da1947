"""Scorers against the planted quality: equal to naive references, intervals that cover."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.common.schemas import FAULTS
from harness.report.subsets.scorer_agreement import agreement, agreements


def naive_auc(scores: np.ndarray, clean: np.ndarray) -> float:
    pairs = [(a > b) + (a == b) / 2 for a in scores[clean] for b in scores[~clean]]
    return sum(pairs) / len(pairs)


@given(st.integers(2, 12), st.integers(2, 12), st.integers(1, 30), st.integers(0, 2**32 - 1))
@settings(max_examples=200, deadline=None)
def test_correlation_and_auc_equal_the_naive(n1: int, n0: int, levels: int, seed: int) -> None:
    from scipy.stats import spearmanr

    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels + 1, n1 + n0).astype(np.float64)
    scores[0] = levels + 1  # not all are equal
    clean = rng.permutation(np.arange(n1 + n0) < n1)
    result = agreement(scores, clean)
    assert (result.clean, result.faulty) == (n1, n0)
    assert result.auc == pytest.approx(naive_auc(scores, clean))
    assert result.spearman == pytest.approx(spearmanr(scores, clean)[0], abs=1e-12)


def test_agreement_by_hand() -> None:
    scores = np.array([3.0, 1, 2, 0])
    clean = np.array([True, True, False, False])
    result = agreement(scores, clean)
    assert result.auc == 0.75
    # Ranks 4, 2, 3, 1 against 3.5, 3.5, 1.5, 1.5.
    assert result.spearman == pytest.approx(2 / np.sqrt(5 * 4))
    assert agreement(-scores, clean).auc == 0.25
    assert agreement(-scores, clean).spearman == pytest.approx(-result.spearman)


def test_intervals_cover_the_truth_at_their_level() -> None:
    from scipy.stats import norm

    truth = float(norm.cdf(1 / np.sqrt(2)))  # two normals, one deviation apart
    rng = np.random.default_rng(0)
    clean = np.arange(120) < 80
    draws = [agreement(rng.normal(size=120) + clean, clean) for _ in range(1500)]
    covered = np.mean([result.auc_low <= truth <= result.auc_high for result in draws])
    assert 0.92 < covered < 0.97
    for result in draws[:5]:
        # Both lie on one straight line through (0.5, 0).
        slope = result.spearman / (result.auc - 0.5)
        assert result.spearman_low == pytest.approx(slope * (result.auc_low - 0.5))
        assert result.spearman_high == pytest.approx(slope * (result.auc_high - 0.5))


def test_the_interval_is_that_of_a_bootstrap_over_rows() -> None:
    rng = np.random.default_rng(5)
    clean = np.arange(400) < 300
    scores = np.round(rng.normal(size=400) + 0.8 * clean, 1)  # with ties
    result = agreement(scores, clean)
    draws = []
    for _ in range(600):
        rows = np.concatenate([rng.integers(0, 300, 300), rng.integers(300, 400, 100)])
        draws.append(agreement(scores[rows], clean).spearman)
    low, high = np.quantile(draws, [0.025, 0.975])
    assert result.spearman_low == pytest.approx(low, abs=0.02)
    assert result.spearman_high == pytest.approx(high, abs=0.02)


def test_too_few_or_equal_scores_give_nan() -> None:
    one = agreement(np.array([1.0, 2, 3]), np.array([True, True, False]))
    assert (one.clean, one.faulty) == (2, 1)
    assert np.isnan([one.spearman, one.auc, one.auc_low]).all()
    apart = agreement(np.array([3.0, 4, 1, 2]), np.array([True, True, False, False]))
    assert apart.auc == 1
    assert np.isnan([apart.auc_low, apart.auc_high, apart.spearman_low]).all()
    alike = agreement(np.ones(4), np.array([True, True, False, False]))
    assert alike.auc == 0.5
    assert np.isnan(alike.spearman)


def test_each_kind_is_compared_with_the_clean_rows_alone() -> None:
    noise = np.array(["none"] * 4 + ["wrong"] * 3 + ["garbled"] * 2)
    scores = {
        "a": np.array([5.0, 6, 7, 8, 1, 2, 3, 9, 10]),
        "b": np.array([5.0, 6, 7, np.nan, 1, 2, 3, 9, 4]),
    }
    frame = agreements(scores, noise).set_index(["scorer", "noise"])
    assert len(frame) == 2 * (1 + len(FAULTS))
    assert frame.loc[("a", "wrong"), "auc"] == 1
    assert frame.loc[("a", "garbled"), "auc"] == 0
    assert frame.loc[("a", "all"), "auc"] == pytest.approx(3 / 5)
    assert frame.loc[("a", "all"), ["clean", "faulty"]].tolist() == [4, 5]
    assert frame.loc[("b", "garbled"), ["clean", "faulty"]].tolist() == [3, 2]
    assert frame.loc[("b", "garbled"), "auc"] == pytest.approx(0.5)
    assert frame.loc[("a", "truncated"), "faulty"] == 0
    assert np.isnan(float(frame.loc[("a", "truncated"), "auc"]))


def test_without_planted_truth_there_is_nothing_to_compare() -> None:
    frame = agreements({"a": np.arange(3.0)}, np.array([], dtype=str))
    assert frame.empty
    assert list(frame.columns)[:4] == ["scorer", "noise", "clean", "faulty"]
