"""Training a cell: one model a seed, each trained once."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import layout
from harness.cells import BASE
from harness.errors import InputError
from harness.files import (
    file_hash,
    read_json,
    replacing_folder,
    value_hash,
    weights_hash,
    write_json,
)
from harness.params import Params
from harness.schemas import POOL, SUBSET, read_frame
from harness.stores import locked, model_store, scratch_folder

if TYPE_CHECKING:
    import pandas as pd

EMPTY = "empty.json"
NO_SEED = "none of this group's seeds is among the selection's seeds"


def base_hash() -> str:
    """The hash of the base model's weights, its tokenizer and template."""
    folder = layout.BASE_MODEL
    texts = [file_hash(p) for p in sorted(folder.glob("*token*")) + sorted(folder.glob("*.jinja"))]
    return value_hash([weights_hash(folder), texts])


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
    pool = None if untrained or not seeds else read_frame(layout.POOL_FILE, POOL).set_index("id")
    base = base_hash()
    for seed in seeds:
        if pool is None:
            found = {"weights": BASE, "base_hash": base, "steps": 0, "tokens": 0, "seconds": 0.0}
            manifests[seed] = {**found, "loss_curve": []}
        else:
            subset = read_frame(subsets / f"seed_{seed}.parquet", SUBSET)
            manifests[seed] = _train_seed(params, pool.loc[subset["id"]], base, code, seed)
    with replacing_folder(out) as folder:
        for seed, manifest in manifests.items():
            named = {"selection": selection, "seed": seed, **manifest}
            write_json(folder / f"seed_{seed}.json", named)
        if not seeds:
            write_json(folder / EMPTY, {"selection": selection, "group": group, "reason": NO_SEED})


def _train_seed(
    params: Params, rows: "pd.DataFrame", base: str, code: str, seed: int
) -> dict[str, Any]:
    from harness.training import train

    parts = {
        "base_hash": base,
        "subset_hash": value_hash(rows["messages"].tolist()),
        "params_hash": value_hash(params.train.model_dump(exclude={"keep_models"})),
    }
    key = value_hash({**parts, "code": code, "seed": seed})[:32]
    store = model_store() / key
    scratch = scratch_folder("train", key)
    with locked(scratch):
        if (finished := _finished(store)) is not None:
            return finished
        # One line an attempt: shows which runs were begun twice, and that none ran side by side.
        with (scratch / "attempts.log").open("a") as log:
            log.write(f"{os.getpid()} {datetime.now(UTC).isoformat()}\n")
        with replacing_folder(store) as folder:
            messages = [json.loads(text) for text in rows["messages"]]
            made = train(layout.BASE_MODEL, messages, folder, params.train, seed, _names(rows))
            weights = weights_hash(folder)
            manifest = {**parts, "weights": key, "weights_hash": weights, **made}
            write_json(folder / "manifest.json", manifest)
    return manifest


def _names(rows: "pd.DataFrame") -> list[str]:
    return [f"instance {name!r}" for name in rows.index]


def _finished(store: Path) -> dict[str, Any] | None:
    """The manifest of a stored model; None where it or the weights are gone or damaged."""
    try:
        manifest = read_json(store / "manifest.json")
        return manifest if manifest["weights_hash"] == weights_hash(store) else None
    except (InputError, KeyError, TypeError):
        return None
