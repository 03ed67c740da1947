"""Reading what the report of a study's subsets needs."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness import layout
from harness.budget import read_costs
from harness.clustering import read_clustering
from harness.embedding_files import read_embedding, read_notes
from harness.errors import InputError
from harness.files import read_json
from harness.params import Params
from harness.quality import quality_notes, quality_vector, read_quality
from harness.rounds import MODEL_CALLS
from harness.schemas import SCORES, TRUTH, read_frame, read_pool, read_subset
from harness.selection_report.costs import (
    ScoreCosts,
    read_score_costs,
    reads,
    scores_read,
    scoring_seconds,
)
from harness.selection_report.measures import PoolView

if TYPE_CHECKING:
    import pandas as pd

AUTO = "auto"


@dataclass(frozen=True)
class Subset:
    """One seed's choice of a selection or reference, and what choosing cost."""

    name: str
    kind: str  # selection or reference
    sampler: str
    seed: int
    picks: np.ndarray  # (m,) indices into the pool, in the order of selection
    seconds: float
    peak_memory_mb: float
    notes: tuple[str, ...]
    own_quality: np.ndarray | None  # (n,) what the selection reads, if it does
    own_labels: np.ndarray | None
    reads: str = ""  # in words
    scoring_seconds: float = 0.0  # of the scores that it reads
    model_calls: float = 0.0  # of a selection in rounds
    usd: float = 0.0


@dataclass(frozen=True)
class Inputs:
    """The pool and every subset of a study.

    Attributes:
        pool: what is measured against; its clusters are those that all subsets share.
        subsets: by selection in the study's order, then by seed; `none` is not among them.
        quality: the expression behind ``pool.quality``, 0-1; None where there is no scorer.
        scorer: the column it is made of.
        clusters: how many the shared clusters are, and whether `k: auto` chose them.
        costs: what each column of the scores cost.
        quality_notes: what ``pool.quality`` does not tell apart.
        embedding_notes: what there is to say of how the embedding was made.
    """

    pool: PoolView
    subsets: list[Subset]
    quality: str | None
    scorer: str | None
    clusters: tuple[int, bool]
    costs: ScoreCosts = field(default_factory=dict)
    quality_notes: tuple[str, ...] = ()
    embedding_notes: tuple[str, ...] = ()


def read_inputs(params: Params, study: str) -> Inputs:
    """Read pool, scores, truth, clusters and subsets; InputError names what is missing."""
    ids = read_pool().ids
    scores = _of_pool(read_frame(layout.SCORES_FILE, SCORES), ids, layout.SCORES_FILE, "score")
    truth = read_frame(layout.TRUTH_FILE, TRUTH)
    columns = {name: scores[name].to_numpy(dtype=np.float64) for name in params.scorers}
    scorer, quality = report_quality(params)
    common = common_k(params)
    clustering = read_clustering(layout.cluster_folder(common), len(ids))
    pool = PoolView(
        np.asarray(read_embedding(layout.EMBEDDINGS, params.embedding, layout.POOL_FILE)),
        tokens=read_costs("tokens", len(ids)),
        scores=columns,
        quality=quality_vector(quality, scores) if quality else None,
        labels=clustering.labels,
    )
    if len(truth):
        truth = _of_pool(truth, ids, layout.TRUTH_FILE, "prepare")
        pool = replace(
            pool, noise=truth["noise"].to_numpy(str), skills=truth["skill"].to_numpy(str)
        )
    places = {name: i for i, name in enumerate(ids)}
    costs = read_score_costs(params)
    subsets: list[Subset] = []
    for name in study_names(params, study):
        told = reads(params, name), scoring_seconds(costs, scores_read(params, name))
        found = _subsets(params, study, name, places)
        subsets += [replace(one, reads=told[0], scoring_seconds=told[1]) for one in found]
    if not subsets:
        raise InputError(f"params.yaml: studies.{study}: no selection of it takes any row")
    said = quality_notes(quality, scores) if quality else ()
    made = tuple(read_notes(layout.EMBEDDINGS, params.embedding))
    found = clustering.k, common == AUTO
    return Inputs(pool, subsets, quality, scorer, found, costs, said, made)


def _of_pool(frame: "pd.DataFrame", ids: list[str], path: Path, stage: str) -> "pd.DataFrame":
    if frame["id"].tolist() != ids:
        raise InputError(f"{path}: rows of another pool than {layout.POOL_FILE}; dvc repro {stage}")
    return frame


def study_names(params: Params, study: str) -> list[str]:
    """The selections and references of a study, each once."""
    return list(dict.fromkeys(name for name, _ in params.cells(study)))


def report_quality(params: Params) -> tuple[str | None, str | None]:
    """The scorer and the quality made of it, 0-1, that all subsets are measured by.

    The first reward model's, through a sigmoid; without one the first scorer's, min-max scaled;
    None of each without scorers.
    """
    rewards = [name for name, item in params.scorers.items() if item.scorer == "reward_model"]
    if rewards:
        return rewards[0], f"sigmoid({rewards[0]})"
    first = next(iter(params.scorers), None)
    return first, f"minmax({first})" if first else None


def common_k(params: Params) -> int | str:
    """The clustering that all subsets are measured on: `auto` if there is one, else the largest."""
    chosen = (layout.cluster_folder(AUTO) / "info.json").is_file()
    return AUTO if chosen else max(params.cluster.k)


def _subsets(params: Params, study: str, name: str, places: dict[str, int]) -> list[Subset]:
    reference = params.references.get(name)
    if reference is not None and reference.rows == "none":
        return []
    home = reference.study if reference else "main"
    info_file = layout.selection_file(home, name)
    info = read_json(info_file)
    own_quality, own_labels = _own(params, name, list(places))
    found = []
    for group in (g for n, g in params.cells(study) if n == name):
        for seed in params.seeds_of(name, group):
            path = layout.subset_folder(home, name) / group / f"seed_{seed}.parquet"
            cost = info["seeds"].get(str(seed))
            if cost is None:
                raise InputError(f"{info_file}: nothing of seed {seed}; run its stage again")
            feedback = cost.get("feedback", {})
            unpriced = float("nan") if "judge_answers" in feedback else 0.0
            subset = Subset(
                name=name,
                kind="reference" if reference else "selection",
                sampler=str(info["sampler"]),
                seed=seed,
                picks=_picks(path, places, params.subset_stage(name)),
                seconds=float(cost["seconds"]),
                peak_memory_mb=float(cost["peak_memory_mb"]),
                notes=tuple(cost.get("notes", ())),
                own_quality=own_quality,
                own_labels=own_labels,
                model_calls=float(sum(feedback.get(name, 0) for name in MODEL_CALLS)),
                usd=float(feedback.get("usd", unpriced)),
            )
            found.append(subset)
    return found


def _picks(path: Path, places: dict[str, int], stage: str) -> np.ndarray:
    ids = read_subset(path, stage).sort_values("order")["id"].tolist()
    unknown = next((i for i in ids if i not in places), None)
    if unknown is not None:
        raise InputError(f"{path}: the pool has no row {unknown!r}; dvc repro {stage}")
    if not ids:
        raise InputError(f"{path}: holds no row; dvc repro {stage}")
    return np.array([places[i] for i in ids], dtype=np.int64)


def _own(params: Params, name: str, ids: list[str]) -> tuple[np.ndarray | None, np.ndarray | None]:
    """The quality and the clusters that a selection reads, each (n,) or None."""
    item = params.every_selection.get(name)
    if item is None:
        return None, None
    labels = None
    if item.k != 1:  # one cluster tells nothing
        labels = read_clustering(layout.cluster_folder(item.k), len(ids)).labels
    return read_quality(item, ids)[0], labels
