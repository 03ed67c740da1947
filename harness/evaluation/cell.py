"""Evaluating a cell: each of its models on the suite, item by item, each once."""

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.common import layout
from harness.common.files import (
    file_hash,
    folder_hash,
    read_json,
    remove,
    replacing_folder,
    value_hash,
    write_json,
)
from harness.common.schemas import HELDOUT, SAMPLES, read_frame, write_frame
from harness.common.stores import kept, locked, model_store, scratch_folder, seal
from harness.evaluation import sandbox
from harness.params.params import Cell, Params
from harness.suites.metrics import CellMetrics, SeedMetrics, read_metrics
from harness.training.weights import BASE, deleted_file, weights_folder

if TYPE_CHECKING:
    import pandas as pd

    from harness.suites import Suite

log = logging.getLogger(__name__)


def evaluate_cell(params: Params, cell: Cell, code: str) -> None:
    """Evaluate each of the cell's models; write ``metrics.json`` and ``samples.parquet``.

    Args:
        params: the pipeline's.
        cell: what is evaluated.
        code: the hash of the code that evaluates; other code evaluates again.
    """
    import pandas as pd

    from harness.suites import load_suite

    out = layout.RUNS / cell.path
    suite = load_suite(params.evaluate.suite)
    heldout = read_frame(layout.HELDOUT_FILE, HELDOUT)
    inputs = value_hash(
        {
            "suite": folder_hash(suite.folder),
            "benchmarks": folder_hash(layout.BENCHMARKS),
            "heldout": file_hash(layout.HELDOUT_FILE),
            "params": params.evaluate.model_dump(exclude={"allow_unisolated"}),
            "walls": _walls(params, suite),
            "code": code,
        }
    )
    metrics: dict[str, Any] = {}
    frames: list[pd.DataFrame] = []
    for seed in cell.seeds:
        manifest = read_json(out / "train" / f"seed_{seed}.json")
        key = value_hash([manifest["weights"], manifest["base_hash"], inputs, seed])
        scratch = scratch_folder("evaluate", key)
        result = scratch / "result"
        with locked(scratch):
            if kept(result) is None:
                model = weights_folder(manifest, cell.base, cell.stage("train"))
                with replacing_folder(result) as folder:
                    _evaluate_seed(model, params, heldout, seed, folder)
            metrics[str(seed)] = read_json(result / "metrics.json")
            samples = read_frame(result / "samples.parquet", SAMPLES)
        frames.append(samples.assign(selection=cell.of))
    samples = pd.concat(frames) if frames else empty_samples()
    write_frame(out / "samples.parquet", samples.reset_index(drop=True), SAMPLES)
    write_json(out / "metrics.json", {"suite": suite.name, "seeds": metrics})
    found = read_metrics(out / "metrics.json")
    _tell_of_walls(found)
    # Weights are kept while a column is yet to be run on them.
    if params.train.keep_models == "none" and not any(s.not_run for s in found.seeds.values()):
        for seed in cell.seeds:
            _delete_weights(read_json(out / "train" / f"seed_{seed}.json"))


def _walls(params: Params, suite: "Suite") -> tuple[str, bool]:
    """Which walls are missing, if that matters to the suite, and whether programs run without.

    Part of the key of what is kept: a wall that is there again runs what was not run.
    """
    from harness.evaluation.tasks import runs_programs

    tasks = [column for column in suite.columns if column.kind == "lm_eval"]
    missing = any(runs_programs(suite, column) for column in tasks) and sandbox.missing_walls()
    return missing or "", bool(missing) and params.evaluate.allow_unisolated


def _tell_of_walls(metrics: CellMetrics) -> None:
    """One line of what was not run, and one of what ran without every wall of the sandbox."""
    runs = metrics.seeds.values()
    for why in dict.fromkeys(why for run in runs for why in run.not_run.values()):
        names = dict.fromkeys(n for run in runs for n, w in run.not_run.items() if w == why)
        log.warning("warning: evaluate: not run: %s: %s", ", ".join(names), why)
    for missing in dict.fromkeys(run.unisolated for run in runs if run.unisolated):
        log.warning("warning: evaluate: programs ran without every wall: %s", missing)


def _delete_weights(manifest: dict[str, Any]) -> None:
    if manifest["weights"] != BASE:
        told = {name: v for name, v in manifest.items() if name not in ("selection", "seed")}
        write_json(deleted_file(manifest["weights"]), told)
        remove(model_store() / manifest["weights"])


def empty_samples() -> "pd.DataFrame":
    """A samples table with no row, as an empty cell writes it."""
    import pandas as pd

    return pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in SAMPLES.columns})


def _evaluate_seed(
    model: Path, params: Params, heldout: "pd.DataFrame", seed: int, out: Path
) -> None:
    from harness.evaluation.evaluate import evaluate
    from harness.suites import load_suite

    suite = load_suite(params.evaluate.suite)
    found = evaluate(model, suite, layout.BENCHMARKS, heldout, params.evaluate, seed)
    write_frame(out / "samples.parquet", found.samples.assign(selection=""), SAMPLES)
    told = {name: value for name, value in found._asdict().items() if name != "samples"}
    metrics = SeedMetrics.model_validate(told).model_dump(mode="json", exclude_none=True)
    write_json(out / "metrics.json", metrics)
    seal(out)
