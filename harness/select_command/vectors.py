"""The embedding of a user's pool: their own file, or made once and kept in the cache."""

import json
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.embedding import MINILM_SHA256, count_reads, embed, embedded_texts
from harness.embedding_files import Reads, user_embedding
from harness.files import file_hash, folder_hash, read_json
from harness.models import model_folder
from harness.schemas import PoolRows
from harness.select_command.cache import cache_folder, texts_hash
from harness.select_command.choices import Choices
from harness.stores import keeping, take_kept

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Vectors:
    """An embedding (n, d) float32, what the provenance says of it, and what should be known."""

    array: np.ndarray
    card: dict[str, Any]
    notes: tuple[str, ...] = ()


def pool_vectors(choices: Choices, frame: "pd.DataFrame") -> Vectors | None:
    """The embedding of a pool's instances; None where none is wanted.

    InputError for a file that does not fit and a model that cannot be had.
    """
    if choices.embeddings is not None:
        path = Path(choices.embeddings).expanduser()
        array = user_embedding(path, len(frame))
        return Vectors(array, {"file": choices.embeddings, "sha256": file_hash(path)})
    if choices.model is None:
        return None
    name, revision = _split(choices.model)
    model_sha256 = MINILM_SHA256 if name == "minilm" else folder_hash(model_folder(name, revision))
    texts = embedded_texts(PoolRows(frame), choices.embedding_text)
    with cache_folder(choices.cache, "embeddings", texts_hash(texts), model_sha256) as folder:
        array = _kept(folder, texts, name, revision)
        reads = _reads(folder, texts, name, revision)
    told = {"model": choices.model, "model_sha256": model_sha256, "text": choices.embedding_text}
    return Vectors(array, told, tuple(reads.notes()))


def _reads(folder: Path, texts: list[str], model: str, revision: str | None) -> Reads:
    """What the encoder reads of the texts, counted once."""
    file = folder / "reads.json"
    if take_kept(file):
        return Reads(**read_json(file))
    reads = count_reads(texts, model, revision)
    with keeping(file) as temporary:
        temporary.write_text(json.dumps(reads._asdict()))
    return reads


def _split(model: str) -> tuple[str, str | None]:
    """A model's folder or hub id, and the revision after `@` of the latter."""
    if Path(model).is_dir():
        return model, None
    name, _, revision = model.partition("@")
    return name, revision or None


def _kept(folder: Path, texts: list[str], model: str, revision: str | None) -> np.ndarray:
    """The embedding of a folder of the cache, made where it is not there whole."""
    whole = folder / "embedding.npy"
    if take_kept(whole):
        log.info("embedding of %s rows found in the cache", f"{len(texts):,}")
    else:
        log.info("embedding %s rows by %s (once: it is kept)", f"{len(texts):,}", model)
        made = embed(texts, model, revision, folder)
        assert isinstance(made, np.memmap)
        # The blocks that a killed run goes on from are the embedding once the last is done.
        with keeping(whole) as temporary:
            Path(str(made.filename)).replace(temporary)
        (folder / "done.json").unlink()
    return user_embedding(whole, len(texts))
