"""Every sampler keeps the contract: what goes in, what comes out, and what is refused."""

import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from harness.samplers import SAMPLERS, Pool
from tests.helpers.sampler_pools import check_picks, make_pool, refused, small_pools, take

BY_CHANCE = {key for key, entry in SAMPLERS.items() if entry.chance}


def needing(need: str) -> list[str]:
    """The samplers that are said to need that."""
    return [key for key, entry in SAMPLERS.items() if need in entry.needs]


@pytest.mark.parametrize("key", SAMPLERS)
@pytest.mark.parametrize(("n", "taken"), [(1, 0), (2, 1), (17, 0), (40, 9), (600, 50)])
def test_picks(key: str, n: int, taken: int) -> None:
    pool = make_pool(n, taken=taken)
    for budget in {1, (n - taken + 1) // 2, n - taken}:
        picks = take(key, pool, budget, 7)
        check_picks(picks, pool, budget)
        np.testing.assert_array_equal(picks, take(key, pool, budget, 7))


@pytest.mark.parametrize("key", SAMPLERS)
@settings(max_examples=60, deadline=None)
@given(drawn=small_pools())
def test_picks_of_awkward_pools(key: str, drawn: tuple[Pool, int]) -> None:
    pool, budget = drawn
    check_picks(take(key, pool, budget), pool, budget)


@pytest.mark.parametrize("key", SAMPLERS)
def test_nothing_but_the_generator_decides(key: str) -> None:
    pool = make_pool(60, taken=5)
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state(legacy=False)  # noqa: NPY002
    picks = take(key, pool, 20, 3)
    after = np.random.get_state(legacy=False)  # noqa: NPY002
    np.testing.assert_equal(before, after)
    np.random.seed(2)  # noqa: NPY002
    np.testing.assert_array_equal(take(key, pool, 20, 3), picks)
    others = [take(key, pool, 20, seed).tolist() for seed in range(4, 8)]
    alike = [other == picks.tolist() for other in others]
    assert all(alike) if key not in BY_CHANCE else not any(alike)


@pytest.mark.parametrize("key", sorted(set(SAMPLERS) - BY_CHANCE))
def test_deterministic_ones_leave_the_generator_alone(key: str) -> None:
    rng = np.random.default_rng(0)
    SAMPLERS[key](make_pool(60), 5, rng)
    assert rng.bit_generator.state == np.random.default_rng(0).bit_generator.state


@pytest.mark.parametrize("key", SAMPLERS)
@pytest.mark.parametrize("budget", [0, -1, 16, 1000, 2.5])
def test_budget_out_of_bounds(key: str, budget: int) -> None:
    message = refused(key, make_pool(20, taken=5), budget)
    assert message.startswith(f"budget is {budget}; it must be 1 to 15")


@pytest.mark.parametrize("key", SAMPLERS)
def test_nothing_left_to_take(key: str) -> None:
    assert "it must be 1 to 0" in refused(key, make_pool(3, taken=3), 1)


@pytest.mark.parametrize("key", SAMPLERS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 0.0])
def test_bad_embedding_row(key: str, value: float) -> None:
    pool = make_pool(10)
    pool.embeddings[3] = value
    assert "embeddings row 3" in refused(key, pool)


@pytest.mark.parametrize("key", SAMPLERS)
def test_no_embeddings(key: str) -> None:
    assert "embeddings have shape (0, 6)" in refused(key, Pool(np.empty((0, 6))))
    assert "embeddings have shape (4,)" in refused(key, Pool(np.ones(4)))


@pytest.mark.parametrize("key", SAMPLERS)
@pytest.mark.parametrize(
    ("selected", "named"),
    [
        ([10], "selected holds 10; the pool's indices are 0 to 9"),
        ([-1], "selected holds -1"),
        ([2, 4, 2], "selected holds 2 more than once"),
        ([0.0], "selected is float64"),
        ([[1]], "selected is int64 of shape (1, 1)"),
    ],
)
def test_bad_selected(key: str, selected: list, named: str) -> None:
    assert named in refused(key, replace(make_pool(10), selected=np.array(selected)), 1)


@pytest.mark.parametrize("key", needing("quality"))
@pytest.mark.parametrize("value", [-0.5, np.nan, np.inf])
def test_bad_quality(key: str, value: float) -> None:
    pool = make_pool(10)
    assert pool.quality is not None
    pool.quality[3] = value
    assert f"quality of row 3 is {value}; it must be" in refused(key, pool)
    wrong = replace(pool, quality=np.ones(9))
    assert "quality has shape (9,); needed: (10,)" in refused(key, wrong)


@pytest.mark.parametrize("key", needing("quality"))
def test_zero_quality_everywhere_or_nearly(key: str) -> None:
    pool = make_pool(20, taken=4)
    free = pool.free()
    for positive in ([], [3], [3, 11]):
        quality = np.zeros(20)
        quality[free[positive]] = 1.0
        zero = replace(pool, quality=quality)
        for budget in (1, 10, 16):
            check_picks(take(key, zero, budget), zero, budget)


@pytest.mark.parametrize("key", needing("clusters"))
def test_bad_clusters(key: str) -> None:
    pool = make_pool(10)
    assert pool.clusters is not None
    labels, centroids = pool.clusters

    def line(labels: np.ndarray, centroids: np.ndarray) -> str:
        return refused(key, replace(pool, clusters=(labels, centroids)))

    assert "labels are int64 of shape (9,); needed: integers, (10,)" in line(labels[:9], centroids)
    assert "labels are float64" in line(labels.astype(float), centroids)
    assert "centroids have shape (5, 4); needed: (k, 6)" in line(labels, centroids[:, :4])
    assert "cluster labels go from -1" in line(np.where(labels == 0, -1, labels), centroids)
    assert "cluster labels go from 0 to 5; k is 5" in line(np.arange(10) % 6, centroids)
    holed = centroids.copy()
    holed[1, 2] = np.nan
    assert "the centroid of cluster 1 holds NaN" in line(labels, holed)
    # Of an empty cluster it says nothing: nothing is near it.
    without = replace(pool, clusters=(np.where(labels == 1, 0, labels), holed))
    check_picks(take(key, without, 5), without, 5)


@pytest.mark.parametrize("key", SAMPLERS)
def test_inputs_may_be_read_only_and_are_left_as_they_were(key: str, tmp_path: Path) -> None:
    pool = make_pool(40, taken=5)
    assert pool.quality is not None
    assert pool.clusters is not None
    arrays = [pool.embeddings, pool.quality, *pool.clusters, pool.selected]
    mapped = []
    for i, array in enumerate(arrays):
        np.save(tmp_path / f"{i}.npy", array)
        mapped.append(np.load(tmp_path / f"{i}.npy", mmap_mode="r"))
    frozen = Pool(mapped[0], mapped[1], (mapped[2], mapped[3]), None, mapped[4])
    np.testing.assert_array_equal(take(key, frozen, 20, 3), take(key, pool, 20, 3))
    for i, array in enumerate(arrays):
        np.testing.assert_array_equal(np.load(tmp_path / f"{i}.npy"), array)


@pytest.mark.parametrize("key", SAMPLERS)
def test_the_layout_of_the_numbers_decides_nothing(key: str) -> None:
    pool = make_pool(40, taken=5)
    picks = take(key, pool, 20, 3)
    strided = np.repeat(pool.embeddings, 2, axis=1)[:, ::2]
    for embeddings in (
        np.asfortranarray(pool.embeddings),
        strided,
        pool.embeddings.astype(np.float64),
        pool.embeddings.astype(">f4"),
    ):
        other = replace(pool, embeddings=embeddings)
        np.testing.assert_array_equal(take(key, other, 20, 3), picks)
    assert not strided.flags.c_contiguous


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
    heavy = "{'torch', 'sklearn', 'pandas', 'numba', 'scipy'}"
    code = f"import harness.samplers, sys; print(sorted({heavy} & set(sys.modules)))"
    seconds = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Of the processor, not of the clock: other tests run beside this one.
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert done.stdout.strip() == "[]"
    assert min(seconds) < 0.5
