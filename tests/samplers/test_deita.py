"""deita: down the quality, past what is too similar to something taken."""

from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.samplers import SAMPLERS, Pool
from tests.helpers.sampler_pools import free_of, small_pools, take


def at_angles(*degrees: float) -> np.ndarray:
    """Unit vectors in the plane."""
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_by_hand() -> None:
    # cos 20 = 0.94 and cos 40 = 0.77: 20 is too near 0, 40 is not (it is near 20, not taken).
    x = at_angles(0, 20, 40, 90)
    pool = Pool(x, np.array([4.0, 3.0, 2.0, 1.0]))
    assert take("deita", pool, 3).tolist() == [0, 2, 3]
    assert take("deita", pool, 3, threshold=0.95).tolist() == [0, 1, 2]
    assert take("deita", pool, 2, threshold=0.7).tolist() == [0, 3]
    # What was taken before counts, whatever its quality.
    going_on = Pool(x, pool.quality, selected=np.array([1]))
    assert take("deita", going_on, 1).tolist() == [3]


def test_fills_with_the_best_of_those_passed_over_and_says_how_many() -> None:
    pool = Pool(at_angles(0, 1, 2, 90, 91), np.array([1.0, 3.0, 2.0, 5.0, 4.0]))
    with pytest.warns(UserWarning, match="2 of 4 are of those passed over, above similarity 0.9"):
        picks = SAMPLERS["deita"](pool, 4, np.random.default_rng(0))
    assert picks.tolist() == [3, 1, 4, 2]


def naive_deita(pool: Pool, budget: int, threshold: float) -> list[int]:
    """Straight from the definition, one instance and one similarity at a time."""
    x, quality = pool.embeddings.astype(float), pool.quality
    assert quality is not None
    taken, passed_over = pool.selected.tolist(), []
    picks: list[int] = []
    for i in sorted(free_of(pool), key=lambda i: (-quality[i], i)):
        if any(x[i] @ x[j] > threshold for j in taken):
            passed_over.append(i)
        else:
            picks.append(i)
            taken.append(i)
    return (picks + passed_over)[:budget]


@settings(max_examples=250, deadline=None)
@given(small_pools(), st.sampled_from([-1.0, -0.5, 0.0, 0.3, 0.5, 0.9, 1.0]), st.integers(1, 5))
def test_equals_naive(drawn: tuple[Pool, int], threshold: float, block: int) -> None:
    # The similarities are whole halves: many are exactly the threshold, which is not above it.
    pool, budget = drawn
    module = import_module("harness.samplers.deita")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        patch.setattr(module, "PAIRS", 2)
        picks = take("deita", pool, budget, threshold=threshold)
    assert picks.tolist() == naive_deita(pool, budget, threshold)


@pytest.mark.parametrize("spread", [0.1, 0.5])
def test_equals_naive_over_many_blocks(spread: float) -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(60, 24))[rng.integers(0, 60, 1200)] + spread * rng.normal(size=(1200, 24))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    selected = np.array([5, 700, 1199])
    pool = Pool(x, rng.integers(0, 50, 1200).astype(float), selected=selected)
    assert take("deita", pool, 300).tolist() == naive_deita(pool, 300, 0.9)


def test_duplicates_at_a_threshold_of_one() -> None:
    # Float32 products of these rows with themselves lie on both sides of 1.
    x = np.random.default_rng(0).normal(size=(50, 384)).astype(np.float32)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    products = np.einsum("ij,ij->i", x, x)
    assert products.min() < 1 < products.max()
    pool = Pool(np.concatenate([x, x]), np.arange(100.0))
    # Nothing is above 1: the same as top_k.
    exact = SAMPLERS["deita"](pool, 100, np.random.default_rng(0), threshold=1.0)
    assert exact.tolist() == list(range(99, -1, -1))
    # One float below 1, every duplicate is above it, and nothing else.
    below = SAMPLERS["deita"](pool, 50, np.random.default_rng(0), threshold=np.nextafter(1, 0))
    assert below.tolist() == list(range(99, 49, -1))
    with pytest.warns(UserWarning, match="1 of 51 are of those passed over"):
        SAMPLERS["deita"](pool, 51, np.random.default_rng(0), threshold=np.nextafter(1, 0))


def test_no_similarity_is_above_one() -> None:
    # Exact multiples of each other (11 bits times 12 fit into float32's 24): in float64 their
    # cosine comes out on either side of 1.
    x = np.random.default_rng(0).normal(size=(200, 24))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float16).astype(np.float64)
    longer = x * (1 + 2.0**-11)
    cosine = (x * longer).sum(axis=1) / np.sqrt((x * x).sum(axis=1) * (longer**2).sum(axis=1))
    assert cosine.max() > 1
    pool = Pool(np.concatenate([x, longer]).astype(np.float32), np.arange(400.0))
    picks = SAMPLERS["deita"](pool, 400, np.random.default_rng(0), threshold=1.0)
    assert picks.tolist() == list(range(399, -1, -1))


def test_lengths_within_the_tolerance_change_nothing() -> None:
    pool = Pool(at_angles(0, 25, 50, 75), np.array([4.0, 3.0, 2.0, 1.0]))
    factor = np.array([[1.0009], [0.9991], [1.0], [1.0009]], dtype=np.float32)
    limit = float(np.cos(np.deg2rad(25.01)))  # 25 degrees are above it, but not by 0.001
    scaled = Pool(pool.embeddings * factor, pool.quality)
    for each in (pool, scaled):
        assert take("deita", each, 2, threshold=limit).tolist() == [0, 2]


@pytest.mark.parametrize("threshold", [1.01, -2.0, float("nan")])
def test_threshold_out_of_bounds(threshold: float) -> None:
    pool = Pool(at_angles(0, 90), np.ones(2))
    with pytest.raises(ValueError, match=f"threshold is {threshold}; a cosine similarity is -1"):
        SAMPLERS["deita"](pool, 1, np.random.default_rng(0), threshold=threshold)


def test_all_zero_is_said() -> None:
    pool = Pool(at_angles(0, 5, 90), np.zeros(3))
    with pytest.warns(UserWarning, match="every quality is zero"):
        picks = SAMPLERS["deita"](pool, 2, np.random.default_rng(0))
    assert picks.tolist() == [0, 2]


def test_ties_are_those_not_yet_passed_over() -> None:
    quality = np.array([2.0, 1.0, 1.0, 1.0])
    pool = Pool(at_angles(0, 5, 90, 180), quality)  # the second is too similar to the first
    message = "2 rows share the quality at the cut, 1; taken of them, in the pool's order: 1"
    with pytest.warns(UserWarning, match=message):
        assert SAMPLERS["deita"](pool, 2, np.random.default_rng(0)).tolist() == [0, 2]
    assert SAMPLERS["deita"](pool, 3, np.random.default_rng(0)).tolist() == [0, 2, 3]


def test_ties_among_those_passed_over_are_said() -> None:
    pool = Pool(at_angles(0, 1, 2, 3), np.array([2.0, 1.0, 0.5, 0.5]))
    with pytest.warns(UserWarning, match="the cut|passed over") as caught:
        assert SAMPLERS["deita"](pool, 3, np.random.default_rng(0)).tolist() == [0, 1, 2]
    messages = [str(warning.message) for warning in caught]
    assert messages[0].startswith("2 rows share the quality at the cut, 0.5;")
    assert "2 of 3 are of those passed over" in messages[1]
