"""Makes an embedding of the pool and writes it, with a card that says how it was made."""

import json
import logging
import time
from pathlib import Path
from typing import Any

import numpy as np

from harness.common import layout
from harness.common.files import file_hash, read_json, replacing_folder, value_hash, write_json
from harness.common.schemas import PoolRows, read_pool
from harness.common.stores import keeping, locked, scratch_folder, take_kept
from harness.common.timings import set_apart
from harness.embedding.embed import (
    LEXICAL,
    count_reads,
    embedded_texts,
    encoder_folder,
    make_embedding,
)
from harness.embedding.files import CARD, VECTORS
from harness.models.size import parameter_counts
from harness.params.params import EmbeddingParams

log = logging.getLogger(__name__)


def write_embedding(name: str, item: EmbeddingParams, code: str) -> None:
    """Embed the pool's texts as unit vectors; blocks of a killed run with this ``code`` are reused.

    The card beside them says how they were made, what the encoder read, and what it cost.

    Args:
        name: of the embedding, and of its folder.
        item: how it is made.
        code: a hash of the code that makes it.
    """
    pool = read_pool()
    digest = file_hash(layout.POOL_FILE)
    scratch = scratch_folder("embed", value_hash([digest, item.model_dump(), code]))
    with locked(scratch):
        array, spent = _timed_embedding(pool, item, scratch)
    rows, dimensions = array.shape
    card = {"pool_sha256": digest, "rows": rows, "dimensions": dimensions, **spent}
    card |= item.model_dump()
    if item.model != LEXICAL and not item.model.endswith(".npy"):
        reads = count_reads(embedded_texts(pool, item.text), item.model, item.revision)
        card |= {
            "reads": reads._asdict(),
            **parameter_counts(encoder_folder(item.model, item.revision)),
        }
        for note in reads.notes():
            log.info("note: embedding %s: %s", name, note)
    with replacing_folder(layout.EMBEDDINGS / name) as folder:
        np.save(folder / VECTORS, array)
        write_json(folder / CARD, card)
        set_apart(folder, layout.EMBEDDINGS / name)


def _timed_embedding(
    pool: PoolRows, item: EmbeddingParams, scratch: Path
) -> tuple[np.ndarray, dict[str, Any]]:
    """The embedding, its seconds, None where a killed run made a part, and its FLOPs if known."""
    file = scratch / "seconds.json"
    fresh = not any(scratch.glob("block_*"))
    begun = time.perf_counter()
    array, spent = make_embedding(pool, item, scratch)
    if fresh:
        seconds = round(time.perf_counter() - begun, 2)
        with keeping(file) as temporary:
            temporary.write_text(json.dumps(seconds))
        return array, {**spent, "seconds": seconds}
    # The seconds of a killed run are lost, and those of the rest alone mean nothing.
    return array, {**spent, "seconds": read_json(file) if take_kept(file) else None}
