"""The samplers that give each cluster its share: closest, at random, by quality."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.samplers import SAMPLERS, Pool
from harness.samplers.shares import shares_of
from tests.helpers.sampler_pools import clustered, free_of, small_pools, take

PARAMS = st.fixed_dictionaries(
    {"share": st.sampled_from(["proportional", "equal"]), "min_per_cluster": st.integers(0, 2)}
)


def groups_of(pool: Pool) -> list[list[int]]:
    """The free instances of each cluster."""
    assert pool.clusters is not None
    labels, centroids = pool.clusters
    return [[i for i in free_of(pool) if labels[i] == j] for j in range(len(centroids))]


def expected_shares(pool: Pool, budget: int, share: str, min_per_cluster: int) -> list[int]:
    """Each cluster's share; test_shares.py holds `shares_of` to its definition."""
    assert pool.clusters is not None
    labels, centroids = pool.clusters
    sizes = [1 if share == "equal" else int((labels == j).sum()) for j in range(len(centroids))]
    capacity = [len(rows) for rows in groups_of(pool)]
    return shares_of(np.array(sizes), np.array(capacity), budget, min_per_cluster).tolist()


def merged(picks: list[list[int]]) -> list[int]:
    """The clusters in turn: the t-th of s at (t + 1/2) / s."""
    places = [
        (Fraction(2 * t + 1, 2 * len(own)), j, i)
        for j, own in enumerate(picks)
        for t, i in enumerate(own)
    ]
    return [i for _, _, i in sorted(places)]


def within_budget(drawn: tuple[Pool, int], params: dict) -> bool:
    """Whether the minimum fits into the budget."""
    pool, budget = drawn
    return sum(min(params["min_per_cluster"], len(rows)) for rows in groups_of(pool)) <= budget


CASES = st.tuples(small_pools(), PARAMS).filter(lambda case: within_budget(*case))


def test_km_closest_by_hand() -> None:
    x = np.array([[0.0, 1], [3, 1], [1, 1], [9, 1], [7, 1], [1, 1], [8, 1]], dtype=np.float32)
    labels = np.array([0, 0, 0, 1, 1, 0, 1])
    pool = Pool(x, clusters=(labels, np.array([[1.0, 1], [8, 1]], dtype=np.float32)))
    # From 1: the rows 2 and 5 at 0 (duplicates: the lower index first), 0 at 1, 1 at 2.
    # From 8: row 6 at 0, then 3 and 4, both at 1.
    assert take("km_closest", pool, 4).tolist() == [2, 6, 5, 3]
    assert take("km_closest", pool, 7).tolist() == [2, 6, 5, 3, 0, 4, 1]
    assert take("km_closest", pool, 3, share="equal").tolist() == [2, 6, 5]
    going_on = Pool(x, clusters=pool.clusters, selected=np.array([2, 6]))
    assert take("km_closest", going_on, 2).tolist() == [5, 3]


@settings(max_examples=250, deadline=None)
@given(CASES)
def test_km_closest_equals_naive(case: tuple[tuple[Pool, int], dict]) -> None:
    (pool, budget), params = case
    assert pool.clusters is not None
    x, centroids = pool.embeddings.astype(float), pool.clusters[1].astype(float)
    counts = expected_shares(pool, budget, **params)
    picks = [
        sorted(rows, key=lambda i: (sum((x[i] - centroids[j]) ** 2), i))[: counts[j]]
        for j, rows in enumerate(groups_of(pool))
    ]
    assert take("km_closest", pool, budget, **params).tolist() == merged(picks)


def test_km_closest_duplicates_tie_exactly() -> None:
    # Real numbers, many blocks of rows: the same row gives the same distance wherever it stands.
    rng = np.random.default_rng(0)
    x = np.tile(rng.normal(size=(1700, 33)), (5, 1)).astype(np.float32)
    centroid = rng.normal(size=(1, 33)).astype(np.float32)
    pool = Pool(x, clusters=(np.zeros(len(x), dtype=int), centroid))
    picks = take("km_closest", pool, len(x)).reshape(1700, 5)
    np.testing.assert_array_equal(picks - picks[:, :1], np.tile(np.arange(5) * 1700, (1700, 1)))


@settings(max_examples=200, deadline=None)
@given(CASES, st.integers(0, 10_000))
def test_km_random_gives_its_shares(case: tuple[tuple[Pool, int], dict], seed: int) -> None:
    (pool, budget), params = case
    assert pool.clusters is not None
    labels = pool.clusters[0]
    picks = take("km_random", pool, budget, seed, **params).tolist()
    own = [[i for i in picks if labels[i] == j] for j in range(len(pool.clusters[1]))]
    assert [len(each) for each in own] == expected_shares(pool, budget, **params)
    assert picks == merged(own)


@settings(max_examples=250, deadline=None)
@given(CASES, st.integers(0, 10_000), st.booleans(), st.sampled_from(["linear", "softmax"]))
def test_kmq_gives_its_shares_and_zeros_last(
    case: tuple[tuple[Pool, int], dict], seed: int, replacement: bool, weighting: str
) -> None:
    (pool, budget), params = case
    quality = pool.quality
    assert quality is not None
    assert pool.clusters is not None
    labels = pool.clusters[0]
    others = {"replacement": replacement, "weighting": weighting}
    picks = take("kmq", pool, budget, seed, **params, **others).tolist()
    own = [[i for i in picks if labels[i] == j] for j in range(len(pool.clusters[1]))]
    assert [len(each) for each in own] == expected_shares(pool, budget, **params)
    assert picks == merged(own)
    for each, rows in zip(own, groups_of(pool), strict=True):
        zero = [bool(quality[i] == 0) for i in each]
        assert zero == sorted(zero)
        positive = sum(1 for i in rows if quality[i] > 0)
        assert sum(zero) == max(0, len(each) - positive)


def test_kmq_given_weights_replace_the_sizes() -> None:
    labels = [0] * 6 + [1] * 3 + [2] * 3
    weights = [0.0, 0.9, 0.1]
    pool = clustered(labels, [1.0] * 12, weights=weights)
    picks = take("kmq", pool, 4)
    # 3.6 and 0.4, of which the second cluster has 3; what it lacks goes to the third.
    assert np.bincount(np.array(labels)[picks]).tolist() == [0, 3, 1]


@pytest.mark.parametrize("replacement", [False, True])
def test_kmq_says_once_where_every_quality_is_zero(replacement: bool) -> None:
    pool = clustered([0, 0, 1, 1, 2, 2], [0.0, 0.0, 1.0, 0.0, 0.0, 0.0])
    with pytest.warns(UserWarning, match="every quality is zero in 2 of 3 clusters") as said:
        SAMPLERS["kmq"](pool, 3, np.random.default_rng(0), replacement=replacement)
    assert len(said) == 1
    assert said[0].filename == __file__


def test_kmq_extreme_weights() -> None:
    # exp(2,000) is no float, 1e-300 is no chance beside 1e300: no overflow, the certain order.
    quality = [2000.0, 0.5, 1000.0, 3000.0]
    pool = clustered([0] * 4, quality)
    assert take("kmq", pool, 3, weighting="softmax").tolist() == [3, 0, 2]
    apart = clustered([0] * 4, [1e-300, 1e300, 1.0, 5e-324])
    assert take("kmq", apart, 4).tolist() == [1, 2, 0, 3]
    for weighting, given_pool, best in (("softmax", pool, {3, 0}), ("linear", apart, {1, 2})):
        drawn = take("kmq", given_pool, 2, weighting=weighting, replacement=True)
        assert set(drawn.tolist()) == best


def test_kmq_unknown_weighting() -> None:
    with pytest.raises(ValueError, match="weighting is 'exp'; the choices are linear, softmax"):
        take("kmq", clustered([0], [1.0]), 1, weighting="exp")


@pytest.mark.parametrize("key", ["km_random", "km_closest", "kmq"])
def test_knobs_are_checked(key: str) -> None:
    pool = clustered([0, 1, 1], [1.0] * 3)
    with pytest.raises(ValueError, match="share is 'even'; the choices are proportional, equal"):
        take(key, pool, 1, share="even")
    with pytest.raises(ValueError, match="min_per_cluster is 1: 2 clusters need 2 instances"):
        take(key, pool, 1, min_per_cluster=1)
