"""Writes the files a finished pipeline leaves, small and from a seeded generator, for tests."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from harness.common import layout
from harness.common.files import replacing_folder, value_hash, write_json
from harness.common.schemas import POOL, SAMPLES, SUBSET, TRUTH, frame_of, read_frame, write_frame
from harness.common.stores import seal
from harness.common.timings import read_timed, set_apart, write_timed
from harness.common.yaml_files import read_yaml
from harness.describing import Described, SeedFacts, described_folder
from harness.describing.files import write_described
from harness.params.params import Cell, Params, load_params
from harness.report.shared.runs import run_folder
from harness.selecting.prefixes import cell_subset
from harness.selecting.subsets import write_costs
from harness.suites import Column, Suite, load_suite
from tests.helpers.presets import preset_file

SMALL: dict[str, Any] = {
    "preset": "alpaca_cpu",
    "seed_groups": ["s0_1"],
    "table": ["none", "random"],
    "further": {},
    "studies": {},
    "evaluate": {"suite": "alpaca_cpu"},
}


Caplog = pytest.LogCaptureFixture


ROOT = Path(__file__).resolve().parents[2]
POOL_SIZE = 60
ITEMS = 40
WHY = "no namespaces here; remedy: run on Linux"  # some columns are not run
# How good each row's models are, in points above chance; the rest get 10.
QUALITY = {"none": 0.0, "full": 40.0, "full_clean": 45.0, "oracle": 32.0}
QUALITY |= {f"noise_{dose}": 20.0 - dose / 5 for dose in (0, 25, 50, 75, 100)}
QUALITY |= {"skills_100": 20.0, "skills_50": 12.0, "skills_25": 5.0}


def write_params(folder: Path, **changes: Any) -> Params:  # noqa: ANN401
    """Write the repository's params.yaml with some sections replaced, and read it."""
    yaml = YAML()
    values = yaml.load(ROOT / "params.yaml")
    values.update(changes)
    yaml.dump(values, folder / "params.yaml")
    return load_params(folder / "params.yaml")


def build_runs(folder: Path, **changes: Any) -> Params:  # noqa: ANN401
    """Fill ``folder``, which must be the working directory, with every cell its params name."""
    params = write_params(folder, **changes)
    (folder / "dvc.yaml").write_text("stages: {}\n")
    _write_data(params)
    suite = load_suite(params.evaluate.suite)
    for cell in params.every_cell():
        write_cell(params, suite, cell)
        describe(params, cell)
    return params


def build_worlds(folder: Path, **changes: Any) -> Params:  # noqa: ANN401
    """Fill ``folder``, which must be the working directory, with every world's rows alone."""
    params = write_params(folder, **changes)
    suite = load_suite(params.evaluate.suite)
    for name in params.world_rows:
        for world in params.worlds:
            for cell in params.world_cells(name, world):
                write_cell(params, suite, cell)
    return params


def _write_data(params: Params) -> None:
    rng = np.random.default_rng(0)
    ids = [f"r{i}" for i in range(POOL_SIZE)]
    lengths = rng.integers(20, 200, POOL_SIZE).astype(np.float64)
    layout.DATA.mkdir(exist_ok=True)
    rows = [(name, i, f"prompt {i}", f"response {i}", "[]") for i, name in enumerate(ids)]
    write_frame(layout.POOL_FILE, frame_of(POOL, rows), POOL)
    columns = {name: rng.normal(size=POOL_SIZE) for name in params.scorers}
    scores = pd.DataFrame({"id": ids, **columns, "length": lengths})
    scores.to_parquet(layout.SCORES_FILE)
    kinds = ["none", "none", "none", "wrong", "garbled"]
    truth = {
        "id": ids,
        "skill": [f"s{i % 10}" for i in range(POOL_SIZE)],
        "family": ["f"] * POOL_SIZE,
        "noise": [kinds[i % 5] for i in range(POOL_SIZE)],
        "duplicate_of": [""] * POOL_SIZE,
    }
    planted = pd.DataFrame(truth) if params.preset == "lab" else pd.DataFrame(truth).iloc[:0]
    write_frame(layout.TRUTH_FILE, planted.astype("str"), TRUTH)
    write_json(
        layout.BASE_MODEL / "base_model.json", {"source": "scratch", "parameters": 1_040_000}
    )
    for name in (*params.every_selection, *params.references):
        _write_subsets(params, name, ids)


def _write_subsets(params: Params, name: str, ids: list[str]) -> None:
    reference = params.references.get(name)
    sizes = {"none": 0, "full": POOL_SIZE, "clean": POOL_SIZE}
    rows = sizes.get(reference.rows, 6) if reference else 6
    seeds: dict[int, Any] = {}
    for group in params.groups_of(name):
        for seed in params.seeds_of(name, group):
            rng = np.random.default_rng([seed, len(name)])
            picks = rng.permutation(POOL_SIZE)[:rows]
            frame = pd.DataFrame(
                {
                    "id": pd.Series([ids[i] for i in picks], dtype="str"),
                    "order": np.arange(rows),
                    "cluster": np.full(rows, -1, dtype=np.int64),
                    "score": np.full(rows, np.nan),
                    "round": np.zeros(rows, dtype=np.int64),
                }
            )
            path = layout.subset_folder(name) / group / f"seed_{seed}.parquet"
            write_frame(path, frame, SUBSET)
            seeds[seed] = {"size": rows, "seconds": 0.5 + seed, "peak_memory_mb": 100.0}
        seal(layout.subset_folder(name) / group)
    with replacing_folder(layout.selection_folder(name)) as folder:
        write_costs(folder, params, name, seeds)
        set_apart(folder, layout.selection_folder(name))


def proofs_alone(**changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """The lab with its study of sensitivity and no other beside the main table."""
    lab = read_yaml(preset_file("lab"))
    listed = {key: item for key, item in lab["further"].items() if item["study"] == "sensitivity"}
    studies = {"sensitivity": lab["studies"]["sensitivity"]}
    return {"further": listed, "studies": studies, "evaluate": {"suite": "toy"}, **changes}


def describe(params: Params, cell: Cell) -> None:
    """Describe a cell as its stage does, but for measures that need an embedding."""
    scores = pd.read_parquet(layout.SCORES_FILE).set_index("id")
    truth = pd.read_parquet(layout.TRUTH_FILE).set_index("id")
    costs = read_timed(layout.selection_folder(cell.of) / "costs.json")["seeds"]
    seeds = {}
    for seed in cell.seeds:
        ids = cell_subset(params, cell, seed)["id"].tolist()
        measures = {f"mean_{name}": float(scores.loc[ids, name].mean()) for name in params.scorers}
        if len(truth):
            mine = truth.loc[ids]
            measures["noise_share"] = float((mine["noise"] != "none").mean())
            measures["skills_reached"] = mine["skill"].nunique() / truth["skill"].nunique()
        if not ids:
            measures = {}
        cost = {"seconds": costs[str(seed)]["seconds"], "peak_memory_mb": 100.0, "tokens": 0.0}
        cost |= {"flops": 2e9 * seed, "shared_seconds": 40.0, "shared_flops": 3e12}
        seeds[seed] = SeedFacts(scores.index.get_indexer(ids), measures, cost)
    kind = "selection" if cell.of in params.every_selection else "reference"
    with replacing_folder(described_folder(cell)) as folder:
        write_described(folder, Described(cell, kind, cell.of, "", seeds))
        set_apart(folder, described_folder(cell))


def write_cell(params: Params, suite: Suite, cell: Cell) -> None:
    """Write a cell's manifests, metrics and samples; the scores differ by name, seed and item."""
    folder, name = run_folder(cell), cell.name
    metrics: dict[str, Any] = {}
    frames: list[pd.DataFrame] = []
    for seed in cell.seeds:
        write_timed(folder / "train" / f"seed_{seed}.json", manifest(params, name, seed))
        frame = _samples(suite, name, seed, cell.world)
        frames.append(frame)
        metrics[str(seed)] = _metrics(suite, frame)
    if not frames:
        write_timed(folder / "train" / "empty.json", {"selection": name, "reason": "no seed"})
    empty = pd.DataFrame({n: pd.Series(dtype=kind) for n, kind in SAMPLES.columns})
    samples = pd.concat(frames, ignore_index=True) if frames else empty
    samples["prompt_hash"] = pd.Series([None] * len(samples), dtype="str")
    write_frame(folder / "samples.parquet", samples, SAMPLES)
    write_timed(folder / "metrics.json", {"suite": suite.name, "seeds": metrics})


def manifest(params: Params, name: str, seed: int) -> dict[str, Any]:
    """What train writes for one run, with a falling loss curve."""
    base: dict[str, Any] = {"selection": name, "seed": seed, "base_hash": value_hash("base")}
    reference = params.references.get(name)
    if reference is not None and reference.rows == "none":
        return {
            **base,
            "weights": "base",
            "steps": 0,
            "tokens": 0,
            "flops": 0.0,
            "seconds": 0.0,
            "loss_curve": [],
        }
    losses = [round(4.0 / (1 + step / 5) + 0.01 * seed, 4) for step in range(1, 21)]
    curve = [
        {"step": step, "epoch": step / 10, "loss": loss} for step, loss in enumerate(losses, 1)
    ]
    return {
        **base,
        "subset_hash": value_hash([name, seed]),
        "params_hash": value_hash(params.train.model_dump()),
        "weights": value_hash([name, seed, "weights"])[:32],
        "model_hash": value_hash([name, seed, "hash"]),
        "steps": 20,
        "tokens": 5000 + seed,
        "flops": 6e6 * (5000 + seed),
        "seconds": 10.0 + seed,
        "peak_memory_mb": 900.0,
        "truncated": 0,
        "loss_curve": curve,
    }


def _samples(suite: Suite, name: str, seed: int, world: str) -> pd.DataFrame:
    own = QUALITY.get(name, 10.0)
    if world:
        own += np.random.default_rng([*f"{name} in {world}".encode()]).normal(0, 2)
    rng = np.random.default_rng([seed, *f"{name}{world}".encode()])
    shift = 0.0 if name == "none" else rng.normal(0, 1.0)
    frames = []
    for number, column in enumerate(c for c in suite.columns if c.kind != "mean"):
        hard = np.random.default_rng(number).normal(0, 8, ITEMS)
        if column.kind == "bits_per_byte":
            score = 3.0 - (own + shift + hard) / 50 + rng.normal(0, 0.05, ITEMS)
            weight = np.random.default_rng(100 + number).integers(20, 300, ITEMS).astype(float)
        else:
            score = np.clip(25.0 + own + shift + hard + rng.normal(0, 3, ITEMS), 0, 100)
            weight = np.ones(ITEMS)
        items = pd.Series([f"i{i:03d}" for i in range(ITEMS)], dtype="str")
        frames.append(
            pd.DataFrame(
                {
                    "selection": pd.Series([name] * ITEMS, dtype="str"),
                    "seed": np.full(ITEMS, seed, dtype=np.int64),
                    "task": pd.Series([column.name] * ITEMS, dtype="str"),
                    "item": items,
                    "prediction": pd.Series(["A"] * ITEMS, dtype="str"),
                    "score": score,
                    "weight": weight,
                    "cluster": _clusters(column),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def _clusters(column: Column) -> pd.Series:
    names = [f"{column.name}:{i % 10}" if column.kind == "lm_eval" else None for i in range(ITEMS)]
    return pd.Series(names, dtype="str")


def _metrics(suite: Suite, samples: pd.DataFrame) -> dict[str, Any]:
    scores: dict[str, float] = {}
    for column in suite.columns:
        if column.of:
            scores[column.name] = float(np.mean([scores[name] for name in column.of]))
        else:
            mine = samples[samples["task"] == column.name]
            scores[column.name] = float(np.average(mine["score"], weights=mine["weight"]))
    n = {column.name: ITEMS for column in suite.columns}
    shots = {column.name: 0 for column in suite.columns if column.kind == "lm_eval"}
    return {"scores": scores, "n": n, "shots": shots, "seconds": {"load": 0.1}}


def cells(study: str, *names: str) -> list[Path]:
    """The folders of a study's cells of some rows, or with ``*`` of all."""
    params = load_params()
    listed = [cell for cell in params.cells(study) if cell.name in names or "*" in names]
    folders = [layout.RUNS / cell.path for cell in listed]
    assert folders
    return folders


def take_away(cell: Path, *columns: str) -> None:
    """Leave a cell as it is where the columns, and so the average, were not run."""
    metrics = read_timed(cell / "metrics.json")
    for seed in metrics["seeds"].values():
        seed["scores"] |= {name: {"not_run": WHY} for name in (*columns, "avg")}
        for field in ("n", "shots"):
            seed[field] = {k: v for k, v in seed[field].items() if k not in (*columns, "avg")}
    write_timed(cell / "metrics.json", metrics)
    samples = read_frame(cell / "samples.parquet", SAMPLES)
    kept = samples.loc[~samples["task"].isin(columns)]
    write_frame(cell / "samples.parquet", kept, SAMPLES)
