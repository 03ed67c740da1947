"""The command chooses what the pipeline's stages choose of the same pool, params and seed."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.clustering.files import write_clustering
from harness.clustering.kmeans import kmeans
from harness.common import layout
from harness.common.files import file_hash, write_json
from harness.common.schemas import POOL, SCORES, SUBSET, read_frame, write_frame
from harness.embedding.files import CARD, VECTORS
from harness.params.source import Source
from harness.pools.instances import read_instances, to_frame
from harness.pools.sources import load
from pipeline.select_subset import run
from tests.helpers.presets import preset_file
from tests.helpers.select_files import chosen, embedding, pool, select, vectors
from tests.helpers.small_repo import SMALL, edit_params, selection


def entry(sampler: str, **more: Any) -> dict[str, Any]:  # noqa: ANN401
    """An entry of a table of selections, which takes 12 rows of the 40."""
    return selection(sampler, budget=0.3, **more)


SELECTIONS = {
    "random": entry("random"),
    "k_center": entry("k_center", start="mean"),
    "km_random": entry("km_random", k=4, share="equal", min_per_cluster=1),
}
SCORED = {
    "deita": entry("deita", quality="length", threshold=0.6),
    "kmq": entry("kmq", k=4, quality="rank(length) * length", weighting="linear"),
}
SEEDS = (0, 1)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the selection stages read, of the pool that the command reads."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "params.yaml").write_bytes(preset_file("lab").read_bytes())
    edit_params(tmp_path, **SMALL)
    edit_params(tmp_path, selections=SELECTIONS, selections_scored=SCORED)
    frame = to_frame(read_instances(load(Source(path=str(pool(tmp_path)))), {}, "error").kept)
    folder = layout.EMBEDDINGS / "minilm"
    folder.mkdir(parents=True)
    write_frame(layout.POOL_FILE, frame, POOL)
    np.save(folder / VECTORS, vectors())
    card = {"pool_sha256": file_hash(layout.POOL_FILE), "rows": 40, "dimensions": 8}
    write_json(folder / CARD, card)
    for k in (1, 4):
        write_clustering(layout.cluster_folder("minilm", k), kmeans(vectors(), k, seed=42))
    layout.costs_file("rows").parent.mkdir()
    np.save(layout.costs_file("rows"), np.ones(40, dtype=np.int64))
    length = frame["response"].str.len().astype("float64")
    scores = pd.DataFrame({"id": frame["id"], "length": length})
    write_frame(layout.SCORES_FILE, scores, SCORES)
    return tmp_path


@pytest.mark.parametrize("name", [*SELECTIONS, *SCORED])
def test_the_command_chooses_as_the_stage_does(name: str, tree: Path) -> None:
    run(name)
    item = {**SELECTIONS, **SCORED}[name]
    given = ["--k", str(item["k"]), "--embeddings", str(embedding(tree))]
    given += ["--quality", str(item["quality"])] if "quality" in item else []
    for key, value in item.items():
        if key not in ("sampler", "embedding", "k", "budget", "quality"):
            given += ["--param", f"{key}={value}"]
    for seed in SEEDS:
        out = tree / f"out_{seed}.jsonl"
        sampler = str(item["sampler"])
        select(tree / "my.jsonl", out, sampler, *given, "--seed", str(seed), budget=0.3)
        file = layout.subset_folder(name) / "s0_1" / f"seed_{seed}.parquet"
        ids = read_frame(file, SUBSET).sort_values("order")["id"].tolist()
        assert [str(i + 1) for i in chosen(out)] == ids  # the id of a row is its line
        assert len(ids) == 12
