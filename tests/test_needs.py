"""What a sampler is said to need is what it reads."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.samplers import NEEDS, SAMPLERS, SPARED, needs_of
from tests.sampler_pools import make_pool, take
from tests.test_samplers import check_picks, refused


def test_every_sampler_says_what_it_needs() -> None:
    assert set(NEEDS) == set(SAMPLERS)
    assert set().union(*NEEDS.values()) <= {"embeddings", "unit", "clusters", "quality"}


@pytest.mark.parametrize("key", SAMPLERS)
def test_what_a_sampler_needs(key: str) -> None:
    """It either asks for quality, clusters and unit length, or does not look at them."""
    pool = make_pool(30)
    picks = take(key, pool, 10).tolist()
    for need, bare in (
        ("quality", replace(pool, quality=None)),
        ("clusters", replace(pool, clusters=None)),
    ):
        if need in NEEDS[key]:
            assert f"needs {need}" in refused(key, bare)
        else:
            assert take(key, bare, 10).tolist() == picks
    others = replace(pool, embeddings=pool.embeddings[::-1].copy())
    assert (take(key, others, 10).tolist() != picks) == ("embeddings" in NEEDS[key])
    longer = replace(pool, embeddings=pool.embeddings * np.float32(2))
    if "unit" in NEEDS[key]:
        assert "embeddings row 0 has length 2, not 1" in refused(key, longer)
    else:
        check_picks(take(key, longer, 10), longer, 10)


@pytest.mark.parametrize(("key", "need"), SPARED)
def test_a_knob_spares_a_sampler_a_need(key: str, need: str) -> None:
    given: dict[str, Any] = dict([SPARED[key, need]])
    pool = make_pool(30)
    picks = take(key, replace(pool, **{need: None}), 10, **given)
    assert picks.tolist() == take(key, pool, 10, **given).tolist()
    assert need not in needs_of(key, given)
    assert need in needs_of(key, {}), "the default needs it"
