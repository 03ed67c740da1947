"""What a system looks at, made of the user's pool and files; and the system's choice."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import selecting
from harness.errors import InputError
from harness.params import Selection
from harness.samplers import NEEDS, are_unit
from harness.schemas import PoolRows
from harness.select_command.choices import Choices
from harness.select_command.clusters import Clusters, one_cluster, pool_clusters
from harness.select_command.scores import Scores, pool_quality, pool_scores
from harness.select_command.vectors import Vectors, pool_vectors

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Inputs:
    """What is known of a pool's instances; None where nothing asked for it.

    Attributes:
        frame: the instances' rows.
        scores: their ids and a column a score; empty where none is wanted.
        quality: (n,) float64.
        notes: what was changed on the way and should be known.
        quality_notes: what the quality does not tell apart.
    """

    frame: "pd.DataFrame"
    scores: Scores
    quality: np.ndarray | None
    vectors: Vectors | None
    clusters: Clusters | None
    notes: tuple[str, ...]
    quality_notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Chosen:
    """Indices in the order of selection, what the system warned of, and the seconds it took."""

    picks: np.ndarray
    notes: tuple[str, ...]
    seconds: float


def rows_wanted(choices: Choices, rows: int) -> int:
    """The budget as a number of rows; InputError where the pool has fewer, or fewer than k."""
    wanted = choices.budget
    if isinstance(wanted, float):
        wanted = max(1, round(wanted * rows))
    if wanted > rows:
        raise InputError(f"--budget {wanted}: the pool has {rows:,} rows; give at most that")
    most = max(choices.k) if isinstance(choices.k, tuple) else 1
    if most > rows:
        raise InputError(f"--k {most}: the pool has {rows:,} rows; give at most that")
    return wanted


def make_inputs(choices: Choices, frame: "pd.DataFrame") -> Inputs:
    """Embed, cluster and score as far as it is wanted; InputError says what does not fit."""
    # A file that does not fit is told before a model is set to work.
    vectors = pool_vectors(choices, frame) if choices.embeddings else None
    scores = pool_scores(choices, frame)
    quality, of_quality = pool_quality(choices, scores)
    vectors = vectors or pool_vectors(choices, frame)
    clusters, notes = None, list[str]()
    if vectors is not None:
        notes += vectors.notes
        array = vectors.array
        if "unit" in NEEDS[choices.sampler] and not are_unit(array):
            # Here and not only where the sampler gets them: the subset is measured on them too.
            vectors = replace(vectors, array=selecting.rows_for(choices.sampler, array))
            notes.append(
                f"rows of {choices.embeddings} scaled to length 1: {choices.sampler} compares them"
                " by cosine"
            )
        if choices.k is not None:
            clusters = pool_clusters(vectors.array, choices.k, choices.cluster_seed)
            notes += clusters.notes
    return Inputs(frame, scores, quality, vectors, clusters, tuple(notes), of_quality)


def choose(choices: Choices, inputs: Inputs, rows: int, sampler: str | None = None) -> Chosen:
    """Choose as the pipeline does, by the sampler of the command or by another without knobs."""
    n = len(inputs.frame)
    array = np.ones((n, 1), dtype=np.float32)  # for those that look at no vector
    if inputs.vectors is not None:
        array = inputs.vectors.array
    clustering = one_cluster(*array.shape)
    if inputs.clusters is not None:
        clustering = inputs.clusters.clustering
    given: dict[str, Any] = choices.params if sampler is None else {}
    name = sampler or choices.sampler
    selection = Selection.model_validate({"sampler": name, "k": clustering.k, **given})
    costs = np.ones(n, dtype=np.int64)
    seen = selecting.Inputs(
        PoolRows(inputs.frame), array, clustering, costs, inputs.quality, None, inputs.quality_notes
    )
    choose_one = selecting.choose_with(selection, seen, rows)
    picks, cost = selecting.chosen(name, choose_one, choices.seed)
    return Chosen(picks, tuple(cost["notes"]), cost["seconds"])
