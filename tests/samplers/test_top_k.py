"""top_k: the best of any score."""

import numpy as np
import pytest
from hypothesis import given, settings

from harness.samplers import SAMPLERS, Pool
from tests.helpers.sampler_pools import free_of, small_pools, take


def test_by_hand() -> None:
    quality = np.array([0.0, 2.0, 5.0, 2.0, 0.0])
    pool = Pool(np.ones((5, 1)), quality)
    # 5 first, of the two 2s the earlier, zeros last.
    assert take("top_k", pool, 5).tolist() == [2, 1, 3, 0, 4]
    assert take("top_k", pool, 1).tolist() == [2]
    going_on = Pool(pool.embeddings, quality, selected=np.array([2, 0]))
    assert take("top_k", going_on, 2).tolist() == [1, 3]


@settings(max_examples=200, deadline=None)
@given(small_pools())
def test_equals_naive(drawn: tuple[Pool, int]) -> None:
    pool, budget = drawn
    quality = pool.quality
    assert quality is not None
    expected = sorted(free_of(pool), key=lambda i: (-quality[i], i))[:budget]
    assert take("top_k", pool, budget).tolist() == expected


def test_all_zero_is_said() -> None:
    pool = Pool(np.ones((4, 1)), np.array([0.0, 0.0, 9.0, 0.0]), selected=np.array([2]))
    with pytest.warns(UserWarning, match="every quality is zero"):
        picks = SAMPLERS["top_k"](pool, 2, np.random.default_rng(0))
    assert picks.tolist() == [0, 1]


@pytest.mark.parametrize("key", ["top_k", "deita", "qdit"])
def test_ties_at_the_cut_are_warned_of(key: str) -> None:
    params = {"quality_weight": 1.0} if key == "qdit" else {}
    x = np.eye(6, dtype=np.float32)
    pool = Pool(x, np.array([0.25, 0.75, 0.5, 0.5, 0.5, 0.9]), selected=np.array([5]))
    rng = np.random.default_rng(0)
    message = "3 rows share the quality at the cut, 0.5; taken of them, in the pool's order: 2;"
    with pytest.warns(UserWarning, match=message):
        picks = SAMPLERS[key](pool, 3, rng, **params)
    assert picks.tolist() == [1, 2, 3]
    # Where all or none of them fit, the quality decides; a warning would be an error here.
    for budget in (1, 4, 5):
        SAMPLERS[key](pool, budget, rng, **params)
