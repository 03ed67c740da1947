"""Training a cell: one model a seed, each trained once."""

import os
from datetime import UTC, datetime
from typing import Any

from harness.common import layout
from harness.common.disk_errors import naming
from harness.common.files import read_json, replacing_folder, value_hash, write_json
from harness.common.schemas import PoolRows, read_pool
from harness.common.stores import kept, locked, model_store, scratch_folder, seal
from harness.common.timings import set_apart
from harness.params.params import Cell, Params
from harness.selecting.prefixes import cell_subset
from harness.training.weights import BASE, base_hash, deleted_file, model_hash

EMPTY = "empty.json"
NO_SEED = "none of this group's seeds is among the selection's seeds"


def train_cell(params: Params, cell: Cell, code: str) -> None:
    """Train one model a seed and write their manifests to the cell's ``train`` folder.

    ``code`` is the hash of the code that trains; other code trains again.
    """
    reference = params.references.get(cell.of)
    untrained = reference is not None and reference.rows == "none"
    manifests: dict[int, dict[str, Any]] = {}
    pool = None if untrained or not cell.seeds else read_pool()
    base = base_hash(cell.base)
    for seed in cell.seeds:
        if pool is None:
            nothing = {"steps": 0, "tokens": 0, "flops": 0.0, "seconds": 0.0, "loss_curve": []}
            manifests[seed] = {"weights": BASE, "base_hash": base, **nothing}
        else:
            rows = pool.with_ids(cell_subset(params, cell, seed)["id"].tolist())
            manifests[seed] = _train_seed(params, cell.base, rows, base, code, seed)
    with replacing_folder(layout.RUNS / cell.path / "train") as folder:
        for seed, manifest in manifests.items():
            file = folder / f"seed_{seed}.json"
            write_json(file, {"selection": cell.of, "seed": seed, **manifest})
        if not cell.seeds:
            empty = {"selection": cell.of, "group": cell.group, "reason": NO_SEED}
            write_json(folder / EMPTY, empty)
        set_apart(folder, layout.RUNS / cell.path / "train")


def _train_seed(
    params: Params, model: str, rows: PoolRows, base: str, code: str, seed: int
) -> dict[str, Any]:
    from harness.training.sft import train

    parts = {
        "base_hash": base,
        "subset_hash": value_hash(rows.frame["messages"].tolist()),
        "params_hash": value_hash(params.train.recipe),
    }
    key = value_hash({**parts, "code": code, "seed": seed})[:32]
    store = model_store() / key
    scratch = scratch_folder("train", key)
    with locked(scratch):
        if not store.exists() and deleted_file(key).is_file():
            return read_json(deleted_file(key))  # an equal cell has trained and evaluated it
        if (files := kept(store)) is None:
            # One line an attempt: shows trainings begun twice, and that none ran concurrently.
            attempts = scratch / "attempts.log"
            with naming(attempts), attempts.open("a") as log:
                log.write(f"{os.getpid()} {datetime.now(UTC).isoformat()}\n")
            with replacing_folder(store) as folder:
                messages = list(rows.conversations())
                base_model = layout.BASE_MODELS / model
                made = train(base_model, messages, folder, params.train, seed, rows.names)
                write_json(folder / "manifest.json", {**parts, "weights": key, **made})
                files = seal(folder)
        return {**read_json(store / "manifest.json"), "model_hash": model_hash(files)}
