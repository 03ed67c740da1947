"""The stage that reports subsets: other presets, what is missing, what it prunes, its map."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pipeline.report_selection import run

from harness import layout
from harness.clustering import prune_clusterings
from harness.describing.measures import PoolView
from harness.errors import InputError
from harness.files import read_json, write_json
from harness.params import Params
from harness.schemas import SCORES, write_frame
from harness.selection_report import write_selection_report
from harness.selection_report.map import plot_map, project
from harness.selection_report.reading import Inputs, Subset, report_quality
from harness.stores import seal
from tests.build_runs import write_params
from tests.selection_tree import BUDGET, FILES, N, build_tree, write_choices


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    return build_tree(tmp_path)


PLAIN: dict[str, Any] = {
    "preset": "alpaca_cpu",
    "scorers": {"length": {"scorer": "length"}},
    "selections_scored": {},
    "selections_rounds": {},
    "cuts": {},
    "cluster": {"k": [1], "seed": 42},
    "selections": {"k_center": {"sampler": "k_center", "k": 1}},
    "studies": {
        "main": {"selections": ["k_center"]},
        "sensitivity": {"selections": [], "more_seeds": []},
        "scorers": {"selections": []},
        "rounds": {"selections": []},
    },
}


def test_without_truth_without_random_and_with_one_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    params = build_tree(tmp_path, **PLAIN)
    folder = write_selection_report(params, "main")
    frame = pd.read_csv(folder / "selection_main.csv")
    assert not [name for name in frame.columns if name.startswith(("noise", "skills", "own"))]
    assert not frame["cluster_entropy"].to_numpy().any()
    text = (folder / "selection_main.md").read_text(encoding="utf-8")
    assert "planted" not in text
    assert "Do the scorers" not in text
    assert "by `minmax(length)`" in text
    scorers = pd.read_csv(folder / "scorers_main.csv")
    assert len(scorers) == 0
    assert "auc_low" in scorers
    assert {path.name for path in folder.iterdir()} == FILES


def test_which_quality_all_are_measured_by(tmp_path: Path) -> None:
    for scorers, expected in (
        ({"a": {"scorer": "length"}, "b": {"scorer": "reward_model"}}, ("b", "sigmoid(b)")),
        ({"a": {"scorer": "length"}, "c": {"scorer": "ifd"}}, ("a", "minmax(a)")),
        ({}, (None, None)),
    ):
        assert report_quality(write_params(tmp_path, scorers=scorers)) == expected


def broken_id(_: Params) -> None:
    path = layout.subset_folder("main", "random") / "s2" / "seed_2.parquet"
    frame = pd.read_parquet(path)
    frame.loc[0, "id"] = "nobody"
    frame.to_parquet(path, index=False)
    seal(path.parent)


def other_scores(_: Params) -> None:
    frame = pd.read_parquet(layout.SCORES_FILE)
    frame.iloc[::-1].to_parquet(layout.SCORES_FILE, index=False)


def no_seed(_: Params) -> None:
    path = layout.selection_file("main", "random")
    info = read_json(path)
    del info["seeds"]["1"]
    write_json(path, info)


BROKEN = [
    (lambda _: layout.SCORE_COSTS_FILE.unlink(), r"scores.json: no such file"),
    (lambda _: write_json(layout.SCORE_COSTS_FILE, {}), r"nothing of length; dvc repro score"),
    (broken_id, r"random/s2/seed_2.parquet: the pool has no row 'nobody'"),
    (other_scores, r"scores.parquet: rows of another pool than .*; dvc repro score"),
    (no_seed, r"main/random.json: nothing of seed 1"),
    (lambda _: layout.TRUTH_FILE.unlink(), r"truth.parquet: no such file"),
    (lambda _: layout.silhouette_file(3).unlink(), r"silhouettes/k_3.json: no such file"),
    (lambda _: shutil.rmtree(layout.cluster_folder(3)), r"k_3/info.json: no such file"),
    (lambda _: layout.costs_file("tokens").unlink(), r"dvc repro cost_tokens"),
]


@pytest.mark.parametrize(("breaks", "told"), BROKEN)
def test_what_is_missing_or_of_another_pool_is_named_and_nothing_is_written(
    tree: Params,
    breaks: Callable[[Params], None],
    told: str,
) -> None:
    breaks(tree)
    with pytest.raises(InputError, match=told):
        write_selection_report(tree, "main")
    assert not layout.RESULTS.exists()


def test_only_clusterings_that_params_do_not_name_are_pruned(tree: Params) -> None:
    shutil.copytree(layout.cluster_folder(3), layout.cluster_folder("auto"))
    stale = [layout.cluster_folder(9), layout.silhouette_file(9)]
    shutil.copytree(layout.cluster_folder(3), stale[0])
    shutil.copy(layout.silhouette_file(3), stale[1])
    before = {*layout.CLUSTERS.iterdir(), *layout.silhouette_file(1).parent.iterdir()}
    assert prune_clusterings(tree.cluster.k) == stale
    assert {*layout.CLUSTERS.iterdir(), *layout.silhouette_file(1).parent.iterdir()} == before - {
        *stale
    }
    assert prune_clusterings(tree.cluster.k) == []


@pytest.mark.usefixtures("tree")
def test_the_stage_writes_the_study_and_prunes() -> None:
    gone = layout.subset_folder("main", "gone")
    gone.mkdir()
    run("main")
    assert not gone.exists()
    assert {path.name for path in (layout.RESULTS / "lab").iterdir()} == FILES


def test_the_projection_keeps_what_varies_and_its_sign() -> None:
    rng = np.random.default_rng(0)
    x = (rng.normal(size=(200, 5)) * [0.1, 3, 0.1, 1, 0.1] + 7).astype(np.float32)
    places, shares = project(x)
    centred = x - x.mean(axis=0)
    for axis, column in enumerate((1, 3)):
        assert np.corrcoef(places[:, axis], centred[:, column])[0, 1] > 0.99
    assert shares == pytest.approx(places.var(axis=0) / centred.var(axis=0).sum(), rel=1e-4)
    again, _ = project(x[::-1])
    np.testing.assert_allclose(again[::-1], places, atol=1e-4)
    flat, shares = project(np.array([[1.0], [3.0]], dtype=np.float32))
    np.testing.assert_allclose(flat, [[-1, 0], [1, 0]])
    assert shares.tolist() == [1, 0]


def test_a_map_of_a_large_pool_stays_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 20_000
    pool = PoolView(
        rng.normal(size=(n, 8)).astype(np.float32), noise=rng.choice(["none", "wrong"], n)
    )
    subsets = [
        Subset(f"s{i}", "selection", "random", 0, rng.permutation(n)[:2000], 0, 0, (), None, None)
        for i in range(12)
    ]
    plot_map(Inputs(pool, subsets, None, None, (1, False)), tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size < 300_000


def test_a_quality_that_saturates_is_noted_of_each_selection_and_of_the_measures(
    tree: Params,
) -> None:
    scores = pd.read_parquet(layout.SCORES_FILE)
    scores["judge"] += 60  # logits whose sigmoid is 1 to the last bit
    write_frame(layout.SCORES_FILE, scores, SCORES)
    write_choices(tree)
    told = f"sigmoid(judge) is 1 for {N} of {N} rows whose scores differ (judge is "
    seeds = read_json(layout.selection_file("main", "top_k"))["seeds"]
    assert all(seed["notes"][0].startswith(told) for seed in seeds.values())
    tied = f"{N} rows share the quality at the cut, 1; taken of them, in the pool's order: {BUDGET}"
    assert all(tied in seed["notes"][1] for seed in seeds.values())
    text = (write_selection_report(tree, "main") / "selection_main.md").read_text(encoding="utf-8")
    assert text.count(f"- top_k (seed 0, 1, 2): {told}") == 1
    assert f"Note: {told}" in text, "of the quality that all subsets are measured by"
    assert text.count("use rank(judge), which keeps their order") == 2
