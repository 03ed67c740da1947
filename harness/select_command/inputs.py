"""What a system looks at, made of the user's pool and files; and the system's choice."""

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import numpy as np

from harness import selecting
from harness.clustering import Clustering, at_the_end, best_k, kmeans
from harness.embedding import MINILM_SHA256, count_reads, embed, embedded_texts
from harness.embedding_files import Reads, user_embedding
from harness.errors import InputError
from harness.files import file_hash, folder_hash, read_json, value_hash
from harness.knobs import all_knobs
from harness.models import model_folder
from harness.params import EmbeddingParams, ScorerParams, Selection
from harness.pools.places import locate
from harness.progress import progress
from harness.quality import quality_notes, quality_vector
from harness.refusals import naming
from harness.samplers import SAMPLERS, are_unit
from harness.scorers import SCORERS
from harness.scorers.columns import make_scores
from harness.scorers.loading import find_model, model_hash
from harness.select_command.choices import Choices
from harness.stores import keeping, locked, take_kept

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

T = TypeVar("T")
SMALLEST, LARGEST = 16, 4096  # powers of two, as table 5 of arXiv 2409.11378 has from 64 to 8192
ROWS_EACH = 8  # on average, in the clusters of the largest k that is tried


@dataclass(frozen=True)
class Made(Generic[T]):
    """What was made of a pool, what the provenance says of it, and what should be known."""

    value: T
    card: dict[str, Any]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ToolInputs:
    """What is known of a pool's instances; None where nothing asked for it.

    Attributes:
        frame: the instances' rows.
        scores: their ids and a column a score; only the ids where none is wanted.
        quality: (n,) float64; its notes say what it does not tell apart.
        vectors: (n, d) float32.
        clusters: of the vectors.
    """

    frame: "pd.DataFrame"
    scores: "Made[pd.DataFrame]"
    quality: Made[np.ndarray] | None
    vectors: Made[np.ndarray] | None
    clusters: Made[Clustering] | None

    @property
    def notes(self) -> list[str]:
        """What was changed on the way and should be known."""
        return [note for made in (self.vectors, self.clusters) if made for note in made.notes]


def rows_wanted(choices: Choices, rows: int) -> int:
    """The budget as a number of rows; InputError where the pool has fewer, or fewer than k."""
    wanted = choices.budget
    if isinstance(wanted, float):
        wanted = max(1, round(wanted * rows))
    most = max(choices.k) if isinstance(choices.k, tuple) else 1
    for option, number in (("--budget", wanted), ("--k", most)):
        if number > rows:
            raise InputError(f"{option} {number}: the pool has {rows:,} rows; give at most that")
    return wanted


def make_inputs(choices: Choices, frame: "pd.DataFrame") -> ToolInputs:
    """Embed, cluster and score as far as it is wanted; InputError says what does not fit."""
    # A file that does not fit is refused before a model is set to work.
    vectors = _own_vectors(choices.embeddings, len(frame)) if choices.embeddings else None
    scores, _ = make_scores(frame, choices.scorers, store=choices.cache / "scores")
    cards = {name: _score_card(item) for name, item in choices.scorers.items()}
    quality = None
    if choices.quality is not None:
        values = quality_vector(choices.quality, scores)
        quality = Made(values, {}, quality_notes(choices.quality, scores))
    if choices.embedding is not None:
        vectors = pool_vectors(choices.embedding, frame, choices.cache)
    clusters = None
    if vectors is not None:
        if "unit" in SAMPLERS[choices.sampler].needs and not are_unit(vectors.value):
            # Here and not only where the sampler gets them: the subset is measured on them too.
            array = selecting.rows_for(choices.sampler, vectors.value)
            told = f"scaled to length 1: {choices.sampler} compares them by cosine"
            notes = (*vectors.notes, f"rows of {choices.embeddings} {told}")
            vectors = Made(array, vectors.card, notes)
        if choices.k is not None:
            clusters = pool_clusters(vectors.value, choices.k, choices.cluster_seed)
    return ToolInputs(frame, Made(scores, cards), quality, vectors, clusters)


def _score_card(item: ScorerParams) -> dict[str, Any]:
    """What the provenance says of a score: its scorer, knobs, and what was read."""
    card = all_knobs(SCORERS[item.scorer], item.scorer_params)
    if "model" in card:
        card["model_sha256"] = model_hash(find_model(card["model"], card["revision"]))
    if "file" in card:
        card["sha256"] = file_hash(locate(card["file"]))
    return {"scorer": item.scorer, **card}


def _own_vectors(file: str, rows: int) -> Made[np.ndarray]:
    path = Path(file).expanduser()
    return Made(user_embedding(path, rows), {"file": file, "sha256": file_hash(path)})


def pool_vectors(item: EmbeddingParams, frame: "pd.DataFrame", cache: Path) -> Made[np.ndarray]:
    """The embedding of a pool's instances, made once and kept; InputError for a model not had."""
    texts = embedded_texts(frame, item.text)
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
                told = "embedding %s rows by %s (once: it is kept)"
                log.info(told, f"{len(texts):,}", item.model)
                made = embed(texts, item.model, item.revision, folder)
                assert isinstance(made, np.memmap)
                # The blocks that a killed run goes on from are the embedding once all are done.
                with keeping(whole) as temporary:
                    Path(str(made.filename)).replace(temporary)
                (folder / "done.json").unlink()
            if not take_kept(reads):
                counted = count_reads(texts, item.model, item.revision)
                with keeping(reads) as temporary:
                    temporary.write_text(json.dumps(counted._asdict()))
            notes = Reads(**read_json(reads)).notes()
            array = user_embedding(whole, len(texts))
    return Made(array, {**item.model_dump(), "model_sha256": model}, tuple(notes))


def automatic(rows: int) -> list[int]:
    """The numbers of clusters tried for a pool: powers of two; from 2 where the pool is small."""
    most = min(LARGEST, rows // ROWS_EACH)
    least = SMALLEST if most >= 8 * SMALLEST else 2  # four numbers at least, where there can be
    return [k for k in (2**i for i in range(1, 13)) if least <= k <= most] or [1]


def pool_clusters(
    embeddings: np.ndarray, k: Sequence[int] | Literal["auto"], seed: int
) -> Made[Clustering]:
    """k-means for each number tried; of several, that of best silhouette, of equals the fewest."""
    rows = len(embeddings)
    tried = automatic(rows) if k == "auto" else list(k)
    found = {count: kmeans(embeddings, count, seed) for count in progress(tried, "cluster")}
    silhouettes = {count: one.silhouette for count, one in found.items()}
    best = found[best_k(silhouettes)]
    told = {str(count): height for count, height in silhouettes.items()}
    card = {"k": best.k, "seed": seed, "silhouettes": told, "inertia": best.inertia}
    notes = []
    if at_the_end(best.k, silhouettes):
        notes.append(f"k is {best.k}, the largest tried: give --k larger ones to see if they suit")
    if best.silhouette is None and (k == "auto" or len(tried) > 1):
        notes.append(f"k is {best.k}: no number of clusters tried on {rows} rows has a silhouette")
    return Made(best, card, tuple(notes))


def choose(
    choices: Choices, inputs: ToolInputs, rows: int, sampler: str | None = None
) -> tuple[np.ndarray, dict[str, Any]]:
    """Choose as the pipeline does, by the sampler of the command or by another without knobs.

    Returns indices in the order of selection, and what `selecting.chosen` says of the choice.
    """
    n = len(inputs.frame)
    # Ones for those that look at no vector, one cluster for those that read none.
    array = inputs.vectors.value if inputs.vectors else np.ones((n, 1), dtype=np.float32)
    whole = np.zeros((1, array.shape[1]), dtype=np.float32)
    clustering = Clustering(np.zeros(n, dtype=np.int64), whole, 0.0, None, 0)
    if inputs.clusters is not None:
        clustering = inputs.clusters.value
    name = sampler or choices.sampler
    params = choices.params if sampler is None else {}
    selection = Selection.model_validate({"sampler": name, "k": clustering.k, **params})
    quality, notes = None, ()
    if inputs.quality is not None:
        quality, notes = inputs.quality.value, inputs.quality.notes
    costs = np.ones(n, dtype=np.int64)
    seen = selecting.Inputs(inputs.frame, array, clustering, costs, quality, None, notes)
    return selecting.chosen(name, selecting.choose_with(selection, seen, rows), choices.seed)
