"""The reports of the studies by round against their files: every number computed naively."""

import itertools
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from harness.clustering.files import read_clustering
from harness.common import layout
from harness.common.files import read_json
from harness.common.timings import read_timed
from harness.embedding.files import VECTORS
from harness.params.params import Params
from harness.report.curves.inputs import DEFAULT_SCORER, read_curve_study
from harness.report.curves.lines import gap
from harness.report.curves.write import write_curves
from harness.round_systems.kmq_iterative import KmqIterative
from harness.statistics.differences import RowTable, Runs
from harness.statistics.items import Items
from tests.helpers.by_round_tree import (
    BY_ROUND,
    BY_SIZE,
    LISTED,
    SIZES,
    K,
    answer_scores,
    build_in,
    copy_of,
)
from tests.helpers.charts import drawn_charts
from tests.helpers.selection_tree import N

GROUP = {0: "s0_1", 1: "s0_1", 2: "s2"}
WEIGHING = ("by_reward", "by_perplexity")


class Report:
    """The lines of both studies' tables."""

    def __init__(self, params: Params) -> None:
        self.params = params
        for study in LISTED:
            write_curves(params, study)

    def scores(self, study: str) -> dict[str, dict[str, Any]]:
        """The lines of the scores, by row."""
        path = layout.report_folder(self.params.preset, study) / "table.csv"
        return {str(line["row"]): line for line in _records(path)}

    def text(self, study: str) -> str:
        """The page."""
        path = layout.report_folder(self.params.preset, study) / "table.md"
        return path.read_text(encoding="utf-8")

    def rounds(self, study: str) -> dict[tuple[str, int], dict[str, Any]]:
        """The lines of what the rounds left, by selection and round."""
        path = layout.report_folder(self.params.preset, study) / "rounds.csv"
        return {(str(line["selection"]), int(line["round"])): line for line in _records(path)}


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """The reports of one tree, which is the working directory."""
    built = build_in(tmp_path_factory.mktemp("by_round"))
    with pytest.MonkeyPatch.context() as patch:
        yield Report(copy_of(built, tmp_path_factory.mktemp("copy"), patch))


def _records(path: Path) -> list[dict[str, Any]]:
    result: list[Any] = pd.read_csv(path).to_dict("records")
    return result


def cell(study: str, name: str, group: str) -> Path:
    """The evaluated cell of a row and seed group."""
    return layout.RUNS / study / f"{study}_{name}_{group}"


def averages(study: str, name: str) -> list[float]:
    """The headline of a row by seed, from its metrics."""
    result = []
    for seed, group in GROUP.items():
        metrics = read_json(cell(study, name, group) / "metrics.json")
        result.append(metrics["seeds"][str(seed)]["scores"]["avg"])
    return result


def items(study: str, name: str) -> list[np.ndarray]:
    """The items of a row's three benchmarks, from its samples: (seeds, items) each."""
    cells = [cell(study, name, group) for group in ("s0_1", "s2")]
    frame = pd.concat([pd.read_parquet(folder / "samples.parquet") for folder in cells])
    result = []
    for task in ("one", "two", "three"):
        table = frame[frame["task"] == task].pivot(index="item", columns="seed", values="score")
        result.append(table.to_numpy().T)
    return result


def subset(name: str, seed: int) -> pd.DataFrame:
    path = layout.subset_folder(name) / GROUP[seed] / f"seed_{seed}.parquet"
    return pd.read_parquet(path)


def left(name: str, seed: int, file: str) -> Path:
    return layout.selection_folder(name) / GROUP[seed] / f"seed_{seed}" / file


@pytest.mark.parametrize("study", ["scorers", "rounds"])
def test_a_row_for_every_entry_by_selection_and_size_with_means_over_seeds(
    report: Report, study: str
) -> None:
    result = report.scores(study)
    assert list(result) == LISTED[study]  # which is so ordered
    for name, line in result.items():
        mine = averages(study, name)
        assert line["avg"] == pytest.approx(statistics.mean(mine), abs=1e-6)
        assert line["avg_sd"] == pytest.approx(statistics.stdev(mine), abs=1e-6)
        assert line["rows"] in SIZES
        assert line["selection"] == {**BY_SIZE, **BY_ROUND}[name]["of"]


def test_differences_are_from_as_many_random_rows_and_corrected(report: Report) -> None:
    result = report.scores("scorers")
    raw = {}
    for name, line in result.items():
        if line["selection"] == "random":
            assert np.isnan([line["diff"], line["diff_low"], line["p"]]).all()
            continue
        assert line["against"] == f"random_{line['rows']}"
        table = of_one_size("scorers", line["rows"], result)
        one = table.difference(name, line["against"])
        gap = statistics.mean(averages("scorers", name)) - statistics.mean(
            averages("scorers", line["against"])
        )
        shown = [line[name] for name in ("diff", "diff_low", "diff_high")]
        assert shown == pytest.approx([gap, one.low, one.high], abs=1e-5)
        raw[name] = one.p
    assert len(raw) == 9
    # Holm: the smallest times 9, the next times 8, ..., each at least what the one before is.
    least = 0.0
    for rank, name in enumerate(sorted(raw, key=lambda one: raw[one])):
        least = max(least, min(1.0, (9 - rank) * raw[name]))
        assert result[name]["p"] == pytest.approx(least, abs=1e-5)


def test_random_draws_and_pairs_of_the_main_table_are_not_tested(report: Report) -> None:
    result = report.scores("rounds")
    assert result["evolved_1"]["remark"] == "A/A: both are random draws"
    assert np.isnan(result["evolved_1"]["p"])
    assert result["evolved_1"]["diff_low"] < result["evolved_1"]["diff_high"]
    assert result["evolved_2"]["p"] <= 1
    assert "(A/A: both are random draws): evolved_1." in report.text("rounds")


def of_one_size(study: str, rows: int, result: dict[str, Any]) -> RowTable:
    """The rows of one size, and nothing else, as the statistics read them."""
    runs = {}
    for name, line in result.items():
        if line["rows"] == rows:
            runs[name] = Runs(np.hstack(items(study, name)), fixed=False, budget=rows)
    each = items(study, "random_4")[0].shape[1]
    benchmark = np.repeat([0, 1, 2], each)
    cluster = 10 * benchmark + np.tile(np.arange(each) % 10, 3)
    return RowTable(Items.even(benchmark, cluster), runs, rows)


def test_costs_are_those_of_all_rounds_so_far(report: Report) -> None:
    result = report.rounds("scorers")
    # Seeds 0, 1, 2: on average 1 is added to what 4, then 8 instances cost; then nothing.
    for name in WEIGHING:
        lines = [result[name, number] for number in (1, 2, 3)]
        assert [line["rows"] for line in lines] == [4, 8, 12]
        trained, made = [401, 401 + 801, 1202], [29, 29 + 57, 86]
        assert [line["tokens_trained"] for line in lines] == trained
        assert [line["tokens_generated"] for line in lines] == made
        assert [line["tokens_scored"] for line in lines] == [120, 120 + 240, 360]
        # Of training, answering and scoring 4, then 8 instances; and of a training of 5,000 tokens.
        assert [line["flops"] for line in lines] == [7.6e8 * n for n in (4, 12, 12)]
        assert [line["train_flops"] for line in lines] == [6e6 * 5001] * 3
        assert [line["train_seconds"] for line in lines] == [11] * 3
        assert [line["model_calls"] for line in lines] == [4 + 8, 12 + 8 + 16, 36]
        # Three phases of 2 r + seed seconds, and what choosing took here, which is in the files.
        rounds = [read_timed(left(name, seed, "rounds.json")) for seed in GROUP]
        each = np.cumsum([[entry["seconds"] for entry in one] for one in rounds], axis=1)
        assert [line["seconds"] for line in lines] == pytest.approx(each.mean(axis=0), abs=1e-5)
        assert (each.mean(axis=0) >= [9, 9 + 15, 24]).all()
        for line, number in zip(lines, (1, 2, 3), strict=True):
            mean = statistics.mean(averages("scorers", f"{name}_{number}"))
            assert line["avg"] == pytest.approx(mean, abs=1e-6)
    lines = [report.rounds("rounds")["evolved", number] for number in (1, 2, 3)]
    assert [line["model_calls"] for line in lines] == [N, 2 * N, 2 * N]
    assert [line["tokens_embedded"] for line in lines] == [20 * N, 40 * N, 40 * N]
    assert "tokens_generated" not in lines[0]  # a column that would hold nothing


def test_gains_are_for_the_better_whichever_way_a_score_runs(report: Report) -> None:
    result = report.rounds("scorers")
    for name in WEIGHING:
        for number in (1, 2):
            gold, made = [], []
            for seed in GROUP:
                ids = subset(name, seed).query("round <= @number")["id"]
                rows = ids.str.removeprefix("r").astype(int).to_numpy()
                both = answer_scores(name, seed, number, rows)
                gold.append(both[0].mean())
                made.append(both[1].mean())
            assert result[name, number]["gold"] == pytest.approx(np.mean(gold), abs=1e-6)
            assert result[name, number]["generated"] == pytest.approx(np.mean(made), abs=1e-6)
        assert np.isnan([result[name, 3]["gold"], result[name, 3]["score_gain"]]).all()
        assert np.isnan(result[name, 1]["score_gain"])
        mean = [statistics.mean(averages("scorers", f"{name}_{r}")) for r in (1, 2, 3)]
        steps = [b - a for a, b in itertools.pairwise(mean)]
        before = [result[name, r]["gain_before"] for r in (2, 3)]
        after = [result[name, r]["gain_next"] for r in (1, 2)]
        assert before == pytest.approx(steps, abs=1e-6)
        assert after == pytest.approx(steps, abs=1e-6)
    # On the same instances: 0.05 more of reward a round, 0.2 more of perplexity, which is worse.
    assert result["by_reward", 2]["score_gain"] == pytest.approx(0.05)
    assert result["by_perplexity", 2]["score_gain"] == pytest.approx(-0.2)


def test_without_an_instance_asked_about_twice_the_gain_is_that_of_the_means(
    report: Report,
) -> None:
    result = read_curve_study(report.params, "scorers")
    loop = next(one for one in result.loops if one.name == "by_reward")
    newest = {}
    for seed, one in loop.seeds.items():
        assert one.instances is not None
        first = one.instances["id"].isin(subset("by_reward", seed)["id"].tolist()[:4])
        again = ((one.instances["round"] == 2) & first).to_numpy()
        assert np.count_nonzero(again) == 4
        newest[seed] = replace(one, instances=one.instances[~again])
    line = gap(result, replace(loop, seeds=newest), 1)
    before = gap(result, loop, 0)["generated"]
    assert line["score_gain"] == pytest.approx(line["generated"] - before)
    assert abs(line["score_gain"] - 0.05) > 0.001  # other instances, other scores


def test_weights_and_the_noise_under_them(report: Report) -> None:
    result = report.rounds("scorers")
    labels = read_clustering(layout.cluster_folder("minilm", K), N).labels
    faulty = (pd.read_parquet(layout.TRUTH_FILE)["noise"] != "none").to_numpy()
    share = np.array([faulty[labels == cluster].mean() for cluster in range(K)])
    assert (share > 0.5).tolist() == [True, True, False, False, False, False]
    for name in WEIGHING:
        rounds = [read_timed(left(name, seed, "rounds.json")) for seed in GROUP]
        for number in (1, 2, 3):
            line, each = result[name, number], []
            for seed in GROUP:
                frame = pd.read_parquet(left(name, seed, "clusters.parquet"))
                mine = frame.loc[frame["round"] == number].sort_values("cluster")
                each.append(mine["weight_before"].to_numpy())
            weights = np.mean(each, axis=0)
            assert weights.sum() == pytest.approx(1)
            assert line["noisy_weight"] == pytest.approx(weights[0] + weights[1], abs=1e-6)
            assert line["weighted_noise"] == pytest.approx(weights @ share, abs=1e-6)
            assert (line["clusters"], line["noisy_clusters"]) == (K, 2)
            key = "effective_clusters_before" if number == 1 else "effective_clusters"
            spread = [one[max(number - 2, 0)][key] for one in rounds]
            assert line["effective_clusters"] == pytest.approx(np.mean(spread), abs=1e-6)
        # The first round's are by size: what they lie on is the pool's own share of noise.
        assert result[name, 1]["weighted_noise"] == pytest.approx(faulty.mean(), abs=1e-6)
    assert result["by_reward", 3]["noisy_weight"] > result["by_reward", 1]["noisy_weight"]


@pytest.mark.parametrize(
    ("study", "names"),
    [("rounds", ("random_8", "evolved_2", "evolved_3")), ("scorers", ("kmq_4", "by_reward_2"))],
)
def test_the_vendi_score_is_the_definition_on_the_pools_embedding(
    report: Report, study: str, names: tuple[str, ...]
) -> None:
    result = report.scores(study)
    x = np.load(layout.EMBEDDINGS / "minilm" / VECTORS).astype(np.float64)
    for name in names:
        entry, values = {**BY_SIZE, **BY_ROUND}[name], []
        for seed in GROUP:
            whole = subset(entry["of"], seed).sort_values("order")
            mine = whole.head(entry["rows"]) if "rows" in entry else whole
            mine = mine.loc[mine["round"] <= entry.get("rounds", 9)]
            rows = mine["id"].str.removeprefix("r").astype(int).to_numpy()
            kernel = x[rows] @ x[rows].T / len(rows)
            shares = [v for v in np.linalg.eigvalsh(kernel) if v > 1e-12]
            values.append(np.exp(-sum(v * np.log(v) for v in shares)))
        assert result[name]["vendi_score"] == pytest.approx(np.mean(values), abs=1e-4)
        assert result[name]["vendi_score_sd"] == pytest.approx(np.std(values, ddof=1), abs=1e-4)
    assert all(np.isfinite(line["vendi_score"]) for line in result.values())


def test_the_default_scorer_is_the_systems_own() -> None:
    assert KmqIterative().scorer == DEFAULT_SCORER


@pytest.mark.parametrize("study", LISTED)
def test_every_chart_of_the_page_draws(report: Report, study: str) -> None:
    assert list(drawn_charts(study)) == ["Average by the number of rows"]
