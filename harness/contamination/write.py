"""Compare the pool's prompts with every benchmark's questions, and write what is near."""

from typing import Any

from harness.common import layout
from harness.common.files import file_hash, read_lines, value_hash, write_json
from harness.common.schemas import HELDOUT, read_frame, read_pool
from harness.common.stores import locked, scratch_folder
from harness.contamination.near import facts, nearest_rows
from harness.embedding.embed import LEXICAL, embed
from harness.params.params import STATES, EmbeddingParams, Params
from harness.pools.benchmarks import searched_texts
from harness.suites import load_suite

ENCODER = "minilm"  # where the embedding that systems read is made of the pool alone


def encoder_of(params: Params) -> EmbeddingParams:
    """The encoder that embeds questions: that of the default embedding, if it has one."""
    item = params.every_embedding[params.defaults.embedding]
    alone = item.model in (STATES, LEXICAL) or item.model.endswith(".npy")
    return item.model_copy(update={"model": ENCODER, "revision": None}) if alone else item


def write_contamination(params: Params, code: str) -> None:
    """Write ``data/contamination.json``; blocks of a killed run with this ``code`` are reused."""
    pool, item = read_pool(), encoder_of(params)
    targets = read_targets(params)
    prompts: list[str] = pool.frame["prompt"].tolist()
    every = prompts + [text for texts in targets.values() for text in texts]
    digest = value_hash([file_hash(layout.POOL_FILE), list(targets.values()), item.model_dump()])
    scratch = scratch_folder("contamination", value_hash([digest, code]))
    with locked(scratch):
        vectors = embed(every, item.model, item.revision, scratch)
    rows, at = vectors[: len(prompts)], len(prompts)
    made: dict[str, Any] = {}
    threshold = params.prepare.overlap.similarity
    for name, texts in targets.items():
        found = nearest_rows(vectors[at : at + len(texts)], rows, threshold)
        made[name] = facts(found, threshold, texts, pool.ids, prompts)
        at += len(texts)
    card = {"encoder": item.model, "similarity": threshold, "targets": made}
    write_json(layout.CONTAMINATION_FILE, card)


def read_targets(params: Params) -> dict[str, list[str]]:
    """The questions of each benchmark, and the prompts of held-out rows by their source."""
    data = load_suite(params.evaluate.suite).data
    items = {path.stem: read_lines(path) for path in sorted(layout.BENCHMARKS.glob("*.jsonl"))}
    held = read_frame(layout.HELDOUT_FILE, HELDOUT)
    asked = {
        f"heldout/{name}": rows["prompt"].tolist()
        for name, rows in held.groupby("source", sort=False)
    }
    return asked | searched_texts(items, data)
