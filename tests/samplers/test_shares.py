"""Shares of a budget over clusters, and the order in which the clusters' picks are merged."""

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.samplers.shares import in_turn, share_out, shares_of
from tests.helpers.sampler_pools import clustered


def shares(
    weights: list[int] | list[float], room: list[int], budget: int, least: int = 0
) -> list[int]:
    return shares_of(np.array(weights), np.array(room), budget, least).tolist()


def test_by_hand() -> None:
    # 10 over 5:3:2 is exact; 4 over it is 2.0, 1.2, 0.8: the largest remainder takes the last.
    assert shares([5, 3, 2], [5, 3, 2], 10) == [5, 3, 2]
    assert shares([5, 3, 2], [5, 3, 2], 4) == [2, 1, 1]
    # Equal remainders: the lowest clusters first.
    assert shares([1, 1, 1], [1, 1, 1], 2) == [1, 1, 0]
    # What the first cannot give goes to the others in proportion: 4 more over 3:2.
    assert shares([5, 3, 2], [1, 9, 9], 10) == [1, 5, 4]
    # A cluster of weight 0 gives only when the others are used up.
    assert shares([0, 1, 0], [5, 3, 5], 3) == [0, 3, 0]
    assert shares([0, 1, 0], [5, 3, 5], 6) == [2, 3, 1]


def test_a_minimum_by_hand() -> None:
    # 10 over 16:3:1 is 8, 1.5, 0.5. With at least 1: the last gets 1, and 9 over 16:3 is 7.6, 1.4.
    assert shares([16, 3, 1], [16, 3, 1], 10) == [8, 2, 0]
    assert shares([16, 3, 1], [16, 3, 1], 10, 1) == [8, 1, 1]
    # At least 2: the last gives all it has, which is 1; the second would get 1.4, and gets 2.
    assert shares([16, 3, 1], [16, 3, 1], 10, 2) == [7, 2, 1]
    # An empty cluster gives nothing, and one of weight 0 gives the minimum.
    assert shares([3, 0, 3, 0], [3, 0, 3, 4], 5, 1) == [2, 0, 2, 1]


def test_a_minimum_of_any_size() -> None:
    # More than an array's type holds: each gives all it has, or that is more than the budget.
    assert shares([16, 3, 1], [16, 3, 1], 20, 10**23) == [16, 3, 1]
    with pytest.raises(ValueError, match=r"^min_per_cluster is 10{23}: 3 clusters need 20 instan"):
        shares([16, 3, 1], [16, 3, 1], 10, 10**23)


def test_equal_remainders_are_equal_in_floats_too() -> None:
    # 1.5, 3.5 and 5: in binary 0.15 * 10 is below its half and 0.35 * 10 at it.
    assert shares([0.15, 0.35, 0.5], [9, 9, 9], 10) == [2, 3, 5]
    assert shares([0.35, 0.15, 0.5], [9, 9, 9], 10) == [4, 1, 5]
    # 0.1 + 0.2 is not 0.3, by one bit.
    assert shares([0.3, 0.1 + 0.2], [9, 9], 1) == [1, 0]
    assert shares([0.1 + 0.2, 0.3], [9, 9], 1) == [1, 0]


def naive_shares(
    weights: list[Fraction], capacity: list[int], budget: int, least: int
) -> list[int]:
    """In exact fractions, one instance at a time."""
    held: dict[int, int] = {}
    while True:
        result = dict(held)
        rest = [j for j in range(len(weights)) if j not in held]
        result |= naive_proportional({j: weights[j] for j in rest}, capacity, budget, held)
        under = [j for j in rest if result[j] < min(least, capacity[j])]
        if not under:
            return [result[j] for j in range(len(weights))]
        held |= {j: min(least, capacity[j]) for j in under}


def naive_proportional(
    weights: dict[int, Fraction], capacity: list[int], budget: int, held: dict[int, int]
) -> dict[int, int]:
    result = dict.fromkeys(weights, 0)
    while left := budget - sum(held.values()) - sum(result.values()):
        room = {j: w for j, w in weights.items() if result[j] < capacity[j]}
        if not any(room.values()):
            room = dict.fromkeys(room, Fraction(1))
        quota = {j: w / sum(room.values()) * left for j, w in room.items()}
        asked = {j: q.numerator // q.denominator for j, q in quota.items()}
        by_remainder = sorted(quota, key=lambda j: (asked[j] - quota[j], j))
        for j in by_remainder[: left - sum(asked.values())]:
            asked[j] += 1
        for j in room:
            result[j] = min(capacity[j], result[j] + asked[j])
    return result


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_equal_naive(data: st.DataObject) -> None:
    pair = st.tuples(st.integers(0, 12), st.integers(0, 12))
    pairs = data.draw(st.lists(pair, min_size=1, max_size=8))
    sizes, capacity = [a for a, _ in pairs], [b for _, b in pairs]
    budget = data.draw(st.integers(0, sum(capacity)))
    most = max(m for m in range(14) if sum(min(m, c) for c in capacity) <= budget)
    least = data.draw(st.integers(0, most))
    expected = naive_shares([Fraction(s) for s in sizes], capacity, budget, least)
    assert shares(sizes, capacity, budget, least) == expected
    # As floats that are no whole multiples of a power of two, with the same ties.
    floats = [s / 7 / max(1, sum(sizes)) for s in sizes]
    assert shares(floats, capacity, budget, least) == expected
    assert sum(expected) == budget
    assert all(min(least, c) <= s <= c for s, c in zip(expected, capacity, strict=True))


def test_equal_shares_and_given_weights() -> None:
    labels = [0, 0, 0, 0, 0, 0, 2, 2, 2]

    def given_by(share: str, weights: list[float] | None = None) -> list[int]:
        pool = clustered(labels, k=4, weights=weights)
        groups, result = share_out(pool, 5, share, 0)  # pyright: ignore[reportArgumentType]
        assert [len(rows) for rows in groups] == [6, 0, 3, 0]
        return result.tolist()

    assert given_by("proportional") == [3, 0, 2, 0]  # 3.3 and 1.7
    assert given_by("equal") == [3, 0, 2, 0]  # 2.5 each, the tie to the lowest
    weights = [0.2, 0.3, 0.3, 0.2]
    # The empty clusters' half goes to the others: 2 to 3.
    assert given_by("proportional", weights=weights) == [2, 0, 3, 0]
    assert given_by("equal", weights=weights) == [2, 0, 3, 0]


def test_taken_instances_weigh_in_a_clusters_size_but_cannot_be_given() -> None:
    pool = clustered([0, 0, 0, 0, 1, 1, 1, 1, 2, 2], selected=[0, 1, 2, 9])
    groups, result = share_out(pool, 5, "proportional", 0)
    assert [rows.tolist() for rows in groups] == [[3], [4, 5, 6, 7], [8]]
    # 2, 2, 1 by size; the first has 1 left, and what it lacks goes to the second.
    assert result.tolist() == [1, 3, 1]


@pytest.mark.parametrize(
    ("least", "named"),
    [
        (3, "min_per_cluster is 3: 3 clusters need 8 instances; the budget is 7"),
        (-1, "min_per_cluster is -1; needed: a whole number, 0 or more"),
        (1.5, "min_per_cluster is 1.5; needed: a whole number"),
    ],
)
def test_bad_minimum(least: int, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        shares([5, 0, 4, 2], [5, 0, 4, 2], 7, least)


@pytest.mark.parametrize(
    ("weights", "named"),
    [
        ([0.5, 0.5], r"cluster_weights have shape \(2,\); needed: \(3,\)"),
        ([0.5, -0.1, 0.6], "the weight of cluster 1 is -0.1"),
        ([0.5, 0.5, np.nan], "the weight of cluster 2 is nan"),
    ],
)
def test_bad_weights(weights: list[float], named: str) -> None:
    pool = clustered([0, 1, 2], weights=weights)
    with pytest.raises(ValueError, match=named):
        share_out(pool, 2, "proportional", 0)


def test_unknown_share() -> None:
    with pytest.raises(ValueError, match="share is 'even'; the choices are proportional, equal"):
        share_out(clustered([0, 1]), 1, "even", 0)  # pyright: ignore[reportArgumentType]


def test_in_turn_by_hand() -> None:
    # Places 1/4, 3/4; 1/2; 1/8, 3/8, 5/8, 7/8; and a cluster that gives nothing.
    picks = [np.array([1, 2]), np.array([3]), np.array([], dtype=int), np.array([4, 5, 6, 7])]
    assert in_turn(picks).tolist() == [4, 1, 5, 3, 6, 2, 7]
    assert in_turn([np.array([9]), np.array([8]), np.array([7])]).tolist() == [9, 8, 7]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=6).filter(any), st.data())
def test_any_first_part_is_shared_out_as_the_whole(counts: list[int], data: st.DataObject) -> None:
    picks = [np.full(count, j) for j, count in enumerate(counts)]
    size = data.draw(st.integers(1, sum(counts)))
    first = np.bincount(in_turn(picks)[:size], minlength=len(counts))
    exact = np.array(counts) * size / sum(counts)
    # Near its share however early it ends: half an instance a cluster, carried by the others.
    assert (np.abs(first - exact) <= len(counts) / 2).all()
