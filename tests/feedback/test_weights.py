"""Eqs. 4 to 7 of arXiv 2409.11378, worked by hand, and what they must never do."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.feedback.weights import (
    cluster_scores,
    effective_clusters,
    instance_scores,
    new_weights,
)
from harness.samplers.shares import drawn_shares, shares_of

THIRDS = np.array([0.5, 0.3, 0.2])


def test_eq_4_is_high_where_the_model_has_not_learnt() -> None:
    gold, generated = np.array([0.9, 0.5, 0.2]), np.array([0.1, 0.5, 0.6])
    np.testing.assert_allclose(instance_scores(gold, generated), [0.8, 0.0, -0.4])
    np.testing.assert_allclose(instance_scores(gold, generated, "learnt"), [-0.8, 0.0, 0.4])


def test_eq_7_is_the_difference_of_log_perplexities() -> None:
    gold, generated = np.array([20.0, 3.0]), np.array([5.0, 6.0])
    eq_7 = -np.log(generated / gold)
    np.testing.assert_allclose(instance_scores(np.log(gold), np.log(generated)), eq_7)
    # The model finds the given answer less likely than its own: not learnt yet, so it is high.
    assert eq_7[0] > 0 > eq_7[1]


def test_eq_5_is_the_mean_of_what_was_scored() -> None:
    scores = np.array([1.0, 3.0, -2.0, np.nan, 4.0])
    result = cluster_scores(scores, np.array([0, 0, 1, 1, 3]), 4)
    np.testing.assert_array_equal(result, [2.0, -2.0, np.nan, 4.0])


def test_three_clusters_by_hand() -> None:
    # Eq. 6 after the max-shifted exp: factors 1, e^-1, e^-2 times 0.5, 0.3, 0.2.
    scores = np.array([1.0, 0.0, -1.0])
    result = new_weights(THIRDS, scores)
    parts = np.array([0.5, 0.3 * math.exp(-1), 0.2 * math.exp(-2)])
    np.testing.assert_allclose(result, parts / parts.sum(), rtol=1e-12)
    np.testing.assert_allclose(result, [0.784399, 0.173139, 0.042463], atol=5e-7)
    # Twice the temperature: factors 1, e^-1/2, e^-1.
    parts = np.array([0.5, 0.3 * math.exp(-0.5), 0.2 * math.exp(-1)])
    np.testing.assert_allclose(
        new_weights(THIRDS, scores, temperature=2.0), parts / parts.sum(), rtol=1e-12
    )
    # Without the weight before: e^0, e^-1, e^-2 alone.
    parts = np.exp([0.0, -1.0, -2.0])
    np.testing.assert_allclose(
        new_weights(THIRDS, scores, mode="fresh"), parts / parts.sum(), rtol=1e-12
    )
    # Shifted: 2, 1, 0 times 0.5, 0.3, 0.2; what is at the bottom keeps a billionth.
    result = new_weights(THIRDS, scores, transform="shift")
    np.testing.assert_allclose(result, [1 / 1.3, 0.3 / 1.3, 1e-9], rtol=1e-6)


def test_sixteen_of_sixty_four_that_were_never_scored_keep_their_weight() -> None:
    rng = np.random.default_rng(0)
    weights = rng.dirichlet(np.ones(64))
    scores = rng.normal(size=64)
    scores[::4] = np.nan
    result = new_weights(weights, scores)
    np.testing.assert_allclose(result[::4], weights[::4], rtol=1e-12)
    assert result.sum() == pytest.approx(1, abs=1e-12)


@pytest.mark.parametrize("transform", ["exp", "shift"])
@pytest.mark.parametrize("mode", ["cumulative", "fresh"])
def test_logits_of_thirty_leave_weights_finite_and_none_is_one(transform: str, mode: str) -> None:
    weights = np.full(8, 1 / 8)
    scores = np.array([60.0, -60, 30, -30, 0, 60, -60, 1])
    scores[5] = -60
    for _ in range(40):
        weights = new_weights(weights, scores, transform=transform, mode=mode)  # pyright: ignore
        assert np.isfinite(weights).all()
        assert weights.min() > 0
        assert weights.max() < 1
        assert weights.sum() == pytest.approx(1, abs=1e-12)


def test_a_cluster_that_fell_has_a_way_back() -> None:
    weights = np.array([0.5, 0.5])
    for _ in range(3):
        weights = new_weights(weights, np.array([50.0, -50.0]))
    for _ in range(3):
        weights = new_weights(weights, np.array([-50.0, 50.0]))
    assert weights[1] > 0.99


def test_one_constant_changes_nothing_and_is_noted() -> None:
    with pytest.warns(UserWarning, match="every cluster scored 0.25"):
        result = new_weights(THIRDS, np.full(3, 0.25))
    np.testing.assert_allclose(result, THIRDS, rtol=1e-12)


def test_nothing_scored_changes_nothing_and_is_noted() -> None:
    with pytest.warns(UserWarning, match="no cluster was scored"):
        result = new_weights(THIRDS, np.full(3, np.nan))
    np.testing.assert_array_equal(result, THIRDS)


def test_a_temperature_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="temperature is 0; it must be above 0"):
        new_weights(THIRDS, np.arange(3.0), temperature=0)


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.floats(-1e6, 1e6) | st.just(math.nan)), min_size=1, max_size=9
    ),
    st.sampled_from(["exp", "shift"]),
    st.sampled_from(["cumulative", "fresh"]),
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_whatever_the_scores(rows: list[tuple[float, float]], transform: str, mode: str) -> None:
    weights, scores = (np.array(column) for column in zip(*rows, strict=True))
    weights = np.where(weights < 1e-6, 0, weights)
    if not weights.any():
        return
    weights = weights / weights.sum()
    result = new_weights(weights, scores, transform=transform, mode=mode)  # pyright: ignore
    assert np.isfinite(result).all()
    assert result.sum() == pytest.approx(1, abs=1e-9)
    np.testing.assert_allclose(result[np.isnan(scores)], weights[np.isnan(scores)], atol=1e-12)
    assert (result[weights == 0] == 0).all()  # an empty cluster has nothing to give


def test_effective_clusters() -> None:
    assert effective_clusters(np.full(5, 0.2)) == pytest.approx(5)
    assert effective_clusters(np.array([1.0, 0.0])) == pytest.approx(1)


def test_an_exhausted_cluster_hands_on_what_it_cannot_give() -> None:
    # Quotas 8, 1, 1 of 10; the first has 3 left: 5 go to the others in the same way.
    shares = shares_of(np.array([0.8, 0.1, 0.1]), np.array([3, 20, 20]), 10)
    np.testing.assert_array_equal(shares, [3, 4, 3])


def test_drawn_shares() -> None:
    weights, capacity = np.array([0.7, 0.2, 0.1, 0.0]), np.array([3, 50, 50, 50])
    drawn = [drawn_shares(weights, capacity, 20, np.random.default_rng(s)) for s in range(300)]
    assert {int(shares.sum()) for shares in drawn} == {20}
    assert all((shares <= capacity).all() for shares in drawn)
    assert {int(shares[3]) for shares in drawn} == {0}
    # What the first cannot give is drawn again by weight: 2 to 1.
    mean = np.mean(drawn, axis=0)
    np.testing.assert_allclose(mean[1:3] / mean[1:3].sum(), [2 / 3, 1 / 3], atol=0.02)
    everything = drawn_shares(weights, capacity, 153, np.random.default_rng(0))
    np.testing.assert_array_equal(everything, capacity)
