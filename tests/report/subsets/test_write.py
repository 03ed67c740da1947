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
from harness.describing.reads import reads, shared_cost
from harness.describing.shared_costs import read_shared_costs, write_shared_costs
from harness.embedding.files import VECTORS
from harness.params.params import Params
from harness.params.selections import RoundSelection, ScoredSelection
from harness.report.shared.tables import flops_text
from harness.report.subsets.write import write_subset_report
from tests.helpers.charts import drawn_charts
from tests.helpers.selection_tree import (
    BEST_K,
    BUDGET,
    DIMENSIONS,
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
    result = table_after(text, "## What selecting cost")
    names = ("reads", "selection (FLOPs)", "shared (s)", "shared (FLOPs)")
    costs = {name: tuple(row[head] for head in names) for name, row in result.items()}
    iterations = read_json(layout.silhouette_file("minilm", 3))["iterations"]
    k_means = 2 * N * DIMENSIONS * 3 * (iterations + 3)
    embedding = 2 * 10_000 * 40 * N
    assert costs == {
        "random": ("–", "0", "0.0", "0"),
        "top_k": ("judge", "0", "2.5", flops_text(2 * 3_000 * 900_000)),
        "km_random": (
            *("embedding minilm, clusters (k: 3)", "0", "4.3"),
            flops_text(embedding + k_means),
        ),
        "full": ("–", "0", "0.0", "0"),
    }
    assert column(lines, "km_random", "shared_flops").tolist() == [embedding + k_means] * 3
    shared = table_after(text, "## What selecting cost\n")
    made = table_after(text, "Shared: what a selection needs")
    assert "random" in shared
    assert made["base model"] == dict(
        zip(made["base model"], ("base model", "50,000", "3.0e11", "90.0"), strict=True)
    )
    assert made["reward model"]["FLOPs"] == flops_text(6 * 7_000 * 900_000)
    assert made["clusters of minilm, k = 3"]["seconds"] == "0.3"
    assert made["score length (length)"]["FLOPs"] == "0"
    assert list(made) == [
        *("base model", "reward model", "embedding minilm"),
        *(f"clusters of minilm, k = {k}" for k in (1, 3, BEST_K)),
        *("score length (length)", "score judge (reward_model)"),
    ]


def test_what_is_shared_is_what_a_selection_needs(tree: Params) -> None:
    given = {
        "auto": selection("km_random", k="auto"),
        "kmq": selection("kmq_iterative", k=3, quality="sigmoid(judge)", scorer="reward_model"),
        "static": selection("diverse_evol", space="static"),
        "current": selection("diverse_evol"),
    }
    table = {name: RoundSelection.model_validate(item) for name, item in given.items()}
    params = tree.model_copy(update={"selections_rounds": table})
    costs = read_shared_costs(params)
    spent = {n: shared_cost(params, costs, n)["shared_seconds"] for n in (*given, "full")}
    tried = (1 + 3 + BEST_K) / 10
    assert spent == pytest.approx(
        {"auto": 4 + tried, "kmq": 4 + 0.3 + 2.5 + 11.5, "static": 4, "current": 0, "full": 0}
    )
    # The pipeline's own reward model is needed where a score is read by it, and only then.
    costs["scores"]["judge"]["model"] = "reward"
    read = shared_cost(tree, costs, "top_k")
    assert read["shared_seconds"] == pytest.approx(2.5 + 11.5)
    assert read["shared_flops"] == pytest.approx((2 * 3_000 + 6 * 7_000) * 900_000)


def test_responses_that_several_scores_use_are_counted_once(tree: Params) -> None:
    costs = read_timed(layout.SCORE_COSTS_FILE)
    read = {"first": "length", "rows": N, "tokens": 50 * N, "seconds": 7.25}
    used = {"multiplied_parameters": 900_000, "responses": read}
    write_timed(layout.SCORE_COSTS_FILE, {name: {**c, **used} for name, c in costs.items()})
    write_shared_costs(tree)
    describe_all(tree)
    lines, text = report(tree)
    # A selection that reads one of them pays for all of the reading, and one of both no more.
    assert column(lines, "top_k", "shared_seconds").tolist() == [2.5 + 7.25] * 3
    spent = 2 * (3_000 + 50 * N) * 900_000
    assert column(lines, "top_k", "shared_flops").tolist() == [spent] * 3
    both = {"both": selection("top_k", quality="judge * minmax(length)")}
    table = {n: ScoredSelection.model_validate(item) for n, item in both.items()}
    params = tree.model_copy(update={"selections_scored": table})
    cost = shared_cost(params, read_shared_costs(params), "both")
    assert cost == {"shared_seconds": 2.5 + 7.25, "shared_flops": spent}
    made = table_after(text, "Shared: what a selection needs")
    assert made["score judge (reward_model)"]["seconds"] == "2.5"
    assert made["responses for length, judge"] == {
        "made once": "responses for length, judge",
        "tokens": f"{50 * N:,}",
        "FLOPs": flops_text(2 * 50 * N * 900_000),
        "seconds": "7.2",
    }


def test_a_cost_that_is_not_known_is_left_out(tree: Params) -> None:
    costs = read_timed(layout.SCORE_COSTS_FILE)
    costs["judge"]["seconds"] = None
    del costs["judge"]["tokens"]
    write_timed(layout.SCORE_COSTS_FILE, costs)
    write_shared_costs(tree)
    describe_all(tree)
    lines, text = report(tree)
    row = table_after(text, "## What selecting cost")["top_k"]
    made = table_after(text, "Shared: what a selection needs")["score judge (reward_model)"]
    for name, head in (("seconds", "shared (s)"), ("flops", "shared (FLOPs)")):
        assert np.isnan(column(lines, "top_k", f"shared_{name}")).all()
        assert row[head] == "–"
    assert (made["tokens"], made["FLOPs"], made["seconds"]) == ("–", "–", "–")


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
    assert [result[name]["selection (FLOPs)"] for name in ("random", "top_k")] == ["0", "–"]


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


def test_every_chart_of_the_page_draws_and_the_map_says_what_a_row_is(tree: Params) -> None:
    report(tree)
    drawn = drawn_charts("subsets")
    assert len(drawn) == 3
    assert "selected by" in drawn["A map of the pool"]
