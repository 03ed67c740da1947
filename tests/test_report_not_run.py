"""Tables of rows of which some were not run on every column, by hand, from evaluation to MLflow."""

import csv
import statistics
from pathlib import Path
from typing import Any

import pytest

from harness import layout
from harness.errors import InputError
from harness.files import read_json, write_json
from harness.params import Params
from harness.report import write_sensitivity_report, write_study_report
from harness.report.comparable import comparable
from harness.report.table import NOT_RUN
from harness.round_report import write_round_report
from harness.schemas import SAMPLES, read_frame, write_frame
from harness.suites import SUITES, load_suite
from tests.build_runs import QUALITY, build_runs, write_cell
from tests.by_round_tree import build_in, copy_of, table_after
from tests.toy_suite import write_toy_suite

WHY = "no namespaces here; remedy: run on Linux"
FEWER = "Average of 2"
MAIN_ONLY: dict[str, Any] = {
    "studies": {
        "main": {"selections": ["none", "random", "k_center", "full"]},
        "sensitivity": {"selections": [], "more_seeds": []},
        "scorers": {"selections": []},
        "rounds": {"selections": []},
    },
    "groups": {"main": ["s0_1", "s2"], "more": []},
    "evaluate": {"suite": "toy"},
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    return build_runs(tmp_path, **MAIN_ONLY)


def cells(study: str, *names: str) -> list[Path]:
    found = [p.parent for n in names for p in layout.RUNS.glob(f"{study}/{n}/*/metrics.json")]
    assert found
    return found


def take_away(cell: Path, *columns: str) -> None:
    """Leave a cell as it is where the columns, and so the average, were not run."""
    metrics = read_json(cell / "metrics.json")
    for seed in metrics["seeds"].values():
        seed["scores"] |= {name: {"not_run": WHY} for name in (*columns, "avg")}
        for field in ("n", "shots"):
            seed[field] = {k: v for k, v in seed[field].items() if k not in (*columns, "avg")}
    write_json(cell / "metrics.json", metrics)
    samples = read_frame(cell / "samples.parquet", SAMPLES)
    kept = samples.loc[~samples["task"].isin(columns)]
    write_frame(cell / "samples.parquet", kept, SAMPLES)


def by_hand(name: str, *columns: str) -> list[float]:
    """Each seed's mean over columns, from the items alone."""
    items: dict[int, dict[str, list[float]]] = {}
    for cell in cells("main", name):
        for line in read_frame(cell / "samples.parquet", SAMPLES).to_dict("records"):
            items.setdefault(line["seed"], {}).setdefault(line["task"], []).append(line["score"])
    return [
        statistics.fmean(statistics.fmean(items[seed][column]) for column in columns)
        for seed in sorted(items)
    ]


def lines(folder: Path, study: str = "main") -> dict[str, dict[str, str]]:
    with (folder / f"{study}.csv").open(encoding="utf-8") as file:
        return {line["selection"]: line for line in csv.DictReader(file)}


def test_the_headline_is_over_what_every_row_has(tree: Params) -> None:
    for cell in cells("main", "random", "full"):
        take_away(cell, "two")
    folder = write_study_report(tree, "main")
    found = lines(folder)
    for name, line in found.items():
        headline = by_hand(name, "one", "three")
        assert float(line["avg_of_2"]) == pytest.approx(statistics.fmean(headline), abs=1e-4)
        if len(headline) == 3:
            sd = statistics.stdev(headline)
            assert float(line["avg_of_2_sd"]) == pytest.approx(sd, abs=1e-4)
        assert "avg" not in line
    gap = statistics.fmean(by_hand("k_center", "one", "three")) - statistics.fmean(
        by_hand("random", "one", "three")
    )
    assert float(found["k_center"]["diff"]) == pytest.approx(gap, abs=1e-4)
    two = {name: line["two"] for name, line in found.items()}
    assert (two["random"], two["full"]) == (NOT_RUN, NOT_RUN)
    assert float(two["k_center"]) == pytest.approx(statistics.fmean(by_hand("k_center", "two")))
    assert found["random"]["two_sd"] == ""


def test_interval_and_p_are_of_the_same_columns(tree: Params) -> None:
    """A suite of the two columns alone gives the same draws, so the same interval and p."""
    for cell in cells("main", "random"):
        take_away(cell, "two")
    with_two = {name: line for name, line in lines(write_study_report(tree, "main")).items()}
    suite = SUITES["toy"] / "suite.yaml"
    text = suite.read_text().replace("of: [one, two, three]", "of: [one, three]")
    suite.write_text(text)
    for cell in layout.RUNS.glob("main/*/*"):
        metrics = read_json(cell / "metrics.json")
        for seed in metrics["seeds"].values():
            seed["scores"]["avg"] = (seed["scores"]["one"] + seed["scores"]["three"]) / 2
        write_json(cell / "metrics.json", metrics)
    alone = lines(write_study_report(tree, "main"))
    for name, line in with_two.items():
        for field in ("low", "high", "diff", "diff_low", "diff_high", "p"):
            assert line[field] == alone[name][field], (name, field)
        assert line["avg_of_2"] == alone[name]["avg"]


def test_every_form_says_what_why_and_how(tree: Params) -> None:
    for cell in cells("main", "random"):
        take_away(cell, "two")
    folder = write_study_report(tree, "main")
    text = (folder / "main.md").read_text(encoding="utf-8")
    shown = {row["selection"]: row for row in table_after(text, "# Three")}
    assert shown["random"]["Two"] == NOT_RUN
    assert FEWER in shown["random"]
    assert "Average" not in shown["random"]
    note = text.split("![main]")[0].strip().splitlines()[-1]
    assert note == (
        f"Not run: Two in random. Why: {WHY}. Afterwards, dvc repro -f -s evaluate fills them in. "
        f"{FEWER} is the mean of the columns that every row has: One, Three. Differences, their "
        "intervals and p are of it."
    )
    assert f"- {FEWER}: the mean of One, Three." in text
    tex = (folder / "main.tex").read_text(encoding="utf-8")
    assert f" & {NOT_RUN} & " in tex
    assert f" & {FEWER} & " in tex
    assert note in tex
    summary = read_json(folder / "summary.json")
    assert summary["random"]["two"] == NOT_RUN
    assert next(iter(summary["random"])) == "avg_of_2"
    mean = statistics.fmean(by_hand("random", "one", "three"))
    assert summary["random"]["avg_of_2"] == round(mean, 2)


def test_one_seed_that_was_not_run_leaves_the_cell_out(tree: Params) -> None:
    (cell,) = [c for c in cells("main", "random") if c.name == "s2"]
    take_away(cell, "two")
    found = lines(write_study_report(tree, "main"))
    assert found["random"]["two"] == NOT_RUN
    mean = statistics.fmean(by_hand("random", "one", "three"))
    assert float(found["random"]["avg_of_2"]) == pytest.approx(mean, abs=1e-4)


def test_nothing_that_every_row_has_leaves_no_headline(tree: Params) -> None:
    for cell in cells("main", "*"):
        take_away(cell, "one", "two", "three")
    folder = write_study_report(tree, "main")
    found = lines(folder)
    assert {line["avg"] for line in found.values()} == {NOT_RUN}
    assert {line["diff"] + line["p"] for line in found.values()} == {""}
    text = (folder / "main.md").read_text(encoding="utf-8")
    assert "Not run: One in every row; Two in every row; Three in every row." in text
    assert "Average has no column that every row has: no row is compared." in text
    assert "- One: not run." in text
    assert read_json(folder / "summary.json")["full"]["avg"] == NOT_RUN


def test_the_best_row_is_still_bold(tree: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUALITY, "k_center", 30.0)
    for group in ("s0_1", "s2"):
        write_cell(tree, load_suite("toy"), "main", "k_center", group)
    for cell in cells("main", "*"):
        take_away(cell, "two")
    text = (write_study_report(tree, "main") / "main.md").read_text(encoding="utf-8")
    assert [line.split()[1] for line in text.splitlines() if "**" in line] == ["k_center"]


def test_a_table_where_nothing_is_missing_has_no_note(tree: Params) -> None:
    text = (write_study_report(tree, "main") / "main.md").read_text(encoding="utf-8")
    before = text.split("![main]")[0].strip().splitlines()[-1]
    assert before.startswith("| full")
    suite = load_suite("toy")
    assert comparable(suite, [{"one": 1.0, "two": 1.0, "three": 1.0}]) == suite


def test_a_row_that_ran_without_walls_is_named_under_the_table(tree: Params) -> None:
    (cell,) = [c for c in cells("main", "random") if c.name == "s2"]
    metrics = read_json(cell / "metrics.json")
    metrics["seeds"]["2"]["unisolated"] = WHY
    write_json(cell / "metrics.json", metrics)
    folder = write_study_report(tree, "main")
    text = (folder / "main.md").read_text(encoding="utf-8")
    note = text.split("![main]")[0].strip().splitlines()[-1]
    assert note == (
        "Programs that models wrote ran without every wall of the sandbox "
        f"(evaluate.allow_unisolated) in random: {WHY}."
    )
    assert "(evaluate.allow\\_unisolated) in random" in (folder / "main.tex").read_text()
    assert float(lines(folder)["random"]["avg"])


def test_rows_cut_in_training_are_told_under_the_table(tree: Params) -> None:
    for seed, (cut, dropped) in {0: (3, 0), 1: (1200, 2)}.items():
        path = layout.cell_folder("main", "random", "s0_1") / f"train/seed_{seed}.json"
        write_json(path, {**read_json(path), "truncated": cut, "dropped": dropped})
    text = (write_study_report(tree, "main") / "main.md").read_text(encoding="utf-8")
    note = text.split("![main]")[0].strip().splitlines()[-1]
    assert note == (
        "Rows longer than train.max_length or the model's context in training, the most of any "
        "seed. Cut: 1,200 of random. Dropped, as no response was left: 2 of random."
    )


def test_a_file_without_a_column_names_the_stage(tree: Params) -> None:
    (cell,) = [c for c in cells("main", "random") if c.name == "s2"]
    metrics = read_json(cell / "metrics.json")
    del metrics["seeds"]["2"]["scores"]["two"]
    write_json(cell / "metrics.json", metrics)
    with pytest.raises(InputError, match=r"random: .* no column two of seed 2; run dvc repro eval"):
        write_study_report(tree, "main")


def test_the_proofs_are_over_what_every_row_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    params = build_runs(tmp_path, evaluate={"suite": "toy"})
    for cell in cells("sensitivity", "oracle"):
        take_away(cell, "two")
    folder = write_sensitivity_report(params)
    with (folder / "sensitivity.csv").open(encoding="utf-8") as file:
        found = {line["name"]: line for line in csv.DictReader(file)}
    gain = statistics.fmean(by_hand("full_clean", "one", "three")) - statistics.fmean(
        by_hand("none", "one", "three")
    )
    assert float(found["gain"]["value"]) == pytest.approx(gain, abs=1e-4)
    assert found["none"]["what"] == "avg_of_2"
    text = (folder / "sensitivity.md").read_text(encoding="utf-8")
    again = "dvc repro -f -s evaluate_sensitivity fills them in"
    assert text.count(f"Not run: Two in oracle. Why: {WHY}. Afterwards, {again}.") == 2
    assert FEWER in table_after(text, "## The rows")[0]
    for cell in cells("sensitivity", "oracle"):
        take_away(cell, "one", "three")
    with pytest.raises(InputError, match=f"Average of oracle was not run: {WHY}"):
        write_sensitivity_report(params)


@pytest.fixture(scope="module")
def by_round(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_in(tmp_path_factory.mktemp("by_round"))


@pytest.mark.parametrize("study", ["scorers", "rounds"])
def test_tables_by_round_are_over_what_every_cut_has(
    by_round: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, study: str
) -> None:
    params = copy_of(by_round, tmp_path, monkeypatch)
    for cell in cells(study, "random_8"):
        take_away(cell, "two")
    folder = write_round_report(params, study)
    with (folder / f"{study}.csv").open(encoding="utf-8") as file:
        found = {line["cut"]: line for line in csv.DictReader(file)}
    for name, line in found.items():
        seeds = [
            one["scores"]
            for cell in cells(study, name)
            for one in read_json(cell / "metrics.json")["seeds"].values()
        ]
        mean = statistics.fmean((one["one"] + one["three"]) / 2 for one in seeds)
        assert float(line["avg_of_2"]) == pytest.approx(mean, abs=1e-5)
        assert (line["two"] == NOT_RUN) is (name == "random_8")
    text = (folder / f"{study}.md").read_text(encoding="utf-8")
    first = table_after(text, "# ")
    assert [row["Two"] for row in first].count(NOT_RUN) == 1
    tables = 3 if study == "scorers" else 2
    assert text.count(f"Not run: Two in random_8. Why: {WHY}.") == tables
    assert FEWER in table_after(text, "## What the loop cost")[0]
    for cell in cells(study, "*"):
        take_away(cell, "one", "three", *(["two"] if "random_8" not in cell.parts else []))
    folder = write_round_report(params, study)
    text = (folder / f"{study}.md").read_text(encoding="utf-8")
    assert {row["Average"] for row in table_after(text, "# ")} == {NOT_RUN}
    assert {row["Average"] for row in table_after(text, "## What the loop cost")} == {NOT_RUN}
