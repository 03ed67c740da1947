"""A study of clusterings: its table, correlation, page and plot."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import spearmanr

from harness.clustering.files import write_clustering
from harness.clustering.kmeans import kmeans
from harness.common import layout
from harness.common.timings import write_timed
from harness.params.params import Params, load_params
from harness.report.clusters.inputs import read_cluster_study
from harness.report.clusters.write import write_clusters
from harness.suites import SUITES
from tests.helpers.build_runs import POOL_SIZE, build_runs
from tests.helpers.charts import drawn_charts
from tests.helpers.small_repo import further, selection
from tests.helpers.toy_suite import write_toy_suite

KS = (2, 3, 4, 5, 6)
SILHOUETTES = (0.1, 0.3, 0.2, 0.5, 0.4)


def build(folder: Path, **changes: Any) -> Params:  # noqa: ANN401
    """Every cell of a study of five numbers of clusters, and the clusterings."""
    quality = {"quality": "sigmoid(reward)"}
    scored = {f"kmq_{k}": selection("kmq", k=k, **quality) for k in KS}
    values: dict[str, Any] = {
        "preset": "lab",
        "seed_groups": ["s0_1"],
        "cluster": {"k": [1, *KS], "seed": 42},
        "selections": {"random": selection("random")},
        "selections_scored": {"kmq": selection("kmq", k="auto", **quality), **scored},
        "selections_rounds": {},
        "references": {"none": {"rows": "none", "seeds": [0]}},
        "table": ["none", "random"],
        "further": {
            f"clusters_{name}": further("clusters", name, "s0_1")
            for name in ("random", "kmq", *scored)
        },
        "studies": {"clusters": {"report": "clusters", "title": "How many clusters?"}},
        "evaluate": {"suite": "toy"},
    }
    params = build_runs(folder, **{**values, **changes})
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(POOL_SIZE, 4)).astype(np.float32)
    for embedding in {item.embedding for item in params.every_selection.values()}:
        for k, silhouette in zip(KS, SILHOUETTES, strict=True):
            clustering = kmeans(vectors, k, seed=42)
            facts = write_clustering(layout.cluster_folder(embedding, k), clustering)
            written = {**facts, "silhouette": silhouette, "seconds": 1.0}
            write_timed(layout.silhouette_file(embedding, k), written)
            if k == 5:
                write_clustering(layout.cluster_folder(embedding, "auto"), clustering)
    return params


@pytest.fixture
def params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    return build(tmp_path)


def test_table_has_each_rows_clustering(params: Params) -> None:
    folder = write_clusters(params, "clusters")
    table = pd.read_csv(folder / "table.csv").set_index("selection")
    assert list(table.index) == ["random", "kmq", *(f"kmq_{k}" for k in KS)]
    assert table.loc[[f"kmq_{k}" for k in KS], "silhouette"].tolist() == list(SILHOUETTES)
    assert table.loc["kmq", "k"] == 5
    assert table.loc["kmq", "embedding"] == "minilm"
    assert table.loc["random", ["embedding", "k", "silhouette"]].isna().all()
    assert table.loc["kmq_2", "poor"] in (0, 0.5, 1)
    assert np.isfinite(table.loc["kmq_2", ["diff", "diff_low", "p"]].astype(float)).all()


def test_correlation_is_that_of_the_table(params: Params) -> None:
    folder = write_clusters(params, "clusters")
    table = pd.read_csv(folder / "table.csv").dropna(subset=["k"])
    rho: Any = spearmanr(table["silhouette"], table["avg"])[0]
    page = (folder / "table.md").read_text()
    line = next(line for line in page.splitlines() if line.startswith("| minilm "))
    assert f" {rho:+.2f} [".replace("-", "−") in line
    assert line.split("|")[2].strip() == "6"
    assert "How many clusters?" in page


def test_rows_of_the_same_models_count_once_and_stand_in_order(params: Params) -> None:
    table = read_cluster_study(params, "clusters")
    assert [line["k"] for line in table.clustered["minilm"]] == [2, 3, 4, 5, 5, 6]
    by_name = {row.name: row for row in table.rows}
    lines = {line["selection"]: line for line in table.lines}
    names = ["kmq_6", "random", "kmq_5", "kmq", "kmq_2"]
    same = {"kmq": by_name["kmq_5"]}  # the chosen number is one of those by number
    rows = [same.get(name, by_name[name]) for name in names]
    fewer = replace(table, rows=rows, lines=[lines[name] for name in names])
    assert [line["k"] for line in fewer.clustered["minilm"]] == [2, 5, 6]


def test_plot_is_drawn_and_looks_the_same_again(params: Params) -> None:
    first = (write_clusters(params, "clusters") / "table.png").read_bytes()
    again = write_clusters(params, "clusters") / "table.png"
    assert again.read_bytes() == first
    with Image.open(again) as image:
        assert len(image.convert("RGB").getcolors(10_000) or []) > 3


def test_few_clusterings_have_no_correlation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    build(tmp_path)
    params = load_params()
    kept = {k: v for k, v in params.further.items() if k in ("clusters_random", "clusters_kmq")}
    params = params.model_copy(update={"further": kept})
    page = (write_clusters(params, "clusters") / "table.md").read_text()
    assert "no correlation is given" in page


def test_every_chart_of_the_page_draws(params: Params) -> None:
    write_clusters(params, "clusters")
    by_k, by_silhouette = drawn_charts("clusters")
    assert by_k == "Average by the number of clusters"
    assert by_silhouette.endswith("silhouette")
