"""Describing a cell: what each of its subsets is, and what choosing it cost."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_array, read_json, replacing_folder
from harness.describing.files import Described, SeedFacts, described_folder, write_described
from harness.describing.measures import PoolView, describe_subset, entropy
from harness.describing.pool import read_pool_ids, read_pool_truth, read_pool_view
from harness.describing.reads import read_score_costs, reads, scores_read, scoring_seconds
from harness.params.params import Cell, Params
from harness.round_systems.loop import MODEL_CALLS
from harness.selecting.prefixes import cell_subset

if TYPE_CHECKING:
    import pandas as pd

NOISE = "cluster_noise.npy"
WEIGHED = "effective_clusters"  # what a round that weighed clusters tells


def describe_cell(params: Params, cell: Cell) -> None:
    """Measure each of a cell's subsets and write it to ``data/described``.

    Of a selection in rounds, what its rounds saw is copied along, for the reports of one study
    alone. Raises InputError naming the file that is missing, or of another pool.
    """
    ids = read_pool_ids()
    costs = _read(layout.selection_folder(cell.of) / "costs.json", params.subset_stage(cell.of))
    told = read_score_costs(params)
    view = read_pool_view(params, ids)
    scoring = scoring_seconds(told, scores_read(params, cell.of))
    seeds = {}
    for seed in cell.seeds:
        cost = costs["seeds"].get(str(seed))
        if cost is None:
            stage = params.subset_stage(cell.of)
            raise InputError(
                f"{layout.selection_folder(cell.of)}: nothing of seed {seed}; dvc repro {stage}"
            )
        subset = cell_subset(params, cell, seed)
        seeds[seed] = _facts(params, cell, view, _picks(cell, subset, ids), subset, cost)
        seeds[seed].cost["scoring_seconds"] = scoring
    kind = "selection" if cell.of in params.every_selection else "reference"
    found = Described(cell, kind, str(costs["sampler"]), reads(params, cell.of), seeds)
    with replacing_folder(described_folder(cell)) as folder:
        write_described(folder, found)
        if cell.of in params.selections_rounds:
            _copy_rounds(cell, folder, ids, costs)


def _read(path: Path, stage: str) -> Any:  # noqa: ANN401  (any type)
    _there(path, stage)
    return read_json(path, f"dvc repro {stage}")


def _there(path: Path, stage: str) -> None:
    if not path.is_file():
        raise InputError(f"{path}: no such file; dvc repro {stage}")


def _picks(cell: Cell, subset: "pd.DataFrame", ids: list[str]) -> np.ndarray:
    places = {name: i for i, name in enumerate(ids)}
    names = subset["id"].tolist()
    unknown = next((name for name in names if name not in places), None)
    if unknown is not None:
        raise InputError(f"{layout.subset_folder(cell.of)}: the pool has no row {unknown!r}")
    return np.array([places[name] for name in names], dtype=np.int64)


def _facts(
    params: Params,
    cell: Cell,
    view: PoolView,
    picks: np.ndarray,
    subset: "pd.DataFrame",
    cost: Mapping[str, Any],
) -> SeedFacts:
    measures: dict[str, float] = {}
    item = params.every_selection.get(cell.of)
    if len(picks):
        measures = describe_subset(view, picks)
        if item is not None and getattr(item, "quality", None):
            measures["own_quality"] = float(subset["score"].to_numpy().mean())
        if item is not None and item.k != 1:  # one cluster tells nothing
            labels = subset["cluster"].to_numpy()
            measures["own_cluster_entropy"] = entropy(labels)
            measures["own_clusters_reached"] = len(np.unique(labels)) / cost["clusters_held"]
    feedback = cost.get("feedback", {})
    # A judge without prices: what it cost is not known.
    unpriced = float("nan") if "judge_answers" in feedback else 0.0
    spent = {
        "seconds": float(cost["seconds"]),
        "peak_memory_mb": float(cost["peak_memory_mb"]),
        "model_calls": float(sum(feedback.get(name, 0) for name in MODEL_CALLS)),
        "tokens": float(sum(v for name, v in feedback.items() if name.startswith("tokens"))),
        "usd": float(feedback.get("usd", unpriced)),
    }
    return SeedFacts(picks, measures, spent, tuple(cost.get("notes", ())))


def _copy_rounds(cell: Cell, folder: Path, ids: list[str], costs: Mapping[str, Any]) -> None:
    """Copy what each round of the cell's seeds saw, with the planted noise of its clusters."""
    seen, stage = layout.selection_folder(cell.of), f"select_rounds@{cell.of}"
    for seed in cell.seeds:
        source = seen / cell.group / f"seed_{seed}"
        if any(WEIGHED in entry for entry in _read(source / "rounds.json", stage)):
            for name in ("clusters.parquet", "instances.parquet"):
                _there(source / name, stage)
        shutil.copytree(source, folder / f"seed_{seed}")
    truth = read_pool_truth(ids)
    if truth is None:
        return
    labels = read_array(seen / "labels.npy", stage)
    k = next(iter(costs["seeds"].values()))["clusters_total"]  # the cell may have no seed
    faulty = (truth["noise"] != "none").to_numpy()
    sizes = np.bincount(labels, minlength=k)
    np.save(folder / NOISE, np.bincount(labels[faulty], minlength=k) / np.maximum(sizes, 1))
