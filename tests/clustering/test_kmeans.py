"""Clusters: seeded, on unit vectors, the nearest and the means, and readable again."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from harness.clustering.blocks import unit_rows
from harness.clustering.files import read_clustering, write_clustering
from harness.clustering.kmeans import kmeans
from harness.common.errors import InputError
from harness.common.files import file_hash
from tests.helpers.clustered_vectors import blobs, means, mixture, squares


def test_kmeans_finds_directions_and_repeats() -> None:
    result = kmeans(blobs(), 4, seed=42)
    groups = result.labels.reshape(4, 20)
    assert (groups == groups[:, :1]).all()
    assert len(set(groups[:, 0])) == 4
    assert result.silhouette is not None
    assert result.silhouette > 0.95
    again = kmeans(blobs(), 4, seed=42)
    np.testing.assert_array_equal(result.labels, again.labels)
    assert result.inertia == again.inertia


@settings(max_examples=120, deadline=None)
@given(st.data())
def test_what_a_clustering_is(data: st.DataObject) -> None:
    """Small pools of few distinct rows, where ties, copies and lone rows abound."""
    shape = st.tuples(st.integers(1, 24), st.integers(1, 4))
    rows = data.draw(hnp.arrays(np.float32, shape, elements=st.integers(-2, 2).map(float)))
    assume(rows.any(axis=1).all())
    k = data.draw(st.integers(1, len(rows)))
    result = kmeans(rows, k, seed=data.draw(st.integers(0, 3)))
    x = unit_rows(rows)
    distances = squares(x, result.centroids)
    own = distances[np.arange(len(x)), result.labels]
    assert (own <= distances.min(axis=1) + 1e-12).all()
    # Of centroids that lie equally near, the lowest: where they are equal, rounding has no say.
    same = (result.centroids[result.labels][:, None] == result.centroids).all(axis=2)
    np.testing.assert_array_equal(same.argmax(axis=1), result.labels)
    filled = min(k, len(np.unique(x, axis=0)))
    assert set(result.labels) == set(range(filled))
    np.testing.assert_allclose(
        result.centroids[:filled], means(x, result.labels, filled), atol=1e-7
    )
    assert result.inertia == pytest.approx(own.sum(), abs=1e-9)
    assert result.iterations >= 1


@pytest.mark.parametrize("noise", [0.1, 0.5, 1.5, 100.0])
def test_inertia_is_that_of_scikit_learn(noise: float) -> None:
    from sklearn.cluster import KMeans

    x = mixture(2500, 60, noise)
    ours, theirs = [], []
    for seed in range(3):
        model: Any = KMeans(30, n_init=1, random_state=seed)  # pyright: ignore[reportArgumentType]
        theirs.append(float(model.fit(x).inertia_))
        ours.append(kmeans(x, 30, seed).inertia)
    assert np.median(ours) < 1.01 * np.median(theirs)


def test_rare_clusters_are_found() -> None:
    """One row in a thousand lies elsewhere: a sample of rows would miss most of those."""
    rng = np.random.default_rng(0)
    x = np.repeat(np.eye(12), [20_000] + [20] * 11, axis=0)
    result = kmeans(x + 1e-3 * rng.normal(size=x.shape), 12, seed=42)
    assert sorted(np.bincount(result.labels)) == [20] * 11 + [20_000]


def test_duplicates_hide_no_cluster() -> None:
    x = np.repeat(np.eye(40, 40), [20_000] + [1] * 39, axis=0)
    result = kmeans(x, 40, seed=42)
    assert sorted(np.bincount(result.labels)) == [1] * 39 + [20_000]
    assert result.inertia == 0


@pytest.mark.parametrize("scale", [1e-6, 1e-30, 1e30])
def test_lengths_do_not_matter(scale: float) -> None:
    x = blobs()
    other = kmeans(x.astype(np.float64) * scale, 4, seed=42)
    np.testing.assert_array_equal(other.labels, kmeans(x, 4, seed=42).labels)


def test_threads_change_no_byte() -> None:
    from threadpoolctl import threadpool_limits

    x = mixture(6000, 200, 1.0)
    results = []
    for threads in (1, 2, 3):
        with threadpool_limits(threads):
            results.append(kmeans(x, 90, seed=42))
    for other in results[1:]:
        assert results[0].labels.tobytes() == other.labels.tobytes()
        assert results[0].centroids.tobytes() == other.centroids.tobytes()
        assert (results[0].inertia, results[0].silhouette) == (other.inertia, other.silhouette)


def test_the_seed_decides() -> None:
    x = mixture(600, 60, 1.0)
    assert (kmeans(x, 20, seed=1).labels != kmeans(x, 20, seed=2).labels).any()


def test_what_is_being_done_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="harness"):
        kmeans(blobs(4, 300), 4, seed=42)
    assert caplog.messages == ["clustering: k-means with k = 4 on 1,200 rows"]


def test_one_cluster_has_no_silhouette(caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    with caplog.at_level("INFO", logger="harness"):
        result = kmeans(blobs(), 1, seed=42)
    assert result.silhouette is None
    assert not result.labels.any()
    np.testing.assert_allclose(result.centroids[0], unit_rows(blobs()).mean(axis=0), atol=1e-6)
    assert "the silhouette of 1 clusters of 80 rows is undefined" in caplog.messages[1]
    write_clustering(tmp_path / "k_1", result)
    assert json.loads((tmp_path / "k_1/info.json").read_text())["silhouette"] is None


def test_a_cluster_for_each_row() -> None:
    result = kmeans(blobs(4, 5), 20, seed=42)
    assert sorted(result.labels) == list(range(20))
    assert result.silhouette is None
    assert result.inertia == 0


def test_more_clusters_than_distinct_rows(caplog: pytest.LogCaptureFixture) -> None:
    x = np.repeat(np.eye(3, dtype=np.float32), 4, axis=0)
    result = kmeans(x, 5, seed=42)
    assert [r.message for r in caplog.records if r.levelname == "WARNING"] == [
        "clustering: 5 clusters of 3 distinct rows: the last 2 are empty"
    ]
    np.testing.assert_array_equal(np.bincount(result.labels, minlength=5), [4, 4, 4, 0, 0])
    assert (result.k, result.inertia, result.silhouette) == (5, 0.0, 1.0)


@pytest.mark.parametrize("k", [-1, 0, 81])
def test_k_out_of_bounds(k: int) -> None:
    with pytest.raises(InputError, match=rf"{k} clusters of 80 instances; k must be 1 to 80"):
        kmeans(blobs(), k, seed=42)


@pytest.mark.parametrize(
    ("value", "message"),
    [(0.0, "is all zeros"), (np.nan, "holds NaN or inf"), (-np.inf, "holds NaN or inf")],
)
def test_a_row_without_direction_is_named(value: float, message: str) -> None:
    x = blobs()
    x[6] = value
    with pytest.raises(InputError, match=f"embeddings: row 7 {message}"):
        kmeans(x, 2, seed=42)


def test_embeddings_of_another_shape() -> None:
    with pytest.raises(InputError, match=r"shape \(80,\); needed: \(n, d\)"):
        kmeans(blobs()[:, 0], 2, seed=42)


def test_written_and_read(tmp_path: Path) -> None:
    result = kmeans(blobs(), 4, seed=42)
    facts = write_clustering(tmp_path / "k_4", result)
    assert facts == json.loads((tmp_path / "k_4/info.json").read_text())
    assert (facts["smallest"], facts["largest"], facts["empty"]) == (20, 20, 0)
    for name in ("labels", "centroids"):
        assert facts[f"{name}_sha256"] == file_hash(tmp_path / f"k_4/{name}.npy")
    read = read_clustering(tmp_path / "k_4", 80)
    np.testing.assert_array_equal(read.labels, result.labels)
    assert (read.k, read.silhouette, read.inertia) == (4, result.silhouette, result.inertia)
    with pytest.raises(InputError, match="clusters 80 rows, the pool has 81"):
        read_clustering(tmp_path / "k_4", 81)
