"""The measures of a subset equal references written from their definitions, over random pools."""

import math
from collections import Counter
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.describing import measures
from harness.describing.measures import (
    coverage,
    entropy,
    near_duplicates,
    share_below,
    share_reached,
    top_overlap,
    vendi_score,
)
from harness.report.subsets.map import project


def naive_cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / math.sqrt(float(a @ a) * float(b @ b)))


def naive_coverage(x: np.ndarray, picks: np.ndarray) -> tuple[float, float]:
    best, apart = [], []
    for row in x:
        best.append(max(0.0, max(naive_cosine(row, x[p]) for p in picks)))
        apart.append(min(math.dist(row, x[p]) for p in picks))
    return sum(best) / len(x), max(apart)


def naive_duplicates(x: np.ndarray, picks: np.ndarray, threshold: float) -> float:
    repeats = 0
    for i, pick in enumerate(picks):
        repeats += any(naive_cosine(x[pick], x[p]) > threshold for p in picks[:i])
    return repeats / len(picks)


def naive_vendi(x: np.ndarray) -> float:
    """By its definition: the eigenvalues of the m x m matrix of similarities over m."""
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    values = np.linalg.eigvalsh(unit @ unit.T / len(x))
    return math.exp(-sum(v * math.log(v) for v in values if v > 1e-14))


@st.composite
def pools(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Rows of small whole numbers, duplicates among them, and some of them in some order."""
    n = draw(st.integers(1, 24))
    d = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    x = rng.integers(-3, 4, (n, d)).astype(np.float64)
    x[~x.any(axis=1), 0] = 1
    if draw(st.booleans()):
        x /= np.linalg.norm(x, axis=1, keepdims=True)
    picks = rng.permutation(n)[: draw(st.integers(1, n))].astype(np.int64)
    return x.astype(np.float32), picks


@given(pools(), st.integers(1, 40))
@settings(max_examples=200, deadline=None)
def test_coverage_equals_the_naive_in_blocks_of_any_size(
    made: tuple[np.ndarray, np.ndarray], cells: int
) -> None:
    x, picks = made
    with mock.patch.object(measures, "CELLS", cells):
        result = coverage(x, picks)
    location, radius = naive_coverage(x.astype(np.float64), picks)
    assert result.facility_location == pytest.approx(location, abs=1e-6)
    assert result.covering_radius == pytest.approx(radius, abs=1e-5)


@given(pools(), st.integers(1, 40), st.sampled_from([0.5001, 0.8001, 0.95, 0.9999]))
@settings(max_examples=200, deadline=None)
def test_near_duplicates_equal_the_naive(
    made: tuple[np.ndarray, np.ndarray], cells: int, threshold: float
) -> None:
    x, picks = made
    with mock.patch.object(measures, "CELLS", cells):
        result = near_duplicates(x, picks, threshold)
    assert result == pytest.approx(naive_duplicates(x.astype(np.float64), picks, threshold))


@given(pools())
@settings(max_examples=200, deadline=None)
def test_vendi_score_equals_its_definition(made: tuple[np.ndarray, np.ndarray]) -> None:
    x = made[0].astype(np.float64)
    assert vendi_score(made[0]) == pytest.approx(naive_vendi(x), rel=1e-6)


@given(pools(), st.integers(1, 5), st.integers(0, 3))
@settings(max_examples=200, deadline=None)
def test_shares_of_clusters_and_of_the_best_equal_the_naive(
    made: tuple[np.ndarray, np.ndarray], k: int, levels: int
) -> None:
    x, picks = made
    rng = np.random.default_rng(len(x))
    labels, quality = rng.integers(0, k, len(x)), rng.integers(0, levels + 1, len(x)) / 4
    counts = Counter(labels[picks].tolist())
    shares = [count / len(picks) for count in counts.values()]
    assert entropy(labels[picks]) == pytest.approx(-sum(s * math.log(s) for s in shares))
    assert share_reached(labels, picks) == len(counts) / len(set(labels.tolist()))
    # Of the subset: those above the last that gets in, and of its equals as many as have room.
    last = sorted(quality, reverse=True)[len(picks) - 1]
    room = len(picks) - sum(q > last for q in quality)
    equals = min(room, sum(q == last for q in quality[picks]))
    common = sum(q > last for q in quality[picks]) + equals
    assert top_overlap(quality, picks) == common / len(picks)
    poor = [quality[labels == c].mean() < 0.3 for c in set(labels.tolist())]
    assert share_below(labels, quality) == pytest.approx(sum(poor) / len(poor))


def test_the_nearest_are_found_far_from_the_origin() -> None:
    rng = np.random.default_rng(3)
    x = (1000 + rng.normal(size=(60, 8))).astype(np.float32)
    picks = np.arange(0, 60, 7)
    radius = naive_coverage(x.astype(np.float64), picks)[1]
    assert coverage(x, picks).covering_radius == pytest.approx(radius, rel=1e-3)


@pytest.mark.parametrize("exponent", [-90, -20, 20, 90])
def test_scale_changes_the_radius_alone(exponent: int) -> None:
    x = np.random.default_rng(3).normal(size=(60, 8)).astype(np.float32)
    picks, scaled = np.arange(0, 60, 7), np.ldexp(x, exponent)
    want, result = coverage(x, picks), coverage(scaled, picks)
    assert result.facility_location == want.facility_location
    assert result.covering_radius == math.ldexp(want.covering_radius, exponent)
    places, shares = project(scaled)
    np.testing.assert_allclose(places, np.ldexp(project(x)[0], exponent), rtol=1e-5)
    np.testing.assert_allclose(shares, project(x)[1], rtol=1e-5)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the package's own imports
def test_vendi_score_equals_the_package() -> None:
    vendi = pytest.importorskip("vendi_score.vendi")
    rng = np.random.default_rng(1)
    for m, d in ((300, 20), (40, 90)):
        x = rng.normal(size=(m, d)) + 0.5
        assert vendi_score(x) == pytest.approx(float(vendi.score_dual(x)), rel=1e-6)
