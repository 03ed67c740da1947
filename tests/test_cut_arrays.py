"""Arrays of earlier stages that were cut: one line that names the file and the stage to run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.clustering import Clustering, read_clustering, write_clustering
from harness.embedding_files import read_embedding
from harness.errors import InputError
from harness.files import file_hash, write_json

ROWS = 20


def read_embedded(folder: Path) -> object:
    return read_embedding(folder, "minilm", folder / "pool")


def read_clusters(folder: Path) -> object:
    return read_clustering(folder / "k_2", ROWS)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """An embedding and a clustering as their stages write them."""
    (tmp_path / "pool").write_bytes(b"a pool")
    vectors = np.ones((ROWS, 2), dtype=np.float32)
    np.save(tmp_path / "minilm.npy", vectors)
    card = {"pool_sha256": file_hash(tmp_path / "pool"), "rows": ROWS, "dimensions": 2}
    write_json(tmp_path / "minilm.json", card)
    labels = np.arange(ROWS, dtype=np.int64) % 2
    write_clustering(tmp_path / "k_2", Clustering(labels, vectors[:2], 0.0, None, 1))
    return tmp_path


@pytest.mark.parametrize("kept", [0, 60, 130, None], ids=["empty", "header", "cut", "gone"])
@pytest.mark.parametrize(
    ("name", "read", "stage"),
    [
        ("minilm.npy", read_embedded, "embed@minilm"),
        ("k_2/labels.npy", read_clusters, "cluster"),
        ("k_2/centroids.npy", read_clusters, "cluster"),
    ],
)
def test_a_cut_array_is_named(
    made: Path, name: str, read: Callable[[Path], object], stage: str, kept: int | None
) -> None:
    read(made)
    path = made / name
    data = path.read_bytes()
    path.unlink()
    if kept is not None:
        path.write_bytes(data[:kept])
    with pytest.raises(InputError) as error:
        read(made)
    told = str(error.value)
    assert told.startswith((f"{path}: not a .npy array (", f"{path}: no such file; dvc repro"))
    assert told.endswith(f"; dvc repro {stage}")
    assert "\n" not in str(error.value)
