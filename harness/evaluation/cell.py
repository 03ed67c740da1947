"""Evaluates each model of a cell on the suite, once."""

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
from harness.common.schemas import HELDOUT, SAMPLES, frame_of, read_frame, write_frame
from harness.common.stores import kept, locked, model_store, repo_root, scratch_folder, seal
from harness.common.timings import read_timed, write_timed
from harness.evaluation import sandbox
from harness.params.params import Cell, Params
from harness.suites.metrics import CellMetrics, SeedMetrics, read_metrics
from harness.training.weights import BASE, deleted_file, weights_folder

if TYPE_CHECKING:
    import pandas as pd

    from harness.evaluation.judging import Judge
    from harness.suites import Suite

log = logging.getLogger(__name__)


def evaluate_cell(params: Params, cell: Cell, code: str) -> None:
    """Evaluate each of the cell's models; write ``metrics.json`` and ``samples.parquet``.

    ``code`` is the hash of the code that evaluates: results of other code are not reused.
    """
    import pandas as pd

    from harness.evaluation.judging import Judge, unasked
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
            "walls": _sandbox_state(params, suite),
            "code": code,
        }
        | ({"judge": params.judge.identity()} if suite.judged else {})
    )
    judge = Judge(params.judge, repo_root() / ".store" / "judge.jsonl")
    judges = suite.judged and not unasked(suite, judge)
    metrics: dict[str, Any] = {}
    frames = []
    for seed in cell.seeds:
        manifest = read_json(out / "train" / f"seed_{seed}.json")
        key = value_hash([manifest["weights"], manifest["base_hash"], inputs, seed])
        scratch = scratch_folder("evaluate", key)
        result = scratch / "result"
        with locked(scratch):
            if kept(result) is None or (judges and _unjudged(result, suite)):
                model = weights_folder(manifest, cell.base, cell.stage("train"))
                with replacing_folder(result) as folder:
                    base = layout.BASE_MODELS / cell.base
                    _evaluate_seed(model, base, suite, params, heldout, seed, folder, judge)
            metrics[str(seed)] = read_json(result / "metrics.json")
            samples = read_frame(result / "samples.parquet", SAMPLES)
        frames.append(samples.assign(selection=cell.of))
    samples = pd.concat(frames) if frames else frame_of(SAMPLES, [])
    write_frame(out / "samples.parquet", samples.reset_index(drop=True), SAMPLES)
    write_timed(out / "metrics.json", {"suite": suite.name, "seeds": metrics})
    written = read_metrics(out / "metrics.json")
    _warn(written)
    # Weights are kept while a column has yet to be run on them.
    if params.train.keep_models == "none" and not any(s.not_run for s in written.seeds.values()):
        for seed in cell.seeds:
            _delete_weights(read_timed(out / "train" / f"seed_{seed}.json"))


def _sandbox_state(params: Params, suite: "Suite") -> tuple[str, bool]:
    """Why the sandbox is missing, if the suite needs it, and whether programs run without.

    Part of the key of kept results: columns that were not run are run once the sandbox is there.
    """
    from harness.evaluation.benchmarks import runs_programs

    tasks = [column for column in suite.columns if column.kind == "lm_eval"]
    missing = any(runs_programs(suite, column) for column in tasks) and sandbox.missing_walls()
    return missing or "", bool(missing) and params.evaluate.allow_unisolated


def _unjudged(result: Path, suite: "Suite") -> bool:
    """Whether a kept result lacks the judge's scores of a column: the judge had failed."""
    scores = SeedMetrics.model_validate(read_json(result / "metrics.json"))
    return not set(suite.judged).isdisjoint(scores.not_run)


def _warn(metrics: CellMetrics) -> None:
    """Log a line on columns that were not run, and one on programs that ran unisolated."""
    runs = metrics.seeds.values()
    for why in dict.fromkeys(why for run in runs for why in run.not_run.values()):
        names = dict.fromkeys(n for run in runs for n, w in run.not_run.items() if w == why)
        log.warning("warning: evaluate: not run: %s: %s", ", ".join(names), why)
    for missing in dict.fromkeys(run.unisolated for run in runs if run.unisolated):
        log.warning("warning: evaluate: programs ran without every wall: %s", missing)


def _delete_weights(manifest: dict[str, Any]) -> None:
    if manifest["weights"] != BASE:
        record = {n: v for n, v in manifest.items() if n not in ("selection", "seed")}
        write_json(deleted_file(manifest["weights"]), record)
        remove(model_store() / manifest["weights"])


def _evaluate_seed(
    model: Path,
    base: Path,
    suite: "Suite",
    params: Params,
    heldout: "pd.DataFrame",
    seed: int,
    out: Path,
    judge: "Judge",
) -> None:
    from harness.evaluation.evaluate import evaluate

    result = evaluate(model, suite, layout.BENCHMARKS, heldout, params.evaluate, seed, judge, base)
    write_frame(out / "samples.parquet", result.samples.assign(selection=""), SAMPLES)
    values = {name: value for name, value in result._asdict().items() if name != "samples"}
    metrics = SeedMetrics.model_validate(values).model_dump(mode="json", exclude_none=True)
    write_json(out / "metrics.json", metrics)
    seal(out)
