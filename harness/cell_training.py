"""Training a cell: one model a seed, each trained once."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import layout
from harness.cells import BASE, base_hash, model_hash
from harness.files import read_json, replacing_folder, value_hash, write_json
from harness.params import Params
from harness.refusals import naming
from harness.schemas import PoolRows, read_pool, read_subset
from harness.stores import kept, locked, model_store, scratch_folder, seal

EMPTY = "empty.json"
NO_SEED = "none of this group's seeds is among the selection's seeds"


def train_cell(
    params: Params, study: str, selection: str, group: str, subsets: Path, code: str
) -> None:
    """Train one model a seed and write their manifests to the cell's ``train`` folder.

    Args:
        params: the pipeline's.
        study: where the cell lies.
        selection: its selection.
        group: its seed group.
        subsets: the folder of the selection's subsets for this group.
        code: the hash of the code that trains; other code trains again.
    """
    out = layout.cell_folder(study, selection, group) / "train"
    seeds = params.seeds_of(selection, group)
    reference = params.references.get(selection)
    untrained = reference is not None and reference.rows == "none"
    manifests: dict[int, dict[str, Any]] = {}
    pool = None if untrained or not seeds else read_pool()
    base = base_hash()
    for seed in seeds:
        if pool is None:
            found = {"weights": BASE, "base_hash": base, "steps": 0, "tokens": 0, "seconds": 0.0}
            manifests[seed] = {**found, "loss_curve": []}
        else:
            stage = params.subset_stage(selection)
            subset = read_subset(subsets / f"seed_{seed}.parquet", stage)
            manifests[seed] = _train_seed(
                params, pool.with_ids(subset["id"].tolist()), base, code, seed
            )
    with replacing_folder(out) as folder:
        for seed, manifest in manifests.items():
            named = {"selection": selection, "seed": seed, **manifest}
            write_json(folder / f"seed_{seed}.json", named)
        if not seeds:
            write_json(folder / EMPTY, {"selection": selection, "group": group, "reason": NO_SEED})


def _train_seed(params: Params, rows: PoolRows, base: str, code: str, seed: int) -> dict[str, Any]:
    from harness.training import train

    parts = {
        "base_hash": base,
        "subset_hash": value_hash(rows.frame["messages"].tolist()),
        "params_hash": value_hash(params.train.model_dump(exclude={"keep_models"})),
    }
    key = value_hash({**parts, "code": code, "seed": seed})[:32]
    store = model_store() / key
    scratch = scratch_folder("train", key)
    with locked(scratch):
        if (files := kept(store)) is None:
            # One line an attempt: shows what was begun twice, and that none ran side by side.
            attempts = scratch / "attempts.log"
            with naming(attempts), attempts.open("a") as log:
                log.write(f"{os.getpid()} {datetime.now(UTC).isoformat()}\n")
            with replacing_folder(store) as folder:
                given = list(rows.conversations())
                made = train(layout.BASE_MODEL, given, folder, params.train, seed, rows.names)
                write_json(folder / "manifest.json", {**parts, "weights": key, **made})
                files = seal(folder)
        return {**read_json(store / "manifest.json"), "model_hash": model_hash(files)}
