"""The nearest rows are those of a naive search."""

import numpy as np
import pytest

from harness.contamination.near import BLOCK, facts, nearest_rows


def unit(rng: np.random.Generator, rows: int, d: int = 5) -> np.ndarray:
    vectors = rng.normal(size=(rows, d))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("items", [1, 7, BLOCK + 3])
def test_nearest_rows_equal_a_naive_search(items: int) -> None:
    rng = np.random.default_rng(items)
    asked, rows = unit(rng, items), unit(rng, 40)
    result = nearest_rows(asked, rows, 0.9)
    cosines = np.array([[float(a @ b) for b in rows] for a in asked])
    np.testing.assert_allclose(result.similarity, cosines.max(axis=1), atol=1e-6)
    np.testing.assert_allclose(
        cosines[np.arange(items), result.best], cosines.max(axis=1), atol=1e-6
    )
    assert result.rows.tolist() == np.flatnonzero((cosines >= 0.9).any(axis=0)).tolist()


def test_counts_and_pairs_worked_by_hand() -> None:
    rows = np.eye(3, dtype=np.float32)
    asked = np.array([[0, 1, 0], [0.6, 0.8, 0], [0.6, 0, -0.8]], dtype=np.float32)
    result = nearest_rows(asked, rows, 0.8)
    assert result.best.tolist() == [1, 1, 0]
    card = facts(result, 0.8, ["a", "b", "c"], ["r0", "r1", "r2"], ["p0", "p1", "p2"])
    assert card["items"] == 3
    assert (card["items_near"], card["rows_near"]) == (2, 1)
    assert card["median_similarity"] == pytest.approx(0.8)
    assert [(one["item"], one["row"]) for one in card["nearest"]] == [
        ("a", "r1"),
        ("b", "r1"),
        ("c", "r0"),
    ]


def test_of_equals_the_first_row_is_the_nearest() -> None:
    rows = np.array([[1, 0], [0, 1], [0, 1]], dtype=np.float32)
    assert nearest_rows(rows[1:2], rows, 1.0).best.tolist() == [1]
    assert nearest_rows(rows[1:2], rows, 1.0).rows.tolist() == [1, 2]


def test_equal_texts_are_near_at_a_threshold_of_one() -> None:
    rows = unit(np.random.default_rng(0), 200, 384)
    assert len(nearest_rows(rows, rows, 1.0).rows) == 200
