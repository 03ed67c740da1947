"""Arrays of earlier stages that were cut: one line that names the file and the stage to run."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from harness.clustering.files import Clustering, read_clustering, write_clustering
from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import file_hash, read_array, write_json
from harness.embedding.files import CARD, VECTORS, read_embedding, user_embedding

ROWS = 20


def read_embedded(folder: Path) -> object:
    return read_embedding("minilm", folder / "pool")


def read_clusters(folder: Path) -> object:
    return read_clustering(folder / "k_2", ROWS)


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An embedding and a clustering as their stages write them."""
    monkeypatch.setattr(layout, "EMBEDDINGS", tmp_path)
    (tmp_path / "minilm").mkdir()
    (tmp_path / "pool").write_bytes(b"a pool")
    vectors = np.ones((ROWS, 2), dtype=np.float32)
    np.save(tmp_path / "minilm" / VECTORS, vectors)
    card = {"pool_sha256": file_hash(tmp_path / "pool"), "rows": ROWS, "dimensions": 2}
    write_json(tmp_path / "minilm" / CARD, card)
    labels = np.arange(ROWS, dtype=np.int64) % 2
    write_clustering(tmp_path / "k_2", Clustering(labels, vectors[:2], 0.0, None, 1))
    return tmp_path


@pytest.mark.parametrize("kept", [0, 60, 130, None], ids=["empty", "header", "cut", "gone"])
@pytest.mark.parametrize(
    ("name", "read", "stage"),
    [
        ("minilm/vectors.npy", read_embedded, "embed@minilm"),
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
    message = str(error.value)
    assert message.startswith((f"{path}: not a .npy array (", f"{path}: no such file; dvc repro"))
    assert message.endswith(f"; dvc repro {stage}")
    assert "\n" not in str(error.value)


def damaged(whole: bytes) -> dict[str, bytes]:
    """Files that are no array, by how they came about."""
    archive = io.BytesIO()
    np.savez(archive, a=np.ones(3))
    return {
        "empty": b"",
        "header": whole[:60],
        "cut": whole[:-1],
        "tokens": whole[:20] + b"((((" + whole[24:],
        "zip": b"PK\x03\x04",
        "several": archive.getvalue(),
    }


@pytest.mark.parametrize("how", damaged(b""))
def test_what_is_not_an_array_is_refused_in_one_line(tmp_path: Path, how: str) -> None:
    file = tmp_path / "x.npy"
    np.save(file, np.ones((ROWS, 2), dtype=np.float32))
    file.write_bytes(damaged(file.read_bytes())[how])
    message = (
        "contains several arrays (.npz)" if how in ("zip", "several") else "not a .npy array ("
    )
    for work, remedy in (
        (lambda: user_embedding(file, ROWS), "save one with np.save"),
        (lambda: read_array(file, "embed@x"), "dvc repro embed@x"),
    ):
        with pytest.raises(InputError) as error:
            work()
        assert str(error.value).startswith(f"{file}: {message}")
        assert str(error.value).endswith(f"; {remedy}")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(("entry", "why"), [(1e300, True), (1e-300, True), (np.inf, False)])
def test_values_beyond_float32_are_not_an_embedding(
    tmp_path: Path, entry: float, why: bool
) -> None:
    x = np.ones((ROWS, 2))
    x[6] = entry
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(InputError) as error:
        user_embedding(tmp_path / "x.npy", ROWS)
    message = "row 7 is NaN, infinite or all zeros" + (" as float32; scale all rows" if why else "")
    assert str(error.value) == f"{tmp_path / 'x.npy'}: {message}"
    np.save(tmp_path / "x.npy", x[:6] * 1e25)
    assert np.isfinite(user_embedding(tmp_path / "x.npy", 6)).all()
