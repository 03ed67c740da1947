"""The report of the main table's subsets against its files: numbers, words, what it reads."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.clustering.files import read_clustering
from harness.common import layout
from harness.common.files import read_json, write_json
from harness.common.schemas import FAULTS
from harness.common.timings import read_timed, write_timed
from harness.describing.measures import PoolView, describe_subset
from harness.describing.reads import reads
from harness.embedding.files import VECTORS
from harness.params.params import Params
from harness.params.selections import RoundSelection
from harness.report.subsets.write import write_subset_report
from tests.helpers.selection_tree import (
    BEST_K,
    BUDGET,
    FILES,
    N,
    build_tree,
    costs_of,
    describe_all,
)
from tests.helpers.small_repo import selection


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    return build_tree(tmp_path)


def report(params: Params) -> tuple[list[dict[str, Any]], str]:
    """The lines of the CSV, and the text."""
    folder = write_subset_report(params)
    text = (folder / "table.md").read_text(encoding="utf-8")
    return pd.read_csv(folder / "table.csv").to_dict("records"), text


def column(lines: list[dict[str, Any]], selection: str, name: str) -> np.ndarray:
    """A measure of a selection in each of its seeds."""
    return np.array([line[name] for line in lines if line["selection"] == selection])


def table_after(text: str, heading: str) -> dict[str, dict[str, str]]:
    """The first table after a heading, by the first cell of each row."""
    lines = text[text.index(heading) :].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return {row[0]: dict(zip(rows[0], row, strict=True)) for row in rows[2:]}


def test_a_row_for_every_selection_and_seed_with_the_numbers_of_its_files(tree: Params) -> None:
    lines, _ = report(tree)
    wanted = [(name, seed) for name in ("random", "top_k", "km_random") for seed in range(3)]
    assert [(line["selection"], line["seed"]) for line in lines] == [*wanted, ("full", 0)]
    x = np.load(layout.EMBEDDINGS / "minilm" / VECTORS)
    scores = pd.read_parquet(layout.SCORES_FILE).set_index("id")
    truth = pd.read_parquet(layout.TRUTH_FILE).set_index("id")
    tokens = np.load(layout.costs_file("tokens"))
    for line in lines:
        name, seed = str(line["selection"]), int(line["seed"])
        folder = layout.subset_folder(name) / ("s2" if seed == 2 else "s0_1")
        ids = pd.read_parquet(folder / f"seed_{seed}.parquet")["id"].tolist()
        picks = np.array([int(text[1:]) for text in ids])
        assert (line["rows"], line["tokens"]) == (len(ids), tokens[picks].sum())
        assert line["mean_judge"] == pytest.approx(scores["judge"][ids].mean(), abs=1e-5)
        for kind in FAULTS:
            share = np.mean([truth["noise"][i] == kind for i in ids])
            assert line[f"noise_{kind}"] == pytest.approx(share, abs=1e-5)
        for measure, value in describe_subset(PoolView(x), picks).items():
            assert line[measure] == pytest.approx(value, abs=1e-5)
        cost = read_timed(costs_of(name))["seeds"][str(seed)]
        assert (line["seconds"], line["peak_memory_mb"]) == (
            cost["seconds"],
            cost["peak_memory_mb"],
        )


def test_measures_on_what_a_selection_reads_are_its_own(tree: Params) -> None:
    lines, text = report(tree)
    judge = pd.read_parquet(layout.SCORES_FILE)["judge"].to_numpy()
    best = np.sort(1 / (1 + np.exp(-judge)))[-BUDGET:].mean()
    assert column(lines, "top_k", "own_quality") == pytest.approx(best, abs=1e-5)
    assert (column(lines, "top_k", "top_overlap") == 1).all()
    # A share of the budget goes to every one of its 3 clusters.
    assert (column(lines, "km_random", "own_clusters_reached") == 1).all()
    for name in ("random", "km_random", "full"):
        assert np.isnan(column(lines, name, "own_quality")).all()
    for name in ("random", "top_k", "full"):
        assert np.isnan(column(lines, name, "own_clusters_reached")).all()
    assert "Own quality: top_k `sigmoid(judge)`." in text
    assert f"measured on: k = {BEST_K}, the largest k that is made" in text
    shares = np.bincount(read_clustering(layout.cluster_folder("minilm", BEST_K), N).labels) / N
    entropy = -sum(share * np.log(share) for share in shares if share)
    assert column(lines, "full", "cluster_entropy") == pytest.approx(entropy, abs=1e-5)
    assert column(lines, "full", "clusters_reached") == 1


def test_the_clustering_that_auto_chose_is_the_common_one(tree: Params) -> None:
    shutil.copytree(layout.cluster_folder("minilm", 3), layout.cluster_folder("minilm", "auto"))
    describe_all(tree)
    lines, text = report(tree)
    assert "measured on: k = 3, chosen by silhouette (k: auto)" in text
    own = column(lines, "km_random", "own_cluster_entropy")
    assert own.tolist() == column(lines, "km_random", "cluster_entropy").tolist()
    assert "own entropy" not in text, "the same clusters twice"


def test_the_text_has_means_and_deviations_over_seeds(tree: Params) -> None:
    lines, text = report(tree)
    result = table_after(text, "# What each subset is")
    mine = column(lines, "random", "vendi_score")
    assert result["random"]["Vendi score"] == f"{mine.mean():.1f} ± {mine.std(ddof=1):.1f}"
    assert result["random"]["seeds"] == "3"
    assert "±" not in result["top_k"]["Vendi score"], "the same choice in each seed"
    assert result["full"]["covering radius"] == "0.000"
    assert "none" not in result
    noise = table_after(text, "## What was planted")
    shares = 100 * column(lines, "random", "noise_share")
    assert np.ptp(shares) > 0, "the case this test is about"
    expected = f"{shares.mean():.1f} ± {shares.std(ddof=1):.1f}%"
    assert noise["random"]["planted noise"] == expected
    assert "A miniature" in text
    assert "References (full) are not selection systems" in text


def test_the_mix_of_families_stands_below_that_of_the_pool(tree: Params) -> None:
    truth = pd.read_parquet(layout.TRUTH_FILE)
    families = np.where(np.arange(N) % 3 == 0, "art", "code")
    truth.assign(family=families).to_parquet(layout.TRUTH_FILE)
    describe_all(tree)
    lines, text = report(tree)
    for line in lines:
        assert line["family_art"] + line["family_code"] == pytest.approx(1, abs=1e-5)
    shown = table_after(text, "### Families")
    art = 100 * (families == "art").mean()
    assert shown["the pool"] == {
        "selection": "the pool",
        "seeds": "–",
        "art": f"{art:.1f}%",
        "code": f"{100 - art:.1f}%",
    }
    assert shown["full"]["art"] == f"{art:.1f}%"
    mine = 100 * column(lines, "random", "family_art")
    assert np.ptp(mine) > 0, "the case this test is about"
    assert shown["random"]["art"] == f"{mine.mean():.1f} ± {mine.std(ddof=1):.1f}%"
    assert "±" not in shown["top_k"]["art"], "the same choice in each seed"


def test_scorers_are_compared_with_the_planted_faults(tree: Params) -> None:
    from scipy.stats import spearmanr

    _, text = report(tree)
    frame = pd.read_csv(layout.report_folder("lab", "subsets") / "scorers.csv")
    clean = pd.read_parquet(layout.TRUTH_FILE)["noise"].to_numpy() == "none"
    judge = pd.read_parquet(layout.SCORES_FILE)["judge"].to_numpy()
    line = frame.set_index(["scorer", "noise"]).to_dict("index")["judge", "all"]
    expected = spearmanr(judge, clean)[0]
    assert line["spearman"] == pytest.approx(expected, abs=1e-5)
    assert line["spearman_low"] < expected < line["spearman_high"]
    shown = table_after(text, "## Do the scorers see")["judge"]
    head = f"all faults ({(~clean).sum()})"
    assert shown[head].startswith(f"+{expected:.2f} [+")


def test_clusterings_are_listed_with_the_best_marked(tree: Params) -> None:
    _, text = report(tree)
    result = table_after(text, "## Clusterings")
    assert list(result) == ["1", "3", str(BEST_K)]
    assert result["1"]["silhouette"] == "–"
    best = read_json(layout.silhouette_file("minilm", BEST_K))["silhouette"]
    assert result[str(BEST_K)]["silhouette"] == f"**{best:.4f}**"
    quality = 1 / (1 + np.exp(-pd.read_parquet(layout.SCORES_FILE)["judge"].to_numpy()))
    labels = read_clustering(layout.cluster_folder("minilm", 3), N).labels
    poor = [quality[labels == label].mean() < 0.3 for label in range(3)]
    assert result["3"]["mean quality < 0.3"] == f"{100 * np.mean(poor):.1f}%"


def test_the_page_notes_that_the_largest_k_is_the_best(tree: Params) -> None:
    note = f"The best silhouette is that of the largest k that was made, {BEST_K}:"
    assert note in report(tree)[1]
    path = layout.silhouette_file("minilm", BEST_K)
    write_json(path, {**read_json(path), "silhouette": -0.5})
    assert "The best silhouette is that of the largest" not in report(tree)[1]


def test_what_selecting_cost_is_reported_with_what_it_read(tree: Params) -> None:
    lines, text = report(tree)
    assert column(lines, "top_k", "scoring_seconds").tolist() == [2.5] * 3
    assert column(lines, "random", "scoring_seconds").tolist() == [0.0] * 3
    result = table_after(text, "## What selecting cost")
    costs = {name: (row["reads"], row["scoring (s)"]) for name, row in result.items()}
    assert costs == {
        "random": ("–", "0.0"),
        "top_k": ("judge", "2.5"),
        "km_random": ("embedding minilm, clusters (k: 3)", "0.0"),
        "full": ("–", "0.0"),
    }
    scores = table_after(text, "What making the scores took")
    expected = {"score": "judge", "scorer": "reward_model", "rows a model read": f"{N}"}
    assert scores["judge"] == {**expected, "seconds": "2.5"}


def test_a_cost_that_is_not_known_is_left_out(tree: Params) -> None:
    costs = read_timed(layout.SCORE_COSTS_FILE)
    costs["judge"]["seconds"] = None
    write_timed(layout.SCORE_COSTS_FILE, costs)
    describe_all(tree)
    lines, text = report(tree)
    assert np.isnan(column(lines, "top_k", "scoring_seconds")).all()
    assert table_after(text, "## What selecting cost")["top_k"]["scoring (s)"] == "–"
    assert table_after(text, "What making the scores took")["judge"]["seconds"] == "–"


def test_model_calls_are_reported_where_there_were_any(tree: Params) -> None:
    assert "model calls" not in table_after(report(tree)[1], "## What selecting cost")["random"]
    path = costs_of("top_k")
    info = read_json(path)
    for cost in info["seeds"].values():
        cost["feedback"] = {"generated": 10, "scored": 20, "embedded": 300, "tokens_scored": 9}
    write_json(path, info)
    describe_all(tree)
    lines, text = report(tree)
    assert column(lines, "top_k", "model_calls").tolist() == [330] * 3
    result = table_after(text, "## What selecting cost")
    assert [result[name]["model calls"] for name in ("random", "top_k")] == ["0", "330"]
    assert "USD" not in result["top_k"]
    for cost in info["seeds"].values():  # a judge whose prices are unknown
        cost["feedback"]["judge_answers"] = 20
    write_json(path, info)
    describe_all(tree)
    result = table_after(report(tree)[1], "## What selecting cost")
    assert [result[name]["USD"] for name in ("random", "top_k")] == ["0.00", "–"]


def test_what_selections_in_rounds_read(tree: Params) -> None:
    given = {
        "kmq": selection("kmq_iterative", k="auto", quality="sigmoid(judge)", rounds=2),
        "current": selection("diverse_evol"),
        "static": selection("diverse_evol", space="static"),
        "unsure": selection("diverse_evol", criterion="margin"),
    }
    table = {name: RoundSelection.model_validate(item) for name, item in given.items()}
    params = tree.model_copy(update={"selections_rounds": table})
    assert {name: reads(params, name) for name in given} == {
        "kmq": "judge, embedding minilm, clusters (k: auto), models that it trains",
        "current": "models that it trains",
        "static": "embedding minilm",
        "unsure": "models that it trains",
    }


def test_warnings_of_samplers_are_shown(tree: Params) -> None:
    path = costs_of("top_k")
    info = read_json(path)
    for seed in ("0", "2"):
        info["seeds"][seed]["notes"] = ["all quality\n|is|<b>zero"]
    write_json(path, info)
    describe_all(tree)
    lines, text = report(tree)
    notes = column(lines, "top_k", "notes").tolist()
    assert [note == r"all quality\n|is|<b>zero" for note in notes] == [True, False, True]
    assert r"- top_k (seed 0, 2): all quality\\n\|is\|&lt;b>zero" in text


def test_two_reports_of_the_same_files_are_the_same_bytes(tree: Params) -> None:
    folder = write_subset_report(tree)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(before) == FILES
    assert all(len(content) < 300_000 for content in before.values())
    shutil.rmtree(layout.SUBSETS)  # what they are is described already
    write_subset_report(tree)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
