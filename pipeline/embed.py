"""Embed the pool's texts as unit vectors."""

import logging

import numpy as np

from harness.common import layout
from harness.common.files import file_hash, replacing_folder, value_hash, write_json
from harness.common.schemas import read_pool
from harness.common.stores import locked, scratch_folder
from harness.embedding.files import CARD, VECTORS
from harness.params.params import load_params
from pipeline.code import code_hash
from pipeline.stage import entry, main

log = logging.getLogger("harness.embed")


def run(name: str) -> None:
    """Embed the pool's texts as unit vectors."""
    from harness.embedding.embed import count_reads, embedded_texts, make_embedding

    item = entry(load_params().embeddings, name, "embeddings", "embedding")
    pool = read_pool()
    digest = file_hash(layout.POOL_FILE)
    scratch = scratch_folder("embed", value_hash([digest, item.model_dump(), code_hash("embed")]))
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


if __name__ == "__main__":
    main(run, ("name", "an embedding named in params.yaml: embeddings"))
