"""The silhouette: as Rousseeuw and scikit-learn have it, without comparing any two rows."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.clustering.blocks import unit_rows
from harness.clustering.silhouette import silhouette_cosine
from tests.helpers.clustered_vectors import mixture


def test_by_hand() -> None:
    """Rows at 0, 60 | 90, 180 degrees: cosine distances 1/2, 1, 2; 1 - sqrt(3)/2, 3/2; 1."""
    angles = np.radians([0, 60, 90, 180])
    x = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    near = 1 - np.sqrt(3) / 2  # of 60 and 90 degrees
    a = np.array([0.5, 0.5, 1, 1])
    b = np.array([(1 + 2) / 2, (near + 1.5) / 2, (1 + near) / 2, (2 + 1.5) / 2])
    expected = ((b - a) / np.maximum(a, b)).mean()
    assert silhouette_cosine(x, np.array([0, 0, 1, 1])) == pytest.approx(expected, abs=1e-7)


def test_a_row_alone_in_its_cluster_has_none() -> None:
    x = np.eye(3, dtype=np.float32)[[0, 0, 1]]
    # The copies: a = 0, b = 1, so 1 each; the lone row: 0.
    assert silhouette_cosine(x, np.array([0, 0, 1])) == pytest.approx(2 / 3, abs=1e-12)


@pytest.mark.parametrize("labels", [[3, 3, 3], [0, 1, 2], [5, -1, 2]])
def test_undefined_for_one_cluster_and_for_one_a_row(labels: list[int]) -> None:
    assert silhouette_cosine(np.eye(3, dtype=np.float32), np.array(labels)) is None


def test_copies_in_two_clusters_are_as_near_to_one_as_to_the_other() -> None:
    x = np.full((6, 4), 0.5, dtype=np.float32)
    assert silhouette_cosine(x, np.array([0, 0, 0, 1, 1, 1])) == 0


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_equals_scikit_learn(data: st.DataObject) -> None:
    """Small pools with copies, lone rows and numbers that no row has."""
    from sklearn.metrics import silhouette_score

    shape = st.tuples(st.integers(3, 20), st.integers(1, 4))
    rows = data.draw(hnp.arrays(np.float32, shape, elements=st.integers(-3, 3).map(float)))
    assume(rows.any(axis=1).all())
    n = len(rows)
    labels = data.draw(hnp.arrays(np.int64, n, elements=st.integers(0, 6)))
    assume(1 < len(set(labels)) < n)
    exact = rows.astype(np.float64)
    exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    # Of copies, cosine distances are rounding alone, and so would their silhouettes be.
    distances = np.round(1 - exact @ exact.T, 12)
    expected = silhouette_score(np.abs(distances), labels, metric="precomputed")
    assert silhouette_cosine(unit_rows(rows), labels) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("noise", [0.05, 0.5, 1.5])
def test_equals_scikit_learn_by_cosine(noise: float) -> None:
    from sklearn.metrics import silhouette_score

    x = mixture(2500, 40, noise)
    labels = (x @ x[:30].T).argmax(axis=1)
    result = silhouette_cosine(x, labels)
    assert result == pytest.approx(silhouette_score(x, labels, metric="cosine"), abs=1e-6)
    assert result == silhouette_cosine(x, labels, threads=2)
