"""Describing a cell: what each of its subsets is, and what selecting it cost."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_array, replacing_folder, write_json
from harness.common.schemas import read_pool
from harness.common.timings import set_apart
from harness.describing.files import (
    NOISE,
    Described,
    SeedFacts,
    described_folder,
    read_stage_json,
    write_described,
)
from harness.describing.measures import describe_subset, entropy
from harness.describing.pool import read_pool_truth, read_pool_view
from harness.describing.reads import reads, shared_cost
from harness.describing.shared_costs import read_shared_costs
from harness.params.params import Cell, Params
from harness.round_systems.loop import MODEL_CALLS
from harness.selecting.prefixes import cell_subset

if TYPE_CHECKING:
    import pandas as pd

WEIGHED = "effective_clusters"  # in the entry of a round that weighed clusters


def describe_cell(params: Params, cell: Cell) -> None:
    """Measure each of a cell's subsets and write the facts to ``data/described``.

    Of a selection in rounds, what its rounds saw is copied too, for the reports of its study.
    Raises InputError naming a file that is missing or belongs to another pool.
    """
    ids, stage = read_pool().ids, params.subset_stage(cell.of)
    costs = read_stage_json(layout.selection_folder(cell.of) / "costs.json", stage)
    shared = shared_cost(params, read_shared_costs(params), cell.of)
    view = read_pool_view(params, ids)
    seeds = {}
    for seed in cell.seeds:
        cost = costs["seeds"].get(str(seed))
        if cost is None:
            raise InputError(
                f"{layout.selection_folder(cell.of)}: nothing of seed {seed}; dvc repro {stage}"
            )
        subset = cell_subset(params, cell, seed)
        picks = _picks(cell, subset, ids)
        measures = (
            describe_subset(view, picks) | _own(params, cell, subset, cost) if len(picks) else {}
        )
        seeds[seed] = SeedFacts(
            picks, measures, _spent(cost) | shared, tuple(cost.get("notes", ()))
        )
    kind = "selection" if cell.of in params.every_selection else "reference"
    described = Described(cell, kind, str(costs["sampler"]), reads(params, cell.of), seeds)
    with replacing_folder(described_folder(cell)) as folder:
        write_described(folder, described)
        if cell.of in params.selections_rounds:
            _copy_rounds(cell, folder, ids, costs)
        set_apart(folder, described_folder(cell))


def _picks(cell: Cell, subset: "pd.DataFrame", ids: list[str]) -> np.ndarray:
    index = {name: i for i, name in enumerate(ids)}
    names = subset["id"].tolist()
    unknown = next((name for name in names if name not in index), None)
    if unknown is not None:
        raise InputError(f"{layout.subset_folder(cell.of)}: the pool has no row {unknown!r}")
    return np.array([index[name] for name in names], dtype=np.int64)


def _own(
    params: Params, cell: Cell, subset: "pd.DataFrame", cost: Mapping[str, Any]
) -> dict[str, float]:
    """Measures on the quality and the clusters that the selection itself reads."""
    measures, item = {}, params.every_selection.get(cell.of)
    if getattr(item, "quality", None):
        measures["own_quality"] = float(subset["score"].to_numpy().mean())
    if item is not None and item.k != 1:  # a single cluster says nothing
        labels = subset["cluster"].to_numpy()
        measures["own_cluster_entropy"] = entropy(labels)
        measures["own_clusters_reached"] = len(np.unique(labels)) / cost["clusters_held"]
    return measures


def _spent(cost: Mapping[str, Any]) -> dict[str, float]:
    feedback = cost.get("feedback", {})
    judged = "judge_answers" in feedback
    # What a judge computed is not known, nor what one without prices cost.
    unknown = float("nan")
    return {
        "seconds": float(cost["seconds"]),
        "peak_memory_mb": float(cost["peak_memory_mb"]),
        "model_calls": float(sum(feedback.get(name, 0) for name in MODEL_CALLS)),
        "tokens": float(sum(v for name, v in feedback.items() if name.startswith("tokens"))),
        "flops": unknown if judged else float(feedback.get("flops", 0)),
        "usd": float(feedback.get("usd", unknown if judged else 0)),
    }


def _copy_rounds(cell: Cell, folder: Path, ids: list[str], costs: Mapping[str, Any]) -> None:
    """Copy what each round of the cell's seeds saw, with the planted noise of its clusters."""
    selection, stage = layout.selection_folder(cell.of), f"select_rounds@{cell.of}"
    for seed in cell.seeds:
        source = selection / cell.group / f"seed_{seed}"
        rounds = read_stage_json(source / "rounds.json", stage)
        if any(WEIGHED in entry for entry in rounds):
            for path in (source / "clusters.parquet", source / "instances.parquet"):
                if not path.is_file():
                    raise InputError(f"{path}: no such file; dvc repro {stage}")
        shutil.copytree(source, folder / f"seed_{seed}")
        write_json(folder / f"seed_{seed}" / "rounds.json", rounds)
    truth = read_pool_truth(ids)
    if truth is None:
        return
    labels = read_array(selection / "labels.npy", stage)
    k = next(iter(costs["seeds"].values()))["clusters_total"]  # the cell may have no seed
    faulty = (truth["noise"] != "none").to_numpy()
    sizes = np.bincount(labels, minlength=k)
    np.save(folder / NOISE, np.bincount(labels[faulty], minlength=k) / np.maximum(sizes, 1))
