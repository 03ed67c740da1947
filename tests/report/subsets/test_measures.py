"""The measures of a subset: values worked out by hand, bad input, memory."""

import math
import tracemalloc

import numpy as np
import pytest

from harness.common.schemas import FAULTS
from harness.describing.measures import (
    PoolView,
    coverage,
    describe_subset,
    entropy,
    family_mix,
    near_duplicates,
    share_below,
    share_reached,
    top_overlap,
    vendi_score,
)
from harness.report.shared.columns import COLUMNS, value_text

DIAGONAL = math.sqrt(0.5)
# East, north, west, north-east.
COMPASS = np.array([[1, 0], [0, 1], [-1, 0], [DIAGONAL, DIAGONAL]], dtype=np.float32)


def test_coverage_by_hand() -> None:
    result = coverage(COMPASS, np.array([0]))
    assert result.facility_location == pytest.approx((1 + 0 + 0 + DIAGONAL) / 4)
    assert result.covering_radius == pytest.approx(2)
    result = coverage(COMPASS, np.array([2, 3]))
    assert result.facility_location == pytest.approx((1 + 1 + 2 * DIAGONAL) / 4)
    assert result.covering_radius == pytest.approx(math.sqrt(2 - 2 * DIAGONAL))


def test_the_radius_is_of_the_embedding_as_it_is_and_the_similarity_of_its_directions() -> None:
    line = np.array([[1, 0], [3, 0], [10, 0]], dtype=np.float32)
    result = coverage(line, np.array([1]))
    assert result.facility_location == pytest.approx(1)
    assert result.covering_radius == pytest.approx(7)


def test_vendi_score_by_hand() -> None:
    assert vendi_score(np.ones((5, 3))) == pytest.approx(1)
    assert vendi_score(7 * np.eye(4)) == pytest.approx(4)
    mixed = np.array([[1.0, 0], [1, 0], [1, 0], [0, 1]])
    expected = math.exp(-(0.75 * math.log(0.75) + 0.25 * math.log(0.25)))
    assert vendi_score(mixed) == pytest.approx(expected)
    assert vendi_score(np.array([[2.0, 1]])) == pytest.approx(1)


def test_near_duplicates_follow_the_order_of_selection() -> None:
    angles = np.deg2rad([0, 15, 30])  # neighbours are at cosine 0.966, the ends at 0.866
    x = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    assert near_duplicates(x, np.array([0, 2, 1])) == pytest.approx(1 / 3)
    assert near_duplicates(x, np.array([1, 0, 2])) == pytest.approx(2 / 3)
    assert near_duplicates(x, np.array([0, 1, 2]), threshold=0.97) == 0
    exact = np.array([[1, 0], [1, 0]], dtype=np.float32)
    assert near_duplicates(exact, np.array([0, 1]), threshold=1.0) == 0, "equal is not above"


def test_entropy_and_shares_by_hand() -> None:
    assert entropy(np.array([4, 4, 4])) == 0
    assert entropy(np.array([0, 1, 2, 3])) == pytest.approx(math.log(4))
    labels = np.array([0, 0, 3, 3, 5])  # 1, 2 and 4 are empty
    assert share_reached(labels, np.array([0, 2])) == pytest.approx(2 / 3)
    quality = np.array([0.2, 0.4, 0.1, 0.2, 0.9])  # means 0.3, 0.15, 0.9
    assert share_below(labels, quality) == pytest.approx(1 / 3), "0.3 is not below 0.3"
    assert share_below(labels, quality, 0.31) == pytest.approx(2 / 3)
    ties = np.array([0.5, 0.9, 0.5, 0.5])
    assert top_overlap(ties, np.array([1, 0])) == 1
    assert top_overlap(ties, np.array([1, 2])) == 1  # as good as 1 and 0
    assert top_overlap(ties, np.array([2, 3])) == 0.5  # without the best there is room for one
    assert top_overlap(ties, np.array([3])) == 0
    assert top_overlap(np.full(5, 0.2), np.array([4, 2, 3])) == 1


def view() -> PoolView:
    return PoolView(
        COMPASS,
        tokens=np.array([5, 6, 7, 8]),
        scores={"length": np.array([1.0, 2, 3, 6])},
        quality=np.array([0.9, 0.1, 0.2, 0.8]),
        labels=np.array([0, 1, 2, 0]),
        noise=np.array(["none", "wrong", "none", "garbled"]),
        skills=np.array(["a", "b", "b", "c"]),
        families=np.array(["x", "y", "y", "x"]),
    )


def test_a_described_subset_by_hand() -> None:
    picks = np.array([3, 1])
    result = describe_subset(view(), picks, np.array([1.0, 2, 3, 4]), np.array([0, 0, 1, 1]))
    assert result["rows"] == 2
    assert result["tokens"] == 14
    assert result["mean_length"] == 4
    assert result["own_quality"] == 3
    assert result["top_overlap"] == 0.5
    assert result["cluster_entropy"] == pytest.approx(math.log(2))
    assert result["clusters_reached"] == pytest.approx(2 / 3)
    assert result["own_clusters_reached"] == 1
    assert [result[f"noise_{kind}"] for kind in FAULTS] == [0.5, 0, 0, 0.5]
    assert result["noise_share"] == 1
    assert result["skills_reached"] == pytest.approx(2 / 3)
    assert result["vendi_score"] == pytest.approx(vendi_score(COMPASS[picks]))
    assert (result["family_x"], result["family_y"]) == (0.5, 0.5)
    assert set(result) - {"mean_length", "family_x", "family_y"} <= set(COLUMNS)
    assert value_text("noise_share", [result["noise_share"]]) == "100.0%"


def test_the_mix_of_families_by_hand() -> None:
    families = np.array(["code", "art", "code", "code"])
    assert family_mix(families) == {"art": 0.25, "code": 0.75}
    assert family_mix(families, np.array([2, 0])) == {"art": 0.0, "code": 1.0}, "art has its 0"


def test_the_whole_pool_covers_itself() -> None:
    result = describe_subset(view(), np.arange(4))
    assert result["facility_location"] == 1
    assert result["covering_radius"] == 0
    for name in ("top_overlap", "clusters_reached", "skills_reached"):
        assert result[name] == 1
    assert result["noise_share"] == 0.5


def test_only_what_is_known_is_measured() -> None:
    result = describe_subset(PoolView(COMPASS), np.array([0]))
    assert set(result) == {
        "rows",
        "facility_location",
        "covering_radius",
        "vendi_score",
        "near_duplicates",
    }


@pytest.mark.parametrize(
    ("picks", "message"),
    [
        ([], "the subset is empty"),
        ([0, 4], "the subset holds 4; the pool's indices are 0 to 3"),
        ([-1], "the subset holds -1"),
        ([2, 1, 2], "the subset holds 2 more than once"),
    ],
)
def test_bad_subsets(picks: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        describe_subset(view(), np.array(picks, dtype=np.int64))


def test_nothing_of_the_size_of_all_pairs_is_held() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(12_000, 8)).astype(np.float32)
    all_pairs = 4 * len(x) ** 2
    tracemalloc.start()
    try:
        describe_subset(PoolView(x), np.arange(0, len(x), 3))
        describe_subset(PoolView(x), np.arange(len(x)))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < all_pairs / 4
