"""What the subsets of a pool are measured against."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.clustering.files import read_clustering
from harness.common import layout
from harness.common.errors import InputError
from harness.common.schemas import SCORES, TRUTH, Table, read_frame
from harness.describing.measures import PoolView
from harness.embedding.files import read_embedding
from harness.params.params import Params
from harness.selecting.budget import read_costs
from harness.selecting.quality import quality_vector

if TYPE_CHECKING:
    import pandas as pd

AUTO = "auto"


def read_pool_scores(ids: list[str]) -> "pd.DataFrame":
    """The scores of the pool's rows; InputError where they are of another pool."""
    return _of_pool(ids, layout.SCORES_FILE, SCORES, "score")


def read_pool_truth(ids: list[str]) -> "pd.DataFrame | None":
    """What was planted in the pool's rows; None outside the lab, where the file has no row."""
    truth = _of_pool(ids, layout.TRUTH_FILE, TRUTH, "prepare", empty=True)
    return truth if len(truth) else None


def read_pool_view(params: Params, ids: list[str]) -> PoolView:
    """Read embedding, tokens, scores, quality, clusters and truth, the same for every subset."""
    scores, truth = read_pool_scores(ids), read_pool_truth(ids)
    embedding = params.defaults.embedding
    folder = layout.cluster_folder(embedding, common_k(params))
    _, quality = report_quality(params)
    view = PoolView(
        np.asarray(read_embedding(embedding, layout.POOL_FILE)),
        tokens=read_costs("tokens", len(ids)),
        scores={name: scores[name].to_numpy(dtype=np.float64) for name in params.scorers},
        quality=quality_vector(quality, scores) if quality else None,
        labels=read_clustering(folder, len(ids)).labels,
    )
    if truth is None:
        return view
    noise, skills, families = (truth[name].to_numpy(str) for name in ("noise", "skill", "family"))
    return replace(view, noise=noise, skills=skills, families=families)


def report_quality(params: Params) -> tuple[str | None, str | None]:
    """The scorer and the quality made of it, 0-1, by which all subsets are measured.

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
    chosen = layout.cluster_folder(params.defaults.embedding, AUTO) / "info.json"
    return AUTO if chosen.is_file() else max(params.cluster.k)


def _of_pool(
    ids: list[str], path: Path, table: Table, stage: str, empty: bool = False
) -> "pd.DataFrame":
    frame = read_frame(path, table, f"dvc repro {stage}")
    if frame["id"].tolist() != ids and not (empty and frame.empty):
        raise InputError(f"{path}: rows of another pool than {layout.POOL_FILE}; dvc repro {stage}")
    return frame
