"""A sampler's inputs, made from the user's pool and files; and its choice."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from harness.clustering.choose_k import at_the_end, best_k
from harness.clustering.files import Clustering
from harness.clustering.kmeans import kmeans
from harness.common.disk_errors import naming
from harness.common.errors import InputError
from harness.common.files import file_hash, folder_hash, read_json, remove, value_hash
from harness.common.locations import locate
from harness.common.progress import progress
from harness.common.schemas import PoolRows
from harness.common.stores import keeping, locked, take_kept
from harness.embedding.embed import MINILM_SHA256, count_reads, embed, embedded_texts
from harness.embedding.files import Reads, user_embedding
from harness.models.loading import model_folder
from harness.models.reader import find_model, model_folder_hash
from harness.params.knobs import all_knobs
from harness.params.params import EmbeddingParams, ScorerParams, Selection
from harness.params.selections import ScoredSelection
from harness.samplers import SAMPLERS, are_unit
from harness.scorers import SCORERS
from harness.scorers.score_pool import make_scores
from harness.select_command.choices import Choices
from harness.selecting import subsets
from harness.selecting.quality import quality_notes, quality_vector
from harness.selecting.subsets import best_rows

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

SMALLEST, LARGEST = 16, 4096  # powers of two, as table 5 of arXiv 2409.11378 has from 64 to 8192
ROWS_EACH = 8  # on average, in the clusters of the largest k that is tried


@dataclass(frozen=True)
class ToolInputs:
    """A sampler's inputs, made from a user's pool."""

    # With one vector for all rows, and one cluster, where no others are needed.
    seen: subsets.SamplerInputs
    scores: "pd.DataFrame"  # ids and one column per score
    cards: dict[str, Any]  # the provenance of scores, embedding and clusters; None if not made
    notes: tuple[str, ...]  # changes that the user should know of


def rows_wanted(choices: Choices, rows: int) -> int:
    """The budget as a number of rows; InputError where the pool has fewer, or fewer than k."""
    wanted = choices.budget
    if isinstance(wanted, float):
        wanted = max(1, round(wanted * rows))
    most = max(choices.k) if isinstance(choices.k, tuple) else 1
    for option, number in (("--budget", wanted), ("--k", most)):
        if number > rows:
            raise InputError(f"{option} {number}: the pool has {rows:,} rows; give at most that")
    if choices.keep_best is not None and wanted > (left := best_rows(rows, choices.keep_best)):
        raise InputError(
            f"--keep-best {choices.keep_best:g}: leaves {left:,} rows, --budget is {wanted:,}; "
            "raise it or lower the budget"
        )
    return wanted


def make_inputs(choices: Choices, pool: PoolRows) -> ToolInputs:
    """Embed, cluster and score as far as needed; InputError for files that do not fit."""
    n = len(pool)
    cards: dict[str, Any] = {"scores": {}, "embedding": None, "clusters": None}
    array, notes = np.ones((n, 1), dtype=np.float32), ()
    if choices.embeddings is not None:  # refused before a model runs
        path = Path(choices.embeddings).expanduser()
        array = user_embedding(path, n)
        cards["embedding"] = {"file": choices.embeddings, "sha256": file_hash(path)}
    scores, _ = make_scores(pool, choices.scorers, store=choices.cache / "scores")
    cards["scores"] = {name: _score_card(item) for name, item in choices.scorers.items()}
    quality, flat = None, ()
    if choices.quality is not None:
        quality = quality_vector(choices.quality, scores)
        flat = quality_notes(choices.quality, scores)
    if choices.embedding is not None:
        array, cards["embedding"], notes = pool_vectors(choices.embedding, pool, choices.cache)
    elif choices.embeddings and "unit" in SAMPLERS[choices.sampler].needs and not are_unit(array):
        # Here too, as the subset is also measured on them.
        array = subsets.rows_for(choices.sampler, array)
        change = f"scaled to length 1: {choices.sampler} compares them by cosine"
        notes = (f"rows of {choices.embeddings} {change}",)
    clustering = Clustering(np.zeros(n, dtype=np.int64), array[:1], 0.0, None, 0)  # of all
    if choices.k is not None:
        clustering, cards["clusters"], more = pool_clusters(array, choices.k, choices.cluster_seed)
        notes += more
    costs = np.ones(n, dtype=np.int64)
    seen = subsets.SamplerInputs(pool, array, clustering, costs, quality, None, flat)
    return ToolInputs(seen, scores, cards, notes)


def _score_card(item: ScorerParams) -> dict[str, Any]:
    """The provenance of a score: its scorer, knobs, and the files that it read."""
    card = all_knobs(SCORERS[item.scorer], item.scorer_params)
    if "model" in card:
        card["model_sha256"] = model_folder_hash(find_model(card["model"], card["revision"]))
    if "file" in card:
        card["sha256"] = file_hash(locate(card["file"]))
    return {"scorer": item.scorer, **card}


def pool_vectors(
    item: EmbeddingParams, pool: PoolRows, cache: Path
) -> tuple[np.ndarray, dict[str, Any], tuple[str, ...]]:
    """The pool's embedding, from the cache or made; its card and notes."""
    texts = embedded_texts(pool, item.text)
    model = MINILM_SHA256
    if item.model != "minilm":
        model = folder_hash(model_folder(item.model, item.revision))
    folder = cache / "embeddings" / value_hash([texts, model])[:24]
    whole, reads = folder / "embedding.npy", folder / "reads.json"
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            if take_kept(whole):
                log.info("embedding of %s rows found in the cache", f"{len(texts):,}")
            else:
                message = "embedding %s rows by %s (once: it is kept)"
                log.info(message, f"{len(texts):,}", item.model)
                blocks = folder / "blocks"
                blocks.mkdir(exist_ok=True)
                made = embed(texts, item.model, item.revision, blocks)
                with keeping(whole) as temporary:
                    np.save(temporary, made)
                remove(blocks)
            if not take_kept(reads):
                counted = count_reads(texts, item.model, item.revision)
                with keeping(reads) as temporary:
                    temporary.write_text(json.dumps(counted._asdict()))
            notes = Reads(**read_json(reads)).notes()
            array = user_embedding(whole, len(texts))
    return array, {**item.model_dump(), "model_sha256": model}, tuple(notes)


def automatic(rows: int) -> list[int]:
    """The cluster counts tried for a pool: powers of two, from 2 for small pools."""
    most = min(LARGEST, rows // ROWS_EACH)
    least = SMALLEST if most >= 8 * SMALLEST else 2  # at least four counts, where possible
    return [k for k in (2**i for i in range(1, 13)) if least <= k <= most] or [1]


def pool_clusters(
    embeddings: np.ndarray, k: Sequence[int] | Literal["auto"], seed: int
) -> tuple[Clustering, dict[str, Any], tuple[str, ...]]:
    """The clustering of best silhouette, the smallest k of equals; its card and notes."""
    rows = len(embeddings)
    tried = automatic(rows) if k == "auto" else list(k)
    clusterings = {count: kmeans(embeddings, count, seed) for count in progress(tried, "cluster")}
    silhouettes = {count: one.silhouette for count, one in clusterings.items()}
    best = clusterings[best_k(silhouettes)]
    by_count = {str(count): value for count, value in silhouettes.items()}
    card = {"k": best.k, "seed": seed, "silhouettes": by_count, "inertia": best.inertia}
    notes = []
    if at_the_end(best.k, silhouettes):
        notes.append(f"k is {best.k}, the largest tried: give --k larger ones to see if they suit")
    if best.silhouette is None and (k == "auto" or len(tried) > 1):
        notes.append(f"k is {best.k}: no number of clusters tried on {rows} rows has a silhouette")
    return best, card, tuple(notes)


def choose(
    choices: Choices, inputs: ToolInputs, rows: int, sampler: str | None = None, more: int = 0
) -> tuple[np.ndarray, dict[str, Any]]:
    """Choose by the command's sampler, or by ``sampler`` with default knobs; see `subsets.chosen`.

    ``more`` is added to the seed.
    """
    name, params = (sampler, {}) if sampler else (choices.sampler, choices.params)
    read = {"embedding": "given", "k": inputs.seen.clustering.k, "budget": rows}
    item = Selection.model_validate({"sampler": name, **read, **params})
    if choices.keep_best is not None and not sampler:
        best = {"quality": choices.quality, "keep_best": choices.keep_best}
        item = ScoredSelection.model_validate({**item.model_dump(), **best})
    choose_one = subsets.choose_with(item, inputs.seen, rows)
    return subsets.chosen(name, choose_one, (choices.seed + more) % 2**32)
