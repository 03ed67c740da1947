"""Training and evaluating a cell (a selection and a group of seeds), each seed once.

What a seed yields is kept under the hash of everything it depends on, outside DVC: a killed stage
goes on with the seeds it has not finished, a run that several studies list is trained once, and
two processes never do the same one.
"""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import layout
from harness.errors import InputError
from harness.files import (
    file_hash,
    folder_hash,
    read_json,
    replacing_folder,
    value_hash,
    weights_hash,
    write_json,
)
from harness.params import Params
from harness.schemas import HELDOUT, POOL, SAMPLES, SUBSET, read_frame, write_frame
from harness.stores import locked, model_store, scratch_folder

if TYPE_CHECKING:
    import pandas as pd

EMPTY = "empty.json"
BASE = "base"  # the weights of `none`: the base model as it is
NO_SEED = "none of this group's seeds is among the selection's seeds"


def base_hash() -> str:
    """The hash of the base model's weights, its tokenizer and template."""
    folder = layout.BASE_MODEL
    texts = [file_hash(p) for p in sorted(folder.glob("*token*")) + sorted(folder.glob("*.jinja"))]
    return value_hash([weights_hash(folder), texts])


def has_weights(folder: Path) -> bool:
    """Whether a model's weights lie in the folder."""
    return any(folder.glob("*.safetensors"))


def train_cell(params: Params, study: str, selection: str, group: str, subsets: Path) -> None:
    """Train one model a seed and write their manifests to the cell's ``train`` folder.

    Args:
        params: the pipeline's.
        study: where the cell lies.
        selection: its selection.
        group: its seed group.
        subsets: the folder of the selection's subsets for this group.
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
            manifests[seed] = _train_seed(params, pool.loc[subset["id"]], base, seed)
    with replacing_folder(out) as folder:
        for seed, manifest in manifests.items():
            named = {"selection": selection, "seed": seed, **manifest}
            write_json(folder / f"seed_{seed}.json", named)
        if not seeds:
            write_json(folder / EMPTY, {"selection": selection, "group": group, "reason": NO_SEED})


def _train_seed(params: Params, rows: "pd.DataFrame", base: str, seed: int) -> dict[str, Any]:
    from harness.training import train

    parts = {
        "base_hash": base,
        "subset_hash": value_hash(rows["messages"].tolist()),
        "params_hash": value_hash(params.train.model_dump(exclude={"keep_models"})),
    }
    key = value_hash({**parts, "seed": seed})[:32]
    store = model_store() / key
    scratch = scratch_folder("train", key)
    with locked(scratch):
        if (store / "manifest.json").is_file() and has_weights(store):
            return read_json(store / "manifest.json")
        # One line an attempt: shows which runs were begun twice, and that none ran side by side.
        with (scratch / "attempts.log").open("a") as log:
            log.write(f"{os.getpid()} {datetime.now(UTC).isoformat()}\n")
        with replacing_folder(store) as folder:
            messages = [json.loads(text) for text in rows["messages"]]
            made = train(layout.BASE_MODEL, messages, folder, params.train, seed)
            weights = weights_hash(folder)
            manifest = {**parts, "weights": key, "weights_hash": weights, **made}
            write_json(folder / "manifest.json", manifest)
    return manifest


def weights_folder(manifest: dict[str, Any], stage: str) -> Path:
    """Where a manifest's weights are; InputError names the stage to run where they are gone."""
    if manifest["weights"] == BASE:
        return layout.BASE_MODEL
    folder = model_store() / manifest["weights"]
    if not has_weights(folder):
        raise InputError(
            f"{folder}: the weights are gone; train them again: dvc repro -f -s {stage}"
        )
    return folder


def evaluate_cell(params: Params, study: str, selection: str, group: str, train_stage: str) -> None:
    """Evaluate each of the cell's models; write ``metrics.json`` and ``samples.parquet``."""
    import pandas as pd

    from harness.suites import load_suite

    cell = layout.cell_folder(study, selection, group)
    seeds = params.seeds_of(selection, group)
    suite = load_suite(params.evaluate.suite)
    heldout = read_frame(layout.HELDOUT_FILE, HELDOUT)
    inputs = value_hash(
        {
            "suite": folder_hash(suite.folder),
            "benchmarks": folder_hash(layout.BENCHMARKS),
            "heldout": file_hash(layout.HELDOUT_FILE),
            "params": params.evaluate.model_dump(),
        }
    )
    metrics: dict[str, Any] = {}
    frames: list[pd.DataFrame] = []
    for seed in seeds:
        manifest = read_json(cell / "train" / f"seed_{seed}.json")
        folder = weights_folder(manifest, train_stage)
        key = value_hash([manifest["weights"], manifest["base_hash"], inputs, seed])
        scratch = scratch_folder("evaluate", key)
        with locked(scratch):
            if not (scratch / "metrics.json").is_file():
                _evaluate_seed(folder, params, heldout, seed, scratch)
        metrics[str(seed)] = read_json(scratch / "metrics.json")
        frames.append(read_frame(scratch / "samples.parquet", SAMPLES).assign(selection=selection))
        if params.train.keep_models == "none" and manifest["weights"] != BASE:
            for path in folder.glob("*.safetensors"):
                path.unlink()
    samples = pd.concat(frames) if frames else empty_samples()
    write_frame(cell / "samples.parquet", samples.reset_index(drop=True), SAMPLES)
    write_json(cell / "metrics.json", {"suite": suite.name, "seeds": metrics})


def empty_samples() -> "pd.DataFrame":
    """A samples table with no row, as an empty cell writes it."""
    import pandas as pd

    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in SAMPLES.columns})


def _evaluate_seed(
    folder: Path, params: Params, heldout: "pd.DataFrame", seed: int, scratch: Path
) -> None:
    from harness.evaluation import evaluate
    from harness.suites import load_suite

    suite = load_suite(params.evaluate.suite)
    found = evaluate(folder, suite, layout.BENCHMARKS, heldout, params.evaluate, seed)
    # Samples first: metrics.json is the mark that the seed is finished.
    write_frame(scratch / "samples.parquet", found.samples.assign(selection=""), SAMPLES)
    told = {**found._asdict()}
    del told["samples"]
    write_json(scratch / "metrics.json", told)
