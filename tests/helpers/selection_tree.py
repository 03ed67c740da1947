"""Writes the files that the stages before training leave, small, by real samplers, for tests."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from harness.clustering.files import write_clustering
from harness.clustering.kmeans import kmeans
from harness.common import layout
from harness.common.files import file_hash, write_json
from harness.common.schemas import FAULTS, POOL, SCORES, TRUTH, PoolRows, write_frame
from harness.common.timings import write_timed
from harness.describing import describe_cell
from harness.describing.shared_costs import write_shared_costs
from harness.embedding.files import CARD, VECTORS, Reads
from harness.lab.references import reference_chooser
from harness.params.params import Params
from harness.selecting.budget import within_budget
from harness.selecting.quality import read_quality
from harness.selecting.subsets import SamplerInputs, choose_with, write_subsets
from tests.helpers.build_runs import write_params
from tests.helpers.small_repo import selection

N, DIMENSIONS, BUDGET, BEST_K = 120, 6, 12, 6

FILES = {  # what the report writes
    *("table.csv", "table.md", "scorers.csv"),
    *("bars.png", "map.png", "clusterings.png"),
}

SMALL: dict[str, Any] = {
    "reward_models": {},
    "embeddings": {"minilm": {"model": "minilm", "text": "prompt_completion"}},
    "embeddings_states": {},
    "cluster": {"k": [1, 3, BEST_K], "seed": 42},
    "defaults": {"embedding": "minilm", "k": 1, "budget": BUDGET},
    "scorers": {"length": {"scorer": "length"}, "judge": {"scorer": "reward_model"}},
    "selections": {
        "random": selection("random", budget=BUDGET, more_groups=["s7"]),
        "km_random": selection("km_random", k=3, budget=BUDGET),
    },
    "selections_scored": {
        "top_k": selection("top_k", budget=BUDGET, quality="sigmoid(judge)"),
    },
    "selections_rounds": {},
    "references": {
        "none": {"rows": "none", "seeds": [0]},
        "full": {"rows": "full", "seeds": [0]},
    },
    "seed_groups": ["s0_1", "s2"],
    "table": ["none", "random", "top_k", "km_random", "full"],
    "further": {},
    "studies": {},
}


def build_tree(folder: Path, **changes: Any) -> Params:  # noqa: ANN401
    """Fill ``folder``, which must be the working directory, with all that comes before training."""
    params = write_params(folder, **{**SMALL, **changes})
    rng = np.random.default_rng(0)
    pool, noise = _pool(), rng.choice(["none", "none", "none", *FAULTS], N)
    write_frame(layout.POOL_FILE, pool, POOL)
    truth = pd.DataFrame(
        {
            "id": pool["id"],
            "skill": [f"s{i % 8}" for i in range(N)],
            "family": "f",
            "noise": noise,
            "duplicate_of": "",
        }
    )
    planted = truth if params.preset == "lab" else truth.iloc[:0]
    write_frame(layout.TRUTH_FILE, planted.astype("str"), TRUTH)
    scores = pd.DataFrame(
        {
            "id": pool["id"],
            "length": pool["response"].str.len().astype("float64"),
            "judge": 2.0 * (noise == "none") - 1 + rng.normal(size=N),
        }
    )
    write_frame(layout.SCORES_FILE, scores.reindex(columns=["id", *params.scorers]), SCORES)
    for unit, costs in (("rows", np.ones(N)), ("tokens", 10 + np.arange(N) % 5)):
        layout.costs_file(unit).parent.mkdir(exist_ok=True)
        np.save(layout.costs_file(unit), costs.astype(np.int64))
    _write_searches()
    _embeddings_and_clusters(params, rng)
    _write_costs(params)
    write_choices(params)
    return params


def _write_searches() -> None:
    """What was found when the pool was searched for a benchmark's items."""
    result = {"rows": 2, "equal": 1, "items": 1, "of": 40}
    card = {"overlap_of_pool": {"benchmark/toy": result}, "pool_rows_removed_for_overlap": 0}
    write_json(layout.CARD_FILE, {**card, "overlap_definition": "a row that equals an item"})
    pair = {"item": "What | is\nthis?", "row": "r3", "prompt": "p", "similarity": 0.912}
    near = {"items": 40, "items_near": 3, "rows_near": 5, "median_similarity": 0.43}
    targets = {"benchmark/toy": {**near, "nearest": [pair]}}
    reads = {
        "prompts": Reads(N, 256, 0, 0, 9 * N)._asdict(),
        "items": Reads(40, 256, 0, 0, 9 * 40)._asdict(),
    }
    card = {"encoder": "minilm", "similarity": 0.8, "reads": reads, "targets": targets}
    write_json(layout.CONTAMINATION_FILE, card)


def _write_costs(params: Params) -> None:
    """What the stages before selection cost; the first scorer needs no model."""
    base = {"source": "scratch", "parameters": 1_040_000, "multiplied_parameters": 1_000_000}
    write_timed(layout.BASE_MODEL / "base_model.json", {**base, "tokens": 50_000, "seconds": 90.0})
    reward = {"source": "base", "multiplied_parameters": 900_000, "tokens": 7_000, "seconds": 11.5}
    write_timed(layout.REWARD_MODEL / "reward_model.json", reward)
    read = {"rows": N, "tokens": 3_000, "multiplied_parameters": 900_000, "model": "base"}
    made = {
        name: {"scorer": item.scorer, **(read if place else {"rows": 0}), "seconds": 2.5 * place}
        for place, (name, item) in enumerate(params.scorers.items())
    }
    write_timed(layout.SCORE_COSTS_FILE, made)
    write_shared_costs(params)


def _pool() -> pd.DataFrame:
    texts = [f"response {'x' * (i % 7)}" for i in range(N)]
    frame = pd.DataFrame({"id": [f"r{i}" for i in range(N)], "row": np.arange(N)})
    return frame.assign(prompt="p", response=texts, messages="[]").astype(
        {"id": "str", "prompt": "str", "response": "str", "messages": "str"}
    )


def _embeddings_and_clusters(params: Params, rng: np.random.Generator) -> None:
    x = 4 * np.eye(BEST_K, DIMENSIONS)[np.arange(N) % BEST_K] + rng.normal(size=(N, DIMENSIONS))
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)
    folder = layout.EMBEDDINGS / "minilm"
    folder.mkdir(parents=True)
    np.save(folder / VECTORS, x)
    card = {"pool_sha256": file_hash(layout.POOL_FILE), "rows": N, "dimensions": DIMENSIONS}
    card |= {"reads": Reads(N, 256, 0, 0, 40 * N)._asdict(), "multiplied_parameters": 10_000}
    write_timed(folder / CARD, {**card, "seconds": 4.0})
    for k in params.cluster.k:
        clustering = kmeans(x, k, params.cluster.seed)
        write_clustering(layout.cluster_folder("minilm", k), clustering)
        sizes = np.bincount(clustering.labels, minlength=k)
        write_timed(
            layout.silhouette_file("minilm", k),
            {
                "k": k,
                "silhouette": clustering.silhouette,
                "inertia": clustering.inertia,
                "iterations": clustering.iterations,
                "smallest": int(sizes.min()),
                "largest": int(sizes.max()),
                "empty": int((sizes == 0).sum()),
                "seconds": k / 10,
            },
        )


def write_choices(params: Params) -> None:
    """Choose and describe the subsets of every selection and reference, as the stages do."""
    from harness.clustering.files import read_clustering

    ids = [f"r{i}" for i in range(N)]
    x, costs = np.load(layout.EMBEDDINGS / "minilm" / VECTORS), np.ones(N, dtype=np.int64)
    for name, item in params.every_selection.items():
        clustering = read_clustering(layout.cluster_folder("minilm", item.k), N)
        quality, notes = read_quality(item, ids)
        inputs = SamplerInputs(
            PoolRows(_pool()), x, clustering, costs, quality, quality_notes=notes
        )
        write_subsets(params, name, ids, choose_with(item, inputs, BUDGET), clustering, quality)
    truth = pd.read_parquet(layout.TRUTH_FILE)
    for name, item in params.references.items():
        choose = reference_chooser(
            item.rows,
            item.share,
            truth,
            N,
            lambda sized, rng: within_budget(sized, costs, BUDGET, rng),
        )
        write_subsets(params, name, ids, choose)
    describe_all(params)


def describe_all(params: Params) -> None:
    """Describe every cell again, as its stage does where what it reads has changed."""
    for cell in params.every_cell():
        describe_cell(params, cell)


def costs_of(name: str) -> Path:
    """What choosing the subsets of a selection or reference cost."""
    return layout.selection_folder(name) / "costs.json"
