"""Embeddings as files: the user's own, and those a stage has written."""

from pathlib import Path

import numpy as np

from harness.errors import InputError
from harness.files import file_hash, load_array, read_array, read_json


def user_embedding(path: Path, rows: int) -> np.ndarray:
    """The user's own ``.npy``: (n, d) floats, one row an instance, no pickles."""
    if not path.is_file():
        raise InputError(f"{path}: no such embedding file")
    array = load_array(path, "save one with np.save", mmap_mode="r")
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"{path}: holds {array.dtype}; an embedding is of floats")
    if array.ndim != 2 or len(array) != rows:
        raise InputError(f"{path}: shape {array.shape}; the pool has {rows} rows: another pool's?")
    usable = np.isfinite(array).all(axis=1) & array.any(axis=1)
    if not usable.all():
        raise InputError(f"{path}: row {int(np.argmin(usable)) + 1} is NaN, infinite or all zeros")
    return np.asarray(array, dtype=np.float32)


def read_embedding(folder: Path, name: str, pool_file: Path) -> np.ndarray:
    """A stored embedding, memory-mapped; InputError where it is of another pool."""
    card = read_json(folder / f"{name}.json")
    if card["pool_sha256"] != file_hash(pool_file):
        raise InputError(
            f"{folder / name}.npy: embeds another pool than {pool_file}; dvc repro embed@{name}"
        )
    array = read_array(folder / f"{name}.npy", f"embed@{name}", mmap_mode="r")
    if array.shape != (card["rows"], card["dimensions"]) or array.dtype != np.float32:
        raise InputError(
            f"{folder / name}.npy: {array.dtype} {array.shape} is not what its card says"
        )
    return array
