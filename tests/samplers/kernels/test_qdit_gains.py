"""qdit's gains: exact after every pick, however many similarities are kept and by how many."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from harness.samplers import Pool
from tests.helpers.sampler_pools import clusters, take


@pytest.mark.parametrize("room", [None, 0, 3_000, 60_000, 100_000_000])
@pytest.mark.parametrize("taken", [0, 5])
def test_gains_are_exact(room: int | None, taken: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """After every pick they are what summing anew gives, however similarities are kept."""
    from harness.samplers.kernels import columns, qdit_gains, qdit_held, qdit_kernel

    if room is not None:
        monkeypatch.setattr(qdit_gains, "ROOM", room)
    n = 700
    units = clusters(n, spread=1.0)
    blocks = columns(units, n, qdit_kernel.LANES, 0)
    similar = np.empty((n, len(blocks) * qdit_kernel.LANES), dtype=np.int32)
    qdit_kernel.similarities(units, np.arange(n), blocks, 0, len(blocks), similar)
    assert not similar[:, n:].any()
    similar = similar[:, :n]
    exact = np.maximum(units.astype(np.float64) @ units.astype(np.float64).T, 0)
    assert np.abs(similar / qdit_kernel.ONE - exact).max() < 3e-7
    assert (similar == similar.T).all()
    rng = np.random.default_rng(2)
    order = rng.choice(n, 60, replace=False)
    best = similar[order[:taken]].max(axis=0, initial=0).astype(np.int64)
    with ThreadPoolExecutor(2) as executor:
        which = qdit_held.HeldGains if room is None else qdit_gains.Gains
        gains = which(units, order[:taken], executor)
        for pick in order[taken:]:
            expected = np.maximum(similar.astype(np.int64) - best, 0).sum(axis=1)
            np.testing.assert_array_equal(gains.gains, expected)
            gains.take(int(pick), rng.random(n))
            best = np.maximum(best, similar[pick])


def test_a_similarity_is_the_same_wherever_it_is_computed() -> None:
    from harness.samplers.kernels import qdit_kernel

    rng = np.random.default_rng(0)
    pair = rng.normal(size=(2, 384)).astype(np.float32)
    x = np.concatenate([np.repeat(pair[:1], 9, axis=0), rng.normal(size=(4, 384))]) / 20
    x = x.astype(np.float32)
    block = np.repeat(pair[1:] / np.float32(20), qdit_kernel.LANES, axis=0).T[None].copy()
    result = np.empty((9, qdit_kernel.LANES), dtype=np.int32)
    for m in range(1, 10):
        qdit_kernel.similarities(x, np.arange(m), block, 0, 1, result[:m])
        assert len(np.unique(result[:m])) == 1


def room_below(n: int) -> int:
    """The largest of which ``n`` instances need more."""
    from harness.samplers.kernels.qdit_kernel import LANES

    return n * (-(-n // LANES) * LANES) // 2 - 1


@pytest.mark.parametrize("n", [1, 384, 385, 1500])
def test_what_fits_in_the_room_is_held(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from harness.samplers.kernels import qdit_gains, qdit_held

    monkeypatch.setattr(qdit_gains, "ROOM", room_below(n) + 1)
    assert qdit_held.fits(n)
    assert not qdit_held.fits(n + 1)
    monkeypatch.setattr(qdit_gains, "ROOM", room_below(n))
    assert not qdit_held.fits(n)


def test_held_similarities_take_no_more_room_than_stored_ones() -> None:
    from harness.samplers.kernels import qdit_gains, qdit_held

    largest = max(n for n in range(100_000) if qdit_held.fits(n))
    assert 10_000 < largest < np.sqrt(2 * qdit_gains.ROOM)


@pytest.mark.parametrize("n", [385, 768, 1500])
def test_neither_room_nor_threads_change_a_pick(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from numba import config

    from harness.samplers.kernels import qdit_gains

    pool = Pool(
        clusters(n, spread=1.0), np.random.default_rng(0).random(n), selected=np.array([2, n - 1])
    )
    results = []
    # All held; most written down; rooms too small for most, or none.
    for room in (qdit_gains.ROOM, room_below(n), 5 * n, 0):
        for threads in (1, 2, 5):
            monkeypatch.setattr(qdit_gains, "ROOM", room)
            monkeypatch.setattr(config, "NUMBA_NUM_THREADS", threads)
            results.append(take("qdit", pool, 200, quality_weight=0.1).tolist())
    assert results == [results[0]] * 12


@pytest.mark.parametrize("n", [383, 385, 1500])
@pytest.mark.parametrize("threads", [1, 2, 5])
def test_held_gains_equal_stored_gains(n: int, threads: int) -> None:
    from harness.samplers.kernels import qdit_gains, qdit_held

    units, taken = clusters(n, spread=1.0), np.array([0, n - 1])
    with ThreadPoolExecutor(threads) as executor:
        held = qdit_held.HeldGains(units, taken, executor)
        written = qdit_gains.Gains(units, taken, executor)
        for _ in range(100):
            np.testing.assert_array_equal(held.gains, written.gains)
            pick = int(held.gains.argmax())
            held.take(pick, held.gains)
            written.take(pick, written.gains)
