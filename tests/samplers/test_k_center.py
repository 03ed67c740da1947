"""k_center: the farthest from all that is taken, by rounds that skip most of the distances."""

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.samplers import Pool
from tests.helpers.sampler_pools import free_of, take


def pool_of(rows: list[list[float]], selected: tuple[int, ...] = ()) -> Pool:
    return Pool(np.array(rows, dtype=np.float32), selected=np.array(selected, dtype=np.int64))


def test_by_hand() -> None:
    # On a line at 0, 1, 2, 10: the mean is 3.25, so 2 is first; then 10, then 0 (2 away), then 1.
    rows = [[0.0, 1.0], [1, 1], [2, 1], [10, 1]]
    assert take("k_center", pool_of(rows), 4).tolist() == [2, 3, 0, 1]
    assert take("k_center", pool_of(rows, (3,)), 2).tolist() == [0, 2]


def test_by_hand_in_space() -> None:
    # From (1, 0, 0): its opposite is at 2, the others at the square root of 2.
    rows = [[1.0, 0, 0], [0, 1, 0], [-1, 0, 0], [0, 0, 1], [0, 0.9, 0.1]]
    picks = take("k_center", pool_of(rows, (0,)), 4)
    # (0, 1, 0) and (0, 0, 1) tie; then the last is 0.14 from the first of them.
    assert picks.tolist() == [2, 1, 3, 4]


def test_duplicates_come_last_and_by_index() -> None:
    rows = [[3.0, 1], [0, 1], [3, 1], [0, 1], [3, 1], [1, 1]]
    # The mean is (1.67, 1): (1, 1) is nearest it. The two places left, then their copies.
    assert take("k_center", pool_of(rows), 6).tolist() == [5, 0, 1, 2, 3, 4]
    same = pool_of([[1.0, 2]] * 5, (3,))
    assert take("k_center", same, 4).tolist() == [0, 1, 2, 4]


def test_starts_at_random_on_request_if_nothing_is_selected() -> None:
    pool = pool_of([[float(i), 1] for i in range(12)])
    firsts = {int(take("k_center", pool, 1, seed, start="random")[0]) for seed in range(60)}
    assert len(firsts) > 6
    going_on = Pool(pool.embeddings, selected=np.array([0]))
    assert take("k_center", going_on, 1, start="random").tolist() == [11]


def test_unknown_start() -> None:
    with pytest.raises(ValueError, match="start is 'first'; the choices are mean, random"):
        take("k_center", pool_of([[1.0], [2]]), 1, start="first")


def naive_k_center(x: np.ndarray, taken: list[int], budget: int) -> list[int]:
    """Straight from the definition: every distance, every time."""
    picks: list[int] = []
    if not taken:
        mean = x.mean(axis=0)
        picks.append(int(np.argmin([((row - mean) ** 2).sum() for row in x])))
    while len(picks) < budget:
        done = taken + picks
        radius = [
            -1.0 if i in done else min(((x[i] - x[j]) ** 2).sum() for j in done)
            for i in range(len(x))
        ]
        picks.append(int(np.argmax(radius)))
    return picks


@st.composite
def grid_pools(draw: st.DrawFn) -> tuple[Pool, int]:
    """Small whole numbers, exact in float32 and in float64: many duplicates and exact ties."""
    n = draw(st.integers(1, 20))
    cell = st.integers(-2, 2)
    rows = draw(st.lists(st.tuples(cell, cell, st.just(1)), min_size=n, max_size=n))
    selected = draw(st.lists(st.integers(0, n - 1), unique=True, max_size=n - 1))
    free = n - len(selected)
    budget = draw(st.one_of(st.just(1), st.just(free), st.integers(1, free)))
    x = np.array(rows, dtype=np.float32)
    return Pool(x, selected=np.array(selected, dtype=np.int64)), budget


@settings(max_examples=250, deadline=None)
@given(grid_pools(), st.integers(1, 25))
def test_equals_naive(drawn: tuple[Pool, int], candidates: int) -> None:
    pool, budget = drawn
    module = import_module("harness.samplers.k_center")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CANDIDATES", candidates)
        picks = take("k_center", pool, budget)
    x = pool.embeddings.astype(float)
    assert picks.tolist() == naive_k_center(x, pool.selected.tolist(), budget)


def check_each_is_farthest(pool: Pool, picks: np.ndarray) -> None:
    """No instance is farther, but for rounding, from all taken before than the one picked."""
    x = pool.embeddings.astype(np.float64)
    nearest = np.full(pool.size, np.inf)
    for taken in pool.selected:
        nearest = np.minimum(nearest, ((x - x[taken]) ** 2).sum(axis=1))
    for i, pick in enumerate(picks):
        if i or len(pool.selected):
            assert nearest[pick] >= nearest[free_of(pool)].max() * (1 - 1e-6)
        nearest = np.minimum(nearest, ((x - x[pick]) ** 2).sum(axis=1))


@pytest.mark.parametrize("width", [1, 3, 4, 17])
@pytest.mark.parametrize("candidates", [25, 2048])
def test_each_is_the_farthest(width: int, candidates: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # Many rounds, and more taken than are compared at once.
    module = import_module("harness.samplers.k_center")
    monkeypatch.setattr(module, "CANDIDATES", candidates)
    rng = np.random.default_rng(width)
    x = rng.normal(size=(30, width))[rng.integers(0, 30, 900)] + 0.3 * rng.normal(size=(900, width))
    # Far from the origin, where squares would swallow the distances.
    pool = Pool((x + 100).astype(np.float32), selected=rng.choice(900, 100, replace=False))
    picks = take("k_center", pool, 300)
    assert len(set(picks.tolist()) | set(pool.selected.tolist())) == 400
    check_each_is_farthest(pool, picks)


def test_copies_of_a_pool_change_no_pick() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(400, 24)).astype(np.float32)
    first = np.array([17])
    picks = take("k_center", Pool(x, selected=first), 399)
    doubled = take("k_center", Pool(np.concatenate([x, x]), selected=first), 799)
    # Each copy ties with its original exactly and comes after everything else.
    assert doubled[:399].tolist() == picks.tolist()
    assert doubled[399:].tolist() == list(range(400, 800))
    reverse = np.concatenate([x, x])[::-1].copy()
    backwards = take("k_center", Pool(reverse, selected=799 - first), 399)
    assert backwards.tolist() == (399 - picks).tolist()


def test_budget_is_the_pool_and_nothing_twice() -> None:
    rng = np.random.default_rng(1)
    x = rng.integers(-1, 2, size=(500, 5)).astype(np.float32) + 2  # 243 places
    picks = take("k_center", Pool(x), 500)
    assert sorted(picks.tolist()) == list(range(500))
    places = len(np.unique(x, axis=0))
    assert len(np.unique(x[picks[:places]], axis=0)) == places
    assert (np.diff(picks[places:]) > 0).all()


@pytest.mark.parametrize("exponent", [-140, -83, -20, 0, 20, 83, 125])
def test_scale_changes_no_pick(exponent: int) -> None:
    x = np.random.default_rng(0).integers(-7, 8, (60, 6)).astype(np.float32)
    want = take("k_center", Pool(x), 20)
    scaled = np.ldexp(x, exponent)
    assert np.isfinite(scaled).all()
    np.testing.assert_array_equal(take("k_center", Pool(scaled), 20), want)
