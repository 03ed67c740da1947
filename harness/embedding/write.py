"""Makes an embedding of the pool and writes it, with a card that says how it was made."""

import logging

import numpy as np

from harness.common import layout
from harness.common.files import file_hash, replacing_folder, value_hash, write_json
from harness.common.schemas import read_pool
from harness.common.stores import locked, scratch_folder
from harness.embedding.embed import count_reads, embedded_texts, make_embedding
from harness.embedding.files import CARD, VECTORS
from harness.params.params import EmbeddingParams

log = logging.getLogger(__name__)


def write_embedding(name: str, item: EmbeddingParams, code: str) -> None:
    """Embed the pool's texts as unit vectors; blocks of a killed run with this ``code`` are reused.

    Args:
        name: of the embedding, and of its folder.
        item: how it is made.
        code: a hash of the code that makes it.
    """
    pool = read_pool()
    digest = file_hash(layout.POOL_FILE)
    scratch = scratch_folder("embed", value_hash([digest, item.model_dump(), code]))
    with locked(scratch):
        array = make_embedding(pool, item, scratch)
    rows, dimensions = array.shape
    card = {"pool_sha256": digest, "rows": rows, "dimensions": dimensions, **item.model_dump()}
    if not item.model.endswith(".npy"):
        reads = count_reads(embedded_texts(pool, item.text), item.model, item.revision)
        card["reads"] = reads._asdict()
        for note in reads.notes():
            log.info("note: embedding %s: %s", name, note)
    with replacing_folder(layout.EMBEDDINGS / name) as folder:
        np.save(folder / VECTORS, array)
        write_json(folder / CARD, card)
