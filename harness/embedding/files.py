"""Embeddings as files: the user's own, and those of the stage `embed`."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import file_hash, load_array, read_array, read_json

VECTORS, CARD = "vectors.npy", "card.json"  # in a folder of the embedding's name


class Reads(NamedTuple):
    """How much an encoder reads of `rows` texts.

    most: tokens of one, None without a bound. over: texts longer than that. unknown: texts of
    which more than half of the tokens are unknown to its vocabulary. tokens: of all texts, special
    ones included; None where an older version counted.
    """

    rows: int
    most: int | None
    over: int
    unknown: int
    tokens: int | None = None

    def notes(self) -> list[str]:
        """Warnings about it, a sentence each."""
        notes = []
        if self.over:
            notes.append(
                f"{self.over:,} of {self.rows:,} rows are over the {self.most} tokens that the "
                "encoder reads: the rest of each is not in its vector"
            )
        if self.unknown:
            notes.append(
                f"{self.unknown:,} of {self.rows:,} rows are mostly unknown to the encoder's "
                "vocabulary: their vectors are nearly equal; take one that knows their language"
            )
        return notes


def read_notes(name: str) -> list[str]:
    """Warnings about how a stored embedding was made."""
    card = read_json(layout.EMBEDDINGS / name / CARD)
    reads = card.get("reads")  # None: the vectors are the user's own
    return Reads(**reads).notes() if reads else []


def user_embedding(path: Path, rows: int) -> np.ndarray:
    """The user's own ``.npy``: (n, d) floats, one row an instance, no pickles."""
    if not path.is_file():
        raise InputError(f"{path}: no such embedding file")
    array = load_array(path, "save one with np.save", mmap_mode="r")
    if not np.issubdtype(array.dtype, np.floating):
        raise InputError(f"{path}: holds {array.dtype}; an embedding is of floats")
    if array.ndim != 2 or len(array) != rows:
        raise InputError(f"{path}: shape {array.shape}; the pool has {rows} rows: another pool's?")
    with np.errstate(over="ignore", under="ignore"):  # reported below
        vectors = np.asarray(array, dtype=np.float32)
    # As float32, on which all is computed: 1e300 is infinite there, and 1e-300 zero.
    usable = np.isfinite(vectors).all(axis=1) & vectors.any(axis=1)
    if not usable.all():
        row = int(np.argmin(usable))
        why = "; scale all rows" if np.isfinite(array[row]).all() and array[row].any() else ""
        rule = f"row {row + 1} is NaN, infinite or all zeros"
        raise InputError(f"{path}: {rule}{' as float32' if why else ''}{why}")
    return vectors


def read_embedding(name: str, pool_file: Path) -> np.ndarray:
    """A stored embedding, memory-mapped; InputError if it is of another pool."""
    folder = layout.EMBEDDINGS / name
    card = read_json(folder / CARD)
    if card["pool_sha256"] != file_hash(pool_file):
        rule = f"embeds another pool than {pool_file}; dvc repro embed@{name}"
        raise InputError(f"{folder / VECTORS}: {rule}")
    array = read_array(folder / VECTORS, f"embed@{name}", mmap_mode="r")
    if array.shape != (card["rows"], card["dimensions"]) or array.dtype != np.float32:
        rule = f"{array.dtype} {array.shape} is not what its card says"
        raise InputError(f"{folder / VECTORS}: {rule}")
    return array
