"""What was made of a pool's texts and takes long, kept under the hash of what it was made of."""

import hashlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.files import value_hash
from harness.refusals import naming
from harness.stores import locked


@contextmanager
def cache_folder(cache: Path, kind: str, *made_of: object) -> Iterator[Path]:
    """Hold the folder for a result of that kind, made of these values, against other processes."""
    folder = cache / kind / value_hash(made_of)[:24]
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            yield folder


def texts_hash(texts: Iterable[str]) -> str:
    """SHA-256 of texts in their order, each told from the next."""
    digest = hashlib.sha256()
    for text in texts:
        data = text.encode()
        digest.update(len(data).to_bytes(8, "little") + data)
    return digest.hexdigest()
