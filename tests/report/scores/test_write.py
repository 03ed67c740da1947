"""A study's report against its files: numbers, words, errors, pruning."""

import csv
import json
import statistics
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_json, write_json
from harness.common.markdown import first_table
from harness.common.schemas import TRUTH, read_frame, write_frame
from harness.params.params import Params
from harness.params.pruning import prune
from harness.report.scores.charts import COSTS, cost_records, not_drawn
from harness.report.scores.table import build_table
from harness.report.scores.write import finding, write_scores
from harness.report.shared.judging import judged
from harness.report.shared.runs import study_rows
from harness.report.shared.study_table import SIMILAR
from harness.statistics.differences import NAN
from harness.suites import SUITES, load_suite
from tests.helpers.build_runs import QUALITY, build_runs, cells, write_cell
from tests.helpers.charts import drawn_charts
from tests.helpers.small_repo import further
from tests.helpers.toy_suite import write_toy_suite

MAIN_ONLY: dict[str, Any] = {
    "table": ["none", "random", "k_center", "full"],
    "seed_groups": ["s0_1_2"],
    "further": {},
    "studies": {},
    "evaluate": {"suite": "toy"},
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    return build_runs(tmp_path, **MAIN_ONLY)


def lines(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "table.csv").open(encoding="utf-8") as file:
        return {line["selection"]: line for line in csv.DictReader(file)}


def test_means_and_deviations_are_those_of_the_metrics(tree: Params) -> None:
    result = lines(write_scores(tree, "main"))
    assert list(result) == ["none", "random", "k_center", "full"]
    for name, line in result.items():
        metrics = read_json(layout.RUNS / "main" / name / "s0_1_2" / "metrics.json")["seeds"]
        for column in ("one", "avg"):
            scores = [seed["scores"][column] for seed in metrics.values()]
            assert float(line[column]) == pytest.approx(statistics.mean(scores), abs=1e-4)
            if len(scores) == 3:
                sd = statistics.stdev(scores)
                assert float(line[f"{column}_sd"]) == pytest.approx(sd, abs=1e-4)
            else:
                assert line[f"{column}_sd"] == ""
    gap = float(result["k_center"]["avg"]) - float(result["random"]["avg"])
    assert float(result["k_center"]["diff"]) == pytest.approx(gap, abs=2e-4)
    assert float(result["full"]["diff_low"]) > 0  # 30 points better, whatever the seeds
    assert result["random"]["diff"] == ""


def test_the_subsets_facts_are_those_of_the_files(tree: Params) -> None:
    import pandas as pd

    result = lines(write_scores(tree, "main"))
    scores = pd.read_parquet(layout.SCORES_FILE).set_index("id")["length"]
    truth = pd.read_parquet(layout.TRUTH_FILE).set_index("id")
    lengths, noise = [], []
    for seed in range(3):
        path = layout.subset_folder("random") / "s0_1_2" / f"seed_{seed}.parquet"
        ids = pd.read_parquet(path)["id"]
        lengths.append(scores.loc[ids].mean())
        noise.append((truth.loc[ids, "noise"] != "none").mean())
    line = result["random"]
    assert float(line["length"]) == pytest.approx(statistics.mean(lengths), abs=1e-3)
    assert float(line["noise_share"]) == pytest.approx(statistics.mean(noise), abs=1e-3)
    assert (line["rows"], result["none"]["rows"], result["full"]["rows"]) == ("6", "0", "60")
    assert float(line["select_seconds"]) == 1.5
    assert float(line["train_tokens"]) == 5001
    assert (float(line["select_flops"]), float(line["train_flops"])) == (2e9, 6e6 * 5001)
    assert (float(line["shared_seconds"]), float(line["shared_flops"])) == (40, 3e12)


def test_the_page_describes_the_study_and_the_summary_is_short(tree: Params) -> None:
    folder = write_scores(tree, "main")
    text = (folder / "table.md").read_text(encoding="utf-8")
    assert "A miniature" in text
    assert "a Llama of 1.0M parameters" in text
    assert "One seed only, hence no deviation: none, full." in text
    assert "- One: metric acc, 40 items, 0 shots, chance 25.0." in text
    summary = json.loads((folder.parent / "summary.json").read_text())
    line = lines(folder)["random"]
    assert summary["random"]["avg"] == round(float(line["avg"]), 2)
    assert summary["random"]["sd"] == round(float(line["avg_sd"]), 2)
    assert set(summary["none"]) == {"avg", "seeds", "one", "two", "three"}
    shown = json.loads((folder.parent / "metrics.json").read_text())
    assert shown == {name: summary[name]["avg"] for name in ("random", "k_center")}
    origin = json.loads((folder / "provenance.json").read_text())
    assert origin["params"]["preset"] == "lab"
    assert set(origin["machine"]) == {"system", "architecture", "cores", "cpu", "memory_gib"}
    assert str(Path.cwd()) not in (folder / "provenance.json").read_text()


def test_an_average_is_weighted_as_the_pool_is(tree: Params) -> None:
    assert "avg_as_pool" not in lines(write_scores(tree, "main"))["random"]
    suite = SUITES["toy"] / "suite.yaml"
    text = suite.read_text()
    for name, family in {"one": "knowledge", "two": "code", "three": "code"}.items():
        text = text.replace(f"task: {name}.yaml", f"task: {name}.yaml, mirrors: {family}")
    suite.write_text(text)
    truth = read_frame(layout.TRUTH_FILE, TRUTH)
    families = ["knowledge" if i % 4 == 0 else "code" for i in range(len(truth))]
    write_frame(layout.TRUTH_FILE, truth.assign(family=families), TRUTH)
    folder = write_scores(tree, "main")
    share = families.count("knowledge") / len(families)
    for line in lines(folder).values():
        one, two, three = (float(line[name]) for name in ("one", "two", "three"))
        wanted = share * one + (1 - share) * (two + three) / 2
        assert float(line["avg_as_pool"]) == pytest.approx(wanted, abs=2e-4)
    page = (folder / "table.md").read_text(encoding="utf-8")
    assert "Average as the pool" in first_table(page)[0]
    assert f"One {100 * share:.1f}%" in page


def test_ps_are_holms_over_the_selections(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    names = ["none", "random", "k_center", "km_random", "full"]
    params = build_runs(tmp_path, **{**MAIN_ONLY, "table": names})
    suite, rows = load_suite("toy"), {row.name: row for row in study_rows(params, "main")}
    chosen = ("k_center", "km_random")  # how far a reference is from random is no test
    table = judged(params, suite, list(rows.values()))
    raw = {name: table.difference(name, "random").p for name in chosen}
    folder = write_scores(params, "main")
    result = {name: line["p"] for name, line in lines(folder).items()}
    small, large = sorted(raw, key=lambda name: raw[name])
    corrected = min(1, 2 * raw[small])
    assert float(result[small]) == pytest.approx(corrected, abs=1e-4)
    assert float(result[large]) == pytest.approx(max(corrected, raw[large]), abs=1e-4)
    assert {result[name] for name in ("none", "random", "full")} == {""}
    text = (folder / "table.md").read_text(encoding="utf-8")
    assert "Holm's method corrects p for the 2 selections tested against random" in text


def test_a_winner_is_bold_only_where_it_differs_after_the_correction(
    tree: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_scores(tree, "main")
    assert "**" not in (folder / "table.md").read_text(encoding="utf-8")
    assert r"\textbf" not in (folder / "table.tex").read_text(encoding="utf-8")
    monkeypatch.setitem(QUALITY, "k_center", 30.0)
    write_cell(tree, load_suite("toy"), tree.main_cell("k_center", "s0_1_2"))
    write_scores(tree, "main")
    bold = [line for line in (folder / "table.md").read_text().splitlines() if "**" in line]
    assert len(bold) == 1
    assert bold[0].startswith("| k_center")
    assert r"\textbf" in (folder / "table.tex").read_text(encoding="utf-8")


def test_the_finding_is_of_rows_shown_to_be_better_not_of_the_best_score(
    tree: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert finding(build_table(tree, "main"))[0].startswith("None of 1 selections")
    monkeypatch.setitem(QUALITY, "k_center", 30.0)
    write_cell(tree, load_suite("toy"), tree.main_cell("k_center", "s0_1_2"))
    table = build_table(tree, "main")
    k_center = next(line for line in table.lines if line["selection"] == "k_center")
    higher = {**k_center, "avg": 99.0, "diff": 60.0}
    unclear = {**higher, "selection": "unclear", "p": 0.2, "verdict": SIMILAR}
    larger = {**higher, "selection": "larger", "p": NAN, "verdict": ""}
    more = replace(table, lines=[*table.lines, unclear, larger])
    assert "of 2 selections" in finding(more)[0].lower()
    assert "only k_center was shown to be better: Average" in finding(more)[0]
    second = {**k_center, "selection": "second", "diff": 1.0}
    (text,) = finding(replace(table, lines=[*table.lines, second]))
    assert "2 were shown to be better, k_center by the most: Average" in text


def test_scores_at_chance_are_noted_and_no_others(
    tree: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "At chance" not in (write_scores(tree, "main") / "table.md").read_text()
    for name in ("random", "k_center", "full"):
        monkeypatch.setitem(QUALITY, name, 0.0)
        write_cell(tree, load_suite("toy"), tree.main_cell(name, "s0_1_2"))
    assert (write_scores(tree, "main") / "table.md").read_text().count("At chance") == 3


def test_rows_clearly_below_chance_are_named(tree: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "Below chance" not in (write_scores(tree, "main") / "table.md").read_text()
    monkeypatch.setitem(QUALITY, "none", -25.0)
    write_cell(tree, load_suite("toy"), tree.main_cell("none", "s0_1_2"))
    text = (write_scores(tree, "main") / "table.md").read_text()
    said = [line for line in text.splitlines() if "Below chance" in line]
    assert len(said) == 3
    for line in said:
        assert "Below chance: none (" in line
        assert "random" not in line
        assert "k_center" not in line


def test_two_reports_of_the_same_files_are_the_same_bytes(tree: Params) -> None:
    def read() -> dict[str, bytes]:
        folder = write_scores(tree, "main")
        files = [*folder.iterdir(), folder.parent / "summary.json"]
        return {path.name: path.read_bytes() for path in files}

    before = read()
    assert read() == before
    tables = {f"table.{ending}" for ending in ("csv", "md", "tex", "png")}
    assert set(before) == tables | {"provenance.json", "summary.json"}


def test_a_missing_cell_names_its_stage_and_leaves_the_table(tree: Params) -> None:
    folder = write_scores(tree, "main")
    before = (folder / "table.csv").read_bytes()
    (layout.RUNS / "main" / "k_center" / "s0_1_2" / "metrics.json").unlink()
    with pytest.raises(InputError, match="dvc repro evaluate@k_center-s0_1_2"):
        write_scores(tree, "main")
    assert (folder / "table.csv").read_bytes() == before


def test_samples_of_other_runs_are_refused(tree: Params) -> None:
    path = layout.RUNS / "main" / "random" / "s0_1_2" / "metrics.json"
    metrics = read_json(path)
    metrics["seeds"]["1"]["scores"]["avg"] += 1.0
    write_json(path, metrics)
    with pytest.raises(InputError, match=r"random: metrics.json gives avg .* its samples"):
        write_scores(tree, "main")


def test_only_cells_that_params_do_not_name_are_pruned(tree: Params) -> None:
    named = layout.RUNS / "main" / "random" / "s0_1_2"
    report = write_scores(tree, "main")
    assert prune(tree) == []
    stale = [layout.RUNS / "main" / "gone" / "s0", layout.RUNS / "main" / "random" / "s9"]
    beside = [
        layout.RUNS / "gone",
        layout.DESCRIBED / "gone",
        layout.subset_folder("gone"),
        layout.selection_folder("gone"),
        report.parent / "gone",
    ]
    for folder in (*stale, *beside):
        folder.mkdir(parents=True)
        (folder / "metrics.json").write_text("{}")
    removed = prune(tree)
    assert sorted(removed) == sorted([stale[0].parent, stale[1], *beside])
    assert not any(folder.exists() for folder in (stale[0].parent, stale[1], *beside))
    assert (named / "metrics.json").is_file()
    assert (report / "table.csv").is_file()
    assert (report.parent / "summary.json").is_file()
    assert prune(tree) == []


def test_a_cell_of_the_main_study_gives_a_row_more_seeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    more = {"random_3_4": further("main", "random", "s3_4")}
    params = build_runs(tmp_path, **{**MAIN_ONLY, "further": more})
    result = lines(write_scores(params, "main"))
    assert list(result) == ["none", "random", "k_center", "full"]
    seeds = {name: line["seeds"] for name, line in result.items()}
    assert seeds == {"none": "1", "random": "5", "k_center": "3", "full": "1"}
    scores = [
        one["scores"]["avg"]
        for cell in cells("main", "random")
        for one in read_json(cell / "metrics.json")["seeds"].values()
    ]
    assert len(scores) == 5
    assert float(result["random"]["avg"]) == pytest.approx(statistics.mean(scores), abs=1e-4)
    assert float(result["random"]["select_seconds"]) == 2.5
    (layout.RUNS / "main/random_3_4/metrics.json").unlink()
    with pytest.raises(InputError, match=r"dvc repro evaluate_further@random_3_4$"):
        write_scores(params, "main")


def test_a_study_of_scores_has_a_table_like_the_main_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    rows = {
        "own_random": further("own", "random", "s0_1_2"),
        "own_random_4": further("own", "random", "s0_1_2", rows=4),
        "own_k_center": further("own", "k_center", "s0_1_2"),
    }
    studies = {"own": {"report": "scores", "title": "A title"}, "empty": {"report": "scores"}}
    params = build_runs(tmp_path, **{**MAIN_ONLY, "further": rows, "studies": studies})
    folder = write_scores(params, "own")
    result = lines(folder)
    assert list(result) == ["random", "random_4", "k_center"]
    assert [line["rows"] for line in result.values()] == ["6", "4", "6"]
    assert {line["kind"] for line in result.values()} == {"selection"}
    gap = float(result["random_4"]["avg"]) - float(result["random"]["avg"])
    assert float(result["random_4"]["diff"]) == pytest.approx(gap, abs=2e-4)
    text = (folder / "table.md").read_text(encoding="utf-8")
    assert "Three toy benchmarks: A title, preset lab" in text
    assert not (folder.parent / "summary.json").exists(), "of the main table alone"
    with pytest.raises(InputError, match="no entry of `further` has study: empty"):
        write_scores(params, "empty")


def test_lower_is_better_columns_are_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    changes = {**MAIN_ONLY, "preset": "alpaca_cpu", "evaluate": {"suite": "alpaca_cpu"}}
    params = build_runs(tmp_path, **changes)
    folder = write_scores(params, "main")
    text = (folder / "table.md").read_text(encoding="utf-8")
    head = next(line for line in text.splitlines() if line.startswith("| selection"))
    assert head.count("↓") == 4
    assert "GSM8K ↓" not in head
    assert "read response bits-per-byte" in text
    assert "planted noise" not in text
    result = lines(folder)
    samples_mean = float(result["random"]["bpb"])
    metrics = read_json(layout.RUNS / "main" / "random" / "s0_1_2" / "metrics.json")["seeds"]
    stated = statistics.mean(seed["scores"]["bpb"] for seed in metrics.values())
    assert samples_mean == pytest.approx(stated, abs=1e-4)
    assert float(result["full"]["diff_high"]) < 0


def test_rows_that_the_chart_of_costs_leaves_out_are_named_and_count_for_the_front(
    tree: Params,
) -> None:
    table = build_table(tree, "main")
    known = {line["selection"]: line for line in table.lines}
    known["random"]["shared_flops"] = NAN
    known["none"]["avg"] = known["k_center"]["avg"]  # for nothing
    records = cost_records(table)
    flops, shared = list(COSTS)[:2]
    drawn = {kind: [one["name"] for one in records if one["kind"] == kind] for kind in COSTS}
    assert drawn[flops] == ["random", "k_center", "full"]
    assert "random" not in drawn[shared]
    assert not any(one["front"] for one in records if one["name"] == "k_center")
    said = not_drawn(table, records)
    assert said.startswith(" Not drawn, as the cost is zero or not known: none by ")
    assert f"; random by {shared}" in said
    assert "k_center" not in said


def test_every_chart_of_the_page_draws(tree: Params) -> None:
    write_scores(tree, "main")
    assert list(drawn_charts("main")) == ["Differences from random", "Score against cost"]
