"""qdit's threads: how many it starts, and that they change nothing."""

import inspect
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from harness.samplers import SAMPLERS, Pool
from tests.helpers.sampler_pools import clusters as pool_rows
from tests.helpers.sampler_pools import take


def test_threads_change_no_pick(monkeypatch: pytest.MonkeyPatch) -> None:
    from numba import config

    pool = Pool(pool_rows(1500, spread=1.0), np.random.default_rng(0).random(1500))
    results = []
    for threads in (1, 2, 5):
        monkeypatch.setattr(config, "NUMBA_NUM_THREADS", threads)
        results.append(take("qdit", pool, 200, quality_weight=0.1).tolist())
    assert results[0] == results[1] == results[2]


def threads_of(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many threads qdit starts for a pool."""
    import concurrent.futures

    seen: list[int] = []

    def counted(threads: int) -> ThreadPoolExecutor:
        seen.append(threads)
        return ThreadPoolExecutor(threads)

    monkeypatch.setattr(concurrent.futures, "ThreadPoolExecutor", counted)
    take("qdit", pool, 3, quality_weight=0.0)
    return seen[0]


def test_threads_are_those_of_the_pool_within_half_a_gigabyte(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from numba import config

    module = inspect.getmodule(SAMPLERS["qdit"].function)
    monkeypatch.setattr(config, "NUMBA_NUM_THREADS", 64)
    pool = Pool(pool_rows(1500))
    assert threads_of(pool, monkeypatch) == 64
    assert threads_of(replace(pool, threads=1), monkeypatch) == 1
    assert threads_of(replace(pool, threads=3), monkeypatch) == 3
    # Four bytes for each of 384 instances and every one of the pool, up to a whole block.
    monkeypatch.setattr(module, "BUFFERS", 5 * 4 * 384 * (1500 + 384))
    assert threads_of(pool, monkeypatch) == 5
    monkeypatch.setattr(module, "BUFFERS", 1)
    assert threads_of(pool, monkeypatch) == 1
