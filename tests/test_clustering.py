"""Clusters: seeded, on unit vectors, readable again, and honest where they are undefined."""

from pathlib import Path

import numpy as np
import pytest

from harness.clustering import kmeans, read_clustering, write_clustering
from harness.errors import InputError


def blobs(k: int = 4, each: int = 20) -> np.ndarray:
    """Tight groups along the axes, of very different lengths: only direction tells them apart."""
    rng = np.random.default_rng(0)
    centers = np.repeat(np.eye(k, 8, dtype=np.float32), each, axis=0)
    x = centers + 0.02 * rng.normal(size=(k * each, 8)).astype(np.float32)
    return x * rng.uniform(0.1, 10, size=(len(x), 1)).astype(np.float32)


def test_kmeans_finds_directions_and_repeats() -> None:
    found = kmeans(blobs(), 4, seed=42)
    groups = found.labels.reshape(4, 20)
    assert (groups == groups[:, :1]).all()
    assert len(set(groups[:, 0])) == 4
    assert found.silhouette is not None
    assert found.silhouette > 0.95
    again = kmeans(blobs(), 4, seed=42)
    np.testing.assert_array_equal(found.labels, again.labels)
    assert found.inertia == again.inertia


def test_what_is_being_done_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="harness"):
        kmeans(blobs(4, 300), 4, seed=42)
    assert caplog.messages == ["clustering: k-means with k = 4 on 1,200 rows"]


def test_one_cluster_has_no_silhouette() -> None:
    found = kmeans(blobs(), 1, seed=42)
    assert found.silhouette is None
    assert not found.labels.any()


@pytest.mark.parametrize("k", [0, 81])
def test_k_out_of_bounds(k: int) -> None:
    with pytest.raises(InputError, match=rf"{k} clusters of 80 instances; k must be 1 to 80"):
        kmeans(blobs(), k, seed=42)


def test_zero_row_is_named() -> None:
    x = blobs()
    x[6] = 0
    with pytest.raises(InputError, match="row 7 is all zeros"):
        kmeans(x, 2, seed=42)


def test_written_and_read(tmp_path: Path) -> None:
    found = kmeans(blobs(), 4, seed=42)
    write_clustering(tmp_path / "k_4", found)
    read = read_clustering(tmp_path / "k_4", 80)
    np.testing.assert_array_equal(read.labels, found.labels)
    assert (read.k, read.silhouette, read.inertia) == (4, found.silhouette, found.inertia)
    with pytest.raises(InputError, match="clusters 80 rows, the pool has 81"):
        read_clustering(tmp_path / "k_4", 81)
