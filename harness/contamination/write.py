"""Compare the pool's prompts with every benchmark's questions, and write what is near."""

import json
from typing import Any

from harness.common import layout
from harness.common.errors import InputError, one_line
from harness.common.files import file_hash, value_hash, write_json
from harness.common.schemas import HELDOUT, read_frame, read_pool
from harness.common.stores import locked, scratch_folder
from harness.contamination.near import facts, nearest_rows
from harness.embedding.embed import LEXICAL, count_reads, embed
from harness.params.params import STATES, EmbeddingParams, Params
from harness.pools.benchmarks import searched_texts
from harness.suites import load_suite

ENCODER = "minilm"  # where the default embedding is of the pool alone


def encoder_of(params: Params) -> EmbeddingParams:
    """The encoder of the default embedding, or another that can embed questions, too."""
    item = params.every_embedding[params.defaults.embedding]
    alone = item.model in (STATES, LEXICAL) or item.model.endswith(".npy")
    return item.model_copy(update={"model": ENCODER, "revision": None}) if alone else item


def write_contamination(params: Params, code: str) -> None:
    """Write ``data/contamination.json``; blocks of a killed run with this ``code`` are reused."""
    pool, item, targets = read_pool(), encoder_of(params), read_targets(params)
    prompts: list[str] = pool.frame["prompt"].tolist()
    if not prompts:
        raise InputError(f"{layout.POOL_FILE}: no rows; dvc repro prepare")
    items = [text for own in targets.values() for text in own]
    digest = [file_hash(layout.POOL_FILE), targets, item.model, item.revision, code]
    scratch = scratch_folder("contamination", value_hash(digest))
    with locked(scratch):
        vectors = embed(prompts + items, item.model, item.revision, scratch)
    rows, at = vectors[: len(prompts)], len(prompts)
    threshold = params.prepare.overlap.similarity
    made: dict[str, Any] = {}
    for name, own in targets.items():
        result = nearest_rows(vectors[at : at + len(own)], rows, threshold)
        made[name] = facts(result, threshold, own, pool.ids, prompts)
        at += len(own)
    read = {
        name: count_reads(texts, item.model, item.revision)._asdict()
        for name, texts in (("prompts", prompts), ("items", items))
    }
    card = {"encoder": item.model, "similarity": threshold, "reads": read, "targets": made}
    write_json(layout.CONTAMINATION_FILE, card)


def read_targets(params: Params) -> dict[str, list[str]]:
    """The prompts of held-out rows by their source, and the questions of each benchmark."""
    held = read_frame(layout.HELDOUT_FILE, HELDOUT)
    asked = {
        f"heldout/{name}": rows["prompt"].tolist()
        for name, rows in held.groupby("source", sort=False)
    }
    items: dict[str, list[dict[str, Any]]] = {}
    for path in sorted(layout.BENCHMARKS.glob("*.jsonl")):
        try:
            with path.open(encoding="utf-8") as lines:  # splitlines() would cut a line in a text
                items[path.stem] = [dict(json.loads(line)) for line in lines]
        except (ValueError, TypeError) as error:
            raise InputError(f"{path}: {one_line(error, 100)}; dvc repro prepare") from error
    return asked | searched_texts(items, load_suite(params.evaluate.suite).data)
