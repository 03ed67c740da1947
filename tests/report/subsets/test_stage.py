"""The stage that reports subsets: other presets, missing files, pruning, its map."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import html_json, read_json, write_json
from harness.common.schemas import SCORES, write_frame
from harness.common.stores import seal
from harness.describing import Described, SeedFacts
from harness.describing.measures import PoolView
from harness.describing.pool import report_quality
from harness.describing.shared_costs import write_shared_costs
from harness.params.params import Cell, Params
from harness.params.pruning import prune_shared
from harness.report.subsets.charts import MOST_ON_PAGE, MOST_POINTS, map_chart, map_records
from harness.report.subsets.inputs import SubsetStudy
from harness.report.subsets.map import plot_map, project
from harness.report.subsets.write import write_subset_report
from pipeline.report import run
from tests.helpers.build_runs import write_params
from tests.helpers.selection_tree import (
    BUDGET,
    FILES,
    N,
    build_tree,
    costs_of,
    describe_all,
    write_choices,
)
from tests.helpers.small_repo import selection


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    return build_tree(tmp_path)


PLAIN: dict[str, Any] = {
    "preset": "alpaca_cpu",
    "scorers": {"length": {"scorer": "length"}},
    "selections_scored": {},
    "selections_rounds": {},
    "cluster": {"k": [1], "seed": 42},
    "selections": {"k_center": selection("k_center", budget=BUDGET)},
    "table": ["none", "k_center", "full"],
}


def test_without_truth_without_random_and_with_one_cluster(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    params = build_tree(tmp_path, **PLAIN)
    folder = write_subset_report(params)
    frame = pd.read_csv(folder / "table.csv")
    assert not [
        name for name in frame.columns if name.startswith(("noise", "skills", "family", "own"))
    ]
    assert not frame["cluster_entropy"].to_numpy().any()
    text = (folder / "table.md").read_text(encoding="utf-8")
    assert "planted" not in text
    assert "### Families" not in text
    assert "Do the scorers" not in text
    assert "by `minmax(length)`" in text
    scorers = pd.read_csv(folder / "scorers.csv")
    assert len(scorers) == 0
    assert "auc_low" in scorers
    assert {path.name for path in folder.iterdir()} == FILES


def test_where_every_subset_is_the_whole_pool_the_map_marks_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    params = build_tree(tmp_path, **{**PLAIN, "selections": {}, "table": ["none", "full"]})
    write_subset_report(params)
    (chart,) = read_json(layout.page_part(params.preset, "subsets"))["charts"]
    assert "params" not in chart["spec"]
    assert "layer" not in chart["spec"]
    assert "every subset is the whole of it" in chart["caption"]


def test_which_quality_all_are_measured_by(tmp_path: Path) -> None:
    for scorers, expected in (
        ({"a": {"scorer": "length"}, "b": {"scorer": "reward_model"}}, ("b", "sigmoid(b)")),
        ({"a": {"scorer": "length"}, "c": {"scorer": "ifd"}}, ("a", "minmax(a)")),
        ({}, (None, None)),
    ):
        assert report_quality(write_params(tmp_path, scorers=scorers)) == expected


def broken_id(_: Params) -> None:
    path = layout.subset_folder("random") / "s2" / "seed_2.parquet"
    frame = pd.read_parquet(path)
    frame.loc[0, "id"] = "unknown"
    frame.to_parquet(path, index=False)
    seal(path.parent)


def other_scores(_: Params) -> None:
    frame = pd.read_parquet(layout.SCORES_FILE)
    frame.iloc[::-1].to_parquet(layout.SCORES_FILE, index=False)


def no_seed(_: Params) -> None:
    path = costs_of("random")
    info = read_json(path)
    del info["seeds"]["1"]
    write_json(path, info)


def no_facts(_: Params) -> None:
    (layout.DESCRIBED / "main" / "random" / "s0_1" / "facts.json").unlink()


def no_facts_of_a_seed(_: Params) -> None:
    path = layout.DESCRIBED / "main" / "random" / "s0_1" / "facts.json"
    facts = read_json(path)
    del facts["seeds"]["1"]
    write_json(path, facts)


def no_picks(_: Params) -> None:
    (layout.DESCRIBED / "main" / "top_k" / "s2" / "seed_2.npy").unlink()


def no_shared_cost(_: Params) -> None:
    costs = read_json(layout.SHARED_COSTS_FILE)
    del costs["scores"]["length"]
    write_json(layout.SHARED_COSTS_FILE, costs)


BOTH = (describe_all, write_subset_report)
BROKEN = [
    (BOTH, lambda _: layout.SHARED_COSTS_FILE.unlink(), r"costs/shared.json: no such file"),
    (BOTH, no_shared_cost, r"costs/shared.json: nothing of scores.length; dvc repro cost_shared"),
    (
        (write_shared_costs,),
        lambda _: layout.SCORE_COSTS_FILE.unlink(),
        r"scores.json: no such file",
    ),
    ((describe_all,), broken_id, r"subsets/random: the pool has no row 'unknown'"),
    (BOTH, other_scores, r"scores.parquet: rows of another pool than .*; dvc repro score"),
    ((describe_all,), no_seed, r"selections/random: nothing of seed 1; dvc repro select@random"),
    (BOTH, lambda _: layout.TRUTH_FILE.unlink(), r"truth.parquet: no such file"),
    (
        (write_subset_report,),
        lambda _: layout.silhouette_file("minilm", 3).unlink(),
        r"silhouettes/minilm/k_3.json: no such file",
    ),
    (
        (write_subset_report,),
        lambda _: shutil.rmtree(layout.cluster_folder("minilm", 3)),
        r"minilm/k_3/info.json: no such file",
    ),
    (BOTH, lambda _: layout.costs_file("tokens").unlink(), r"dvc repro cost_tokens"),
    (
        (write_subset_report,),
        no_facts,
        r"random/s0_1/facts.json: no such file; dvc repro describe@random-s0_1",
    ),
    (
        (write_subset_report,),
        no_facts_of_a_seed,
        r"s0_1/facts.json: nothing of seed 1; dvc repro describe@random-s0_1",
    ),
    ((write_subset_report,), no_picks, r"top_k/s2/seed_2.npy: no such file.*describe@top_k-s2"),
]


@pytest.mark.parametrize(("steps", "breaks", "message"), BROKEN)
def test_what_is_missing_or_of_another_pool_is_named_and_nothing_is_written(
    tree: Params,
    steps: tuple[Callable[[Params], object], ...],
    breaks: Callable[[Params], None],
    message: str,
) -> None:
    breaks(tree)
    before = described_files()
    for step in steps:
        with pytest.raises(InputError, match=message):
            step(tree)
        assert not layout.RESULTS.exists()
        assert described_files() == before


def described_files() -> dict[Path, bytes]:
    """What is described, by path."""
    return {path: path.read_bytes() for path in layout.DESCRIBED.rglob("*") if path.is_file()}


def test_only_clusterings_that_params_do_not_name_are_pruned(tree: Params) -> None:
    shutil.copytree(layout.cluster_folder("minilm", 3), layout.cluster_folder("minilm", "auto"))
    stale = [
        *(layout.cluster_folder("gone", 3), layout.cluster_folder("minilm", 9)),
        *(layout.silhouette_file("gone", 3), layout.silhouette_file("minilm", 9)),
    ]
    for folder in stale[:2]:
        shutil.copytree(layout.cluster_folder("minilm", 3), folder)
    for file in stale[2:]:
        file.parent.mkdir(exist_ok=True)
        shutil.copy(layout.silhouette_file("minilm", 3), file)
    before = clusterings()
    removed = set(prune_shared(["minilm"], tree.cluster.k))
    assert removed == {
        *(layout.CLUSTERS / "gone", layout.SILHOUETTES / "gone"),
        *(stale[1], stale[3]),
    }
    assert before - clusterings() == set(stale)
    assert prune_shared(["minilm"], tree.cluster.k) == []


def clusterings() -> set[Path]:
    """The folder of every clustering, and the file of facts of each."""
    return {*layout.CLUSTERS.glob("*/k_*"), *layout.SILHOUETTES.glob("*/k_*.json")}


@pytest.mark.usefixtures("tree")
def test_the_stage_writes_the_report_of_the_subsets_and_prunes() -> None:
    gone = [
        *(layout.subset_folder("gone"), layout.selection_folder("gone")),
        *(layout.DESCRIBED / "main" / "gone", layout.report_folder("lab", "gone")),
        layout.cluster_folder("minilm", 9),
    ]
    for folder in gone:
        folder.mkdir(parents=True)
    run("subsets")
    assert not [folder for folder in gone if folder.exists()]
    assert {path.name for path in (layout.RESULTS / "lab").iterdir()} == {"subsets", "page"}
    assert {path.name for path in layout.report_folder("lab", "subsets").iterdir()} == FILES


@pytest.mark.usefixtures("tree")
def test_a_report_that_params_do_not_name_is_refused_with_the_choices() -> None:
    with pytest.raises(
        InputError, match=r"no report is called 'nonsense'; choices: main, subsets, worlds$"
    ):
        run("nonsense")
    with pytest.raises(InputError, match="no report is called 'subset'; did you mean 'subsets'"):
        run("subset")
    assert not layout.RESULTS.exists()


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


def drawn_cells(rng: np.random.Generator, count: int, n: int, rows: int) -> list[Described]:
    """So many selections, each of some rows of a pool of ``n``, drawn at random."""
    return [
        Described(
            Cell("main", f"s{i}", "s0", (0,)),
            "selection",
            "random",
            "",
            {0: SeedFacts(rng.permutation(n)[:rows], {}, {})},
        )
        for i in range(count)
    ]


def test_a_map_of_a_large_pool_stays_small(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    n = 20_000
    pool = PoolView(
        rng.normal(size=(n, 8)).astype(np.float32), noise=rng.choice(["none", "wrong"], n)
    )
    cells = drawn_cells(rng, 12, n, 2000)
    plot_map(SubsetStudy(pool, cells, None, None, (1, False)), tmp_path / "map.png")
    assert (tmp_path / "map.png").stat().st_size < 300_000


def test_points_of_long_ids_and_escaped_texts_fit_the_page() -> None:
    n, rng = 6_100, np.random.default_rng(1)
    cells = drawn_cells(rng, 5, n, n // 10)
    pool = PoolView(rng.normal(size=(n, 4)).astype(np.float32))
    study = SubsetStudy(pool, cells, None, None, (1, False))
    ids = [f"{i:064x}" for i in range(n)]
    few, _, _ = map_records(study, ids, {})
    assert len(few) == MOST_POINTS, "without texts all fit"
    html = {"prompt": ["<p><b>" * 30] * n, "response": ["é<br>" * 30] * n}
    records, names, _ = map_records(study, ids, html)
    size = len(html_json(records).encode())
    assert 0.99 * MOST_ON_PAGE < size <= MOST_ON_PAGE
    assert f"{len(records):,} of the pool's 6,100 rows" in map_chart(study, ids, html).caption
    assert [one["id"] for one in records] == sorted(one["id"] for one in records)
    for name in names:
        share = np.mean([f"|{name}|" in one["taken"] for one in records])
        assert share == pytest.approx(0.1, abs=0.03), "an even sample"
    long, _, _ = map_records(study, ["i" * 100_000] * n, {})
    assert len(long) == MOST_POINTS, "an id is cut"


def test_a_saturated_quality_is_noted_for_each_selection_and_for_the_measures(
    tree: Params,
) -> None:
    scores = pd.read_parquet(layout.SCORES_FILE)
    scores["judge"] += 60  # logits whose sigmoid is 1 to the last bit
    write_frame(layout.SCORES_FILE, scores, SCORES)
    write_choices(tree)
    note = f"sigmoid(judge) is 1 for {N} of {N} rows whose scores differ (judge is "
    seeds = read_json(costs_of("top_k"))["seeds"]
    assert all(seed["notes"][0].startswith(note) for seed in seeds.values())
    tied = f"{N} rows share the quality at the cut, 1; taken of them, in the pool's order: {BUDGET}"
    assert all(tied in seed["notes"][1] for seed in seeds.values())
    text = (write_subset_report(tree) / "table.md").read_text(encoding="utf-8")
    assert text.count(f"- top_k (seed 0, 1, 2): {note}") == 1
    assert f"Note: {note}" in text, "of the quality that all subsets are measured by"
    assert text.count("use rank(judge), which keeps their order") == 2
