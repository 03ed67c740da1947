"""What each subset is and what it cost: rows, scores, planted noise, seconds, tokens."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness import layout
from harness.errors import InputError
from harness.files import read_json
from harness.params import Params
from harness.report.reading import Row
from harness.schemas import SCORES, TRUTH, read_frame, read_subset

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class PoolFacts:
    """What is known of the pool's rows, by id; ``truth`` is empty outside the lab."""

    scores: "pd.DataFrame"
    truth: "pd.DataFrame"


def read_pool_facts() -> PoolFacts:
    """Read the scores and the planted truth of the pool."""
    scores = read_frame(layout.SCORES_FILE, SCORES).set_index("id")
    return PoolFacts(scores, read_frame(layout.TRUTH_FILE, TRUTH).set_index("id"))


def subset_facts(params: Params, study: str, row: Row, pool: PoolFacts) -> dict[str, float]:
    """Means over seeds of what a row's subsets hold and cost; NaN where it does not apply."""
    home = params.home(row.name)
    info = read_json(layout.selection_file(home, row.name))["seeds"]
    rows: dict[str, list[float]] = {name: [] for name in _columns(params, pool)}
    for group in params.all_groups():
        for seed in (s for s in params.seeds_of(row.name, group) if s in row.seeds):
            path = layout.subset_folder(home, row.name) / group / f"seed_{seed}.parquet"
            ids = read_subset(path, params.subset_stage(row.name))["id"].tolist()
            for name, value in _one_subset(params, ids, pool).items():
                rows[name].append(value)
            rows["select_seconds"].append(float(info[str(seed)]["seconds"]))
            if params.selections_rounds:
                rows["select_tokens"].append(_tokens(info[str(seed)]))
            rows["train_seconds"].append(float(row.manifests[seed]["seconds"]))
            rows["train_tokens"].append(float(row.manifests[seed]["tokens"]))
    return {name: float(np.mean(values)) for name, values in rows.items()}


def _columns(params: Params, pool: PoolFacts) -> list[str]:
    planted = ["noise_share", "skills_reached"] if len(pool.truth) else []
    loops = ["select_tokens"] if params.selections_rounds else []
    took = ["select_seconds", *loops, "train_seconds", "train_tokens"]
    return ["rows", *params.scorers, *planted, *took]


def _tokens(cost: Mapping[str, Any]) -> float:
    """Those that models trained on, generated, scored and embedded to choose a subset."""
    spent = cost.get("feedback", {})
    return float(sum(value for name, value in spent.items() if name.startswith("tokens")))


def _one_subset(params: Params, ids: list[str], pool: PoolFacts) -> dict[str, float]:
    unknown = next((i for i in ids if i not in pool.scores.index), None)
    if unknown is not None:
        raise InputError(
            f"{layout.SCORES_FILE}: no row {unknown!r}; run dvc repro to score the pool"
        )
    found = {"rows": float(len(ids))}
    for name in params.scorers:
        found[name] = float(pool.scores.loc[ids, name].mean()) if len(ids) else float("nan")
    if len(pool.truth):
        truth = pool.truth.loc[ids]
        noise = truth["noise"] != "none"
        found["noise_share"] = float(noise.mean()) if len(ids) else float("nan")
        found["skills_reached"] = truth["skill"].nunique() / pool.truth["skill"].nunique()
    return found
