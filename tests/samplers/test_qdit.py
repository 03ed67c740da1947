"""qdit: greedy on gain and quality, by gains that are kept exact from pick to pick."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.samplers import SAMPLERS, Pool
from tests.helpers.sampler_pools import clusters, small_pools, take

# What is held at once of a pool's similarities is a matter of its size: both ways must be right.
both_ways = pytest.mark.parametrize("held", [True, False])


@contextmanager
def way(held: bool) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.samplers.kernels.qdit_held.fits", lambda _: held)
        yield


WEIGHTS = st.sampled_from([0.0, 0.25, 0.5, 0.75, 1.0])

# Similarities: 1 with 0 and 2 a half, 3 with all below 0 or 0, 0 with 2 none.
BY_HAND = np.array([[1, 1, 1, 1], [1, 1, 1, -1], [1, 1, -1, -1], [-1, -1, -1, -1]]) / 2
QUALITY = np.array([0.0, 2.0, 4.0, 4.0])  # scaled: 0, 0.5, 1, 1


def by_hand(selected: tuple[int, ...] = ()) -> Pool:
    x = BY_HAND.astype(np.float32)
    return Pool(x, QUALITY, selected=np.array(selected, dtype=np.int64))


def test_by_hand_facility_location() -> None:
    # Gains 1.5, 2, 1.5, 1: 1 is first. Then 0.5, -, 0.5, 1: 3. Then 0 and 2 tie at 0.5.
    pool = by_hand()
    assert take("qdit", pool, 4, quality_weight=0.0).tolist() == [1, 3, 0, 2]
    assert take("qdit", replace(pool, quality=None), 4, quality_weight=0.0).tolist() == [1, 3, 0, 2]
    # With 0 taken, bests are 1, 0.5, 0, 0: 1 adds 1, 2 adds 1, 3 adds 1.
    assert take("qdit", by_hand((0,)), 3, quality_weight=0.0).tolist() == [1, 3, 2]


def test_by_hand_with_quality() -> None:
    # Twice the objective: 1.5, 2.5, 2.5, 2: 1 is first. Then 0.5, -, 1.5, 2: 3. Then 2.
    assert take("qdit", by_hand(), 4).tolist() == [1, 3, 2, 0]
    # Of the mean: 0.375, 1, 1.375, 1.25: 2 is first. Then 0.25, 0.75, -, 1.25: 3. Then 1.
    assert take("qdit", by_hand(), 4, diversity="mean").tolist() == [2, 3, 1, 0]
    # Of 0.25 * gain + 0.75 * quality, four times: 1.5, 3.5, 4.5, 4: 2. Then 1, 2.5, -, 4: 3.
    assert take("qdit", by_hand(), 3, quality_weight=0.75).tolist() == [2, 3, 1]


def naive_objective(
    pool: Pool, taken: list[int], a: float, diversity: str = "sum"
) -> dict[int, float]:
    """Straight from the formula in float64, for each instance not taken."""
    x = pool.embeddings.astype(np.float64)
    n = len(x)
    scaled = np.zeros(n)
    if pool.quality is not None and np.ptp(pool.quality) > 0:
        scaled = (pool.quality - pool.quality.min()) / np.ptp(pool.quality)
    similar = np.maximum(x @ x.T, 0)
    best = similar[taken].max(axis=0, initial=0)
    weight = (1 - a) / n if diversity == "mean" else 1 - a
    return {
        j: weight * np.maximum(similar[j] - best, 0).sum() + a * scaled[j]
        for j in range(n)
        if j not in taken
    }


@both_ways
@settings(max_examples=300, deadline=None)
@given(small_pools(), WEIGHTS, st.sampled_from(["sum", "mean"]))
def test_equals_naive(held: bool, drawn: tuple[Pool, int], a: float, diversity: str) -> None:
    # The similarities are whole halves: every sum is exact, so ties are, and equality must be.
    pool, budget = drawn
    taken = pool.selected.tolist()
    for _ in range(budget):
        objective = naive_objective(pool, taken, a, diversity)
        taken.append(max(objective, key=lambda j: (objective[j], -j)))
    with way(held):
        picks = take("qdit", pool, budget, quality_weight=a, diversity=diversity)
    assert picks.tolist() == taken[len(pool.selected) :]


def check_each_is_best(pool: Pool, picks: np.ndarray, a: float) -> None:
    """No instance is better, but for rounding, than the one picked; of duplicates the first is."""
    assert pool.quality is not None
    taken = pool.selected.tolist()
    rows = [
        (*row, quality) for row, quality in zip(pool.embeddings.tolist(), pool.quality, strict=True)
    ]
    for pick in picks.tolist():
        objective = naive_objective(pool, taken, a)
        assert objective[pick] >= max(objective.values()) - 1e-6
        assert pick == min(j for j in objective if rows[j] == rows[pick])
        taken.append(pick)


@both_ways
@settings(max_examples=150, deadline=None)
@given(st.integers(1, 30), st.integers(2, 9), st.integers(0, 10_000), WEIGHTS, st.data())
def test_each_is_the_best(
    held: bool, n: int, d: int, seed: int, a: float, data: st.DataObject
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, d)) + rng.choice([0, 3])
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    copies = rng.integers(0, n, n) * (rng.random(n) < 0.3)
    quality = rng.random(n) * rng.integers(0, 2, n)
    x, quality = (
        np.where(copies[:, None] > 0, x[copies], x),
        np.where(copies > 0, quality[copies], quality),
    )
    taken = data.draw(st.integers(0, n - 1))
    pool = Pool(x, quality, selected=rng.choice(n, taken, replace=False))
    budget = data.draw(st.sampled_from([1, n - taken, (n - taken + 1) // 2]))
    with way(held):
        picks = take("qdit", pool, budget, quality_weight=a)
    check_each_is_best(pool, picks, a)


@both_ways
@pytest.mark.parametrize("n", [383, 384, 385, 600])
def test_each_is_the_best_in_larger_pools(held: bool, n: int) -> None:
    quality = np.random.default_rng(1).integers(0, 4, n).astype(float)
    pool = Pool(clusters(n), quality, selected=np.array([3, n - 1]))
    for a in (0.0, 0.5, 0.9):
        with way(held):
            picks = take("qdit", pool, 40, quality_weight=a)
        check_each_is_best(pool, picks, a)


@settings(max_examples=60, deadline=None)
@given(small_pools())
def test_a_weight_of_one_is_top_k(drawn: tuple[Pool, int]) -> None:
    pool, budget = drawn
    picks = take("qdit", pool, budget, quality_weight=1.0)
    assert picks.tolist() == take("top_k", pool, budget).tolist()


def test_quality_that_is_equal_everywhere_decides_nothing() -> None:
    pool = Pool(clusters(100), np.full(100, 0.7))
    bare = take("qdit", pool, 30, quality_weight=0.0).tolist()
    rng = np.random.default_rng(0)
    assert SAMPLERS["qdit"](pool, 30, rng).tolist() == bare
    with pytest.warns(UserWarning, match="every quality is zero; it decides nothing"):
        assert SAMPLERS["qdit"](replace(pool, quality=np.zeros(100)), 30, rng).tolist() == bare


def test_lengths_within_the_tolerance_change_nothing() -> None:
    x = np.unique(clusters(80, spread=2.0), axis=0)  # a copy of another length is no duplicate
    factor = np.random.default_rng(0).uniform(0.9991, 1.0009, (len(x), 1)).astype(np.float32)
    picks = take("qdit", Pool(x), 60, quality_weight=0.0)
    scaled = take("qdit", Pool(x * factor), 60, quality_weight=0.0)
    assert scaled.tolist() == picks.tolist()


@both_ways
def test_the_whole_pool_and_nothing_twice(held: bool) -> None:
    x = clusters(500)
    with way(held):
        picks = take("qdit", Pool(x), 500, quality_weight=0.0)
    assert sorted(picks.tolist()) == list(range(500))
    # Copies of what is taken add nothing, to the last bit: they come last, by index.
    places = len(np.unique(x, axis=0))
    assert places < 480
    assert len(np.unique(x[picks[:places]], axis=0)) == places
    assert (np.diff(picks[places:]) > 0).all()


@pytest.mark.parametrize("value", [-0.1, 1.5, float("nan")])
def test_quality_weight_out_of_bounds(value: float) -> None:
    with pytest.raises(ValueError, match=f"quality_weight is {value}; it must be 0 to 1"):
        take("qdit", by_hand(), 1, quality_weight=value)


def test_unknown_diversity() -> None:
    with pytest.raises(ValueError, match="diversity is 'max'; the choices are sum, mean"):
        take("qdit", by_hand(), 1, diversity="max")
