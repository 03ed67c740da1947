"""Every sampler keeps the contract, and equals a naive reference or a case worked by hand."""

import subprocess
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.samplers import SAMPLERS, Pool
from harness.samplers.shares import proportional_shares


def make_pool(n: int, seed: int = 0, k: int = 5, taken: int = 0) -> Pool:
    """A pool of unit vectors with duplicates, clusters of very unequal size, and taken rows."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 6)).astype(np.float32)
    x[n // 2] = x[0]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    labels = np.minimum(rng.geometric(0.4, n) - 1, k - 1).astype(np.int64)
    centroids = rng.normal(size=(k, 6)).astype(np.float32)
    selected = rng.choice(n, taken, replace=False).astype(np.int64)
    return Pool(x, rng.random(n), (labels, centroids), None, selected)


@pytest.mark.parametrize("key", SAMPLERS)
@pytest.mark.parametrize(("n", "taken"), [(1, 0), (2, 1), (17, 0), (40, 9)])
def test_conformance(key: str, n: int, taken: int) -> None:
    pool = make_pool(n, taken=taken)
    before = pool.embeddings.copy()
    for budget in {1, (n - taken + 1) // 2, n - taken}:
        picks = SAMPLERS[key](pool, budget, np.random.default_rng(7))
        again = SAMPLERS[key](pool, budget, np.random.default_rng(7))
        assert picks.dtype == np.int64
        assert picks.shape == (budget,)
        assert len(set(picks.tolist())) == budget
        assert not set(picks.tolist()) & set(pool.selected.tolist())
        assert picks.min() >= 0
        assert picks.max() < n
        np.testing.assert_array_equal(picks, again)
    np.testing.assert_array_equal(pool.embeddings, before)


@pytest.mark.parametrize("key", SAMPLERS)
@pytest.mark.parametrize("budget", [0, -1, 16, 1000])
def test_budget_out_of_bounds(key: str, budget: int) -> None:
    with pytest.raises(ValueError, match=rf"budget is {budget}; it must be 1 to 15") as error:
        SAMPLERS[key](make_pool(20, taken=5), budget, np.random.default_rng(0))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", SAMPLERS)
@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0])
def test_bad_embedding_row(key: str, value: float) -> None:
    pool = make_pool(10)
    pool.embeddings[3] = value
    with pytest.raises(ValueError, match="row 3"):
        SAMPLERS[key](pool, 2, np.random.default_rng(0))


@pytest.mark.parametrize("key", SAMPLERS)
@pytest.mark.parametrize(("selected", "named"), [([10], "10"), ([-1], "-1"), ([2, 4, 2], "2")])
def test_bad_selected(key: str, selected: list[int], named: str) -> None:
    pool = make_pool(10)
    bad = Pool(pool.embeddings, pool.quality, pool.clusters, None, np.array(selected))
    with pytest.raises(ValueError, match=f"selected holds {named}"):
        SAMPLERS[key](bad, 1, np.random.default_rng(0))


def test_km_random_without_clusters() -> None:
    pool = Pool(make_pool(10).embeddings)
    with pytest.raises(ValueError, match="needs clusters"):
        SAMPLERS["km_random"](pool, 2, np.random.default_rng(0))


def test_k_center_unknown_start() -> None:
    with pytest.raises(ValueError, match="the choices are mean, random"):
        SAMPLERS["k_center"](make_pool(10), 2, np.random.default_rng(0), start="first")


def test_k_center_by_hand() -> None:
    # On a line at 0, 1, 2, 10: the mean is 3.25, so 2 is first; then 10, then 0 (2 away), then 1.
    x = np.array([[0.0, 1], [1, 1], [2, 1], [10, 1]], dtype=np.float32)
    picks = SAMPLERS["k_center"](Pool(x), 4, np.random.default_rng(0))
    assert picks.tolist() == [2, 3, 0, 1]
    going_on = Pool(x, selected=np.array([3]))
    assert SAMPLERS["k_center"](going_on, 2, np.random.default_rng(0)).tolist() == [0, 2]


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


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 20), st.data())
def test_k_center_equals_naive(n: int, data: st.DataObject) -> None:
    # Small whole numbers: many exact ties, and float32 is exact, so equality must be too.
    cell = st.integers(-2, 2)
    rows = data.draw(st.lists(st.tuples(cell, cell, st.just(1)), min_size=n, max_size=n))
    x = np.array(rows, dtype=np.float32)
    taken = data.draw(st.lists(st.integers(0, n - 1), unique=True, max_size=n - 1))
    budget = data.draw(st.integers(1, n - len(taken)))
    pool = Pool(x, selected=np.array(taken, dtype=np.int64))
    picks = SAMPLERS["k_center"](pool, budget, np.random.default_rng(0))
    assert picks.tolist() == naive_k_center(x.astype(float), taken, budget)


def test_shares_by_hand() -> None:
    def shares(sizes: list[int], room: list[int], budget: int) -> list[int]:
        return proportional_shares(np.array(sizes), np.array(room), budget).tolist()

    # 10 over 5:3:2 is exact; 4 over it is 2.0, 1.2, 0.8: the largest remainder takes the last.
    assert shares([5, 3, 2], [5, 3, 2], 10) == [5, 3, 2]
    assert shares([5, 3, 2], [5, 3, 2], 4) == [2, 1, 1]
    # Equal remainders: the lowest clusters first.
    assert shares([1, 1, 1], [1, 1, 1], 2) == [1, 1, 0]
    # What the first cannot give goes to the others in proportion: 4 more over 3:2.
    assert shares([5, 3, 2], [1, 9, 9], 10) == [1, 5, 4]


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=12), st.data()
)
def test_shares_sum_and_fit(pairs: list[tuple[int, int]], data: st.DataObject) -> None:
    sizes = np.array([a for a, _ in pairs])
    capacity = np.minimum(sizes, np.array([b for _, b in pairs]))
    budget = data.draw(st.integers(0, int(capacity.sum())))
    shares = proportional_shares(sizes, capacity, budget)
    assert shares.sum() == budget
    assert (shares >= 0).all()
    assert (shares <= capacity).all()
    if budget and (budget * sizes <= capacity * sizes.sum()).all():
        # No cluster is short: each share is within one of its exact proportion.
        assert (np.abs(shares - budget * sizes / sizes.sum()) < 1).all()


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 60), st.integers(0, 10_000), st.data())
def test_km_random_takes_its_shares(n: int, seed: int, data: st.DataObject) -> None:
    pool = make_pool(n, seed=seed)
    assert pool.clusters is not None
    labels = pool.clusters[0]
    budget = data.draw(st.integers(1, n))
    picks = SAMPLERS["km_random"](pool, budget, np.random.default_rng(seed))
    sizes = np.bincount(labels, minlength=5)
    shares = proportional_shares(sizes, sizes, budget)
    np.testing.assert_array_equal(np.bincount(labels[picks], minlength=5), shares)


def test_random_is_uniform() -> None:
    pool = make_pool(10, taken=2)
    rng = np.random.default_rng(3)
    counts = np.zeros(10)
    for _ in range(4000):
        counts[SAMPLERS["random"](pool, 2, rng)] += 1
    free = np.delete(counts, pool.selected)
    # 1000 expected of each of 8, binomial deviation 27: five of them on either side.
    assert (np.abs(free - 1000) < 137).all()


def test_samplers_import_fast() -> None:
    heavy = "{'torch', 'sklearn', 'pandas'}"
    code = f"import harness.samplers, sys; print(sorted({heavy} & set(sys.modules)))"
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        seconds.append(time.perf_counter() - start)
    assert done.stdout.strip() == "[]"
    assert min(seconds) < 0.5
