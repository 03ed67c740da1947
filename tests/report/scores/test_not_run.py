"""Tables whose rows were not all run on every column, checked by hand."""

import csv
import re
import statistics
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from harness.common import layout
from harness.common.errors import InputError
from harness.common.files import read_json, write_json
from harness.common.markdown import notes_below
from harness.params.params import Params, load_params
from harness.report.scores.table import StudyTable, fact_table
from harness.report.scores.write import latex, main_table, write_scores
from harness.report.shared.comparable import comparable, is_headline, with_means
from harness.report.shared.study_table import NOT_RUN, digits_of, judgement_table
from harness.report.shared.tables import csv_text, markdown_table
from harness.statistics.differences import RowTable
from harness.statistics.items import Items
from harness.suites import SUITES, load_suite
from tests.helpers.build_runs import QUALITY, ROOT, WHY, build_runs, cells, take_away, write_cell
from tests.helpers.by_round_tree import copy_of, table_after
from tests.helpers.not_run import FEWER, MAIN_ONLY, by_hand
from tests.helpers.presets import preset_file
from tests.helpers.toy_suite import write_toy_suite


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setitem(SUITES, "toy", write_toy_suite(folder / "suite"))
        build_runs(folder, **MAIN_ONLY)
    return folder


@pytest.fixture
def tree(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    return copy_of(built, tmp_path, monkeypatch)


def lines(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "table.csv").open(encoding="utf-8") as file:
        return {line["selection"]: line for line in csv.DictReader(file)}


def test_the_headline_is_over_what_every_row_has(tree: Params) -> None:
    for cell in cells("main", "random", "full"):
        take_away(cell, "two")
    folder = write_scores(tree, "main")
    result = lines(folder)
    for name, line in result.items():
        headline = by_hand(name, "one", "three")
        assert float(line["avg_of_2"]) == pytest.approx(statistics.fmean(headline), abs=1e-4)
        if len(headline) == 3:
            sd = statistics.stdev(headline)
            assert float(line["avg_of_2_sd"]) == pytest.approx(sd, abs=1e-4)
        assert "avg" not in line
    gap = statistics.fmean(by_hand("k_center", "one", "three")) - statistics.fmean(
        by_hand("random", "one", "three")
    )
    assert float(result["k_center"]["diff"]) == pytest.approx(gap, abs=1e-4)
    two = {name: line["two"] for name, line in result.items()}
    assert (two["random"], two["full"]) == (NOT_RUN, NOT_RUN)
    assert float(two["k_center"]) == pytest.approx(statistics.fmean(by_hand("k_center", "two")))
    assert result["random"]["two_sd"] == ""


def test_interval_and_p_are_over_the_same_columns(tree: Params) -> None:
    """A suite of the two columns alone gives the same draws, so the same interval and p."""
    for cell in cells("main", "random"):
        take_away(cell, "two")
    with_two = {name: line for name, line in lines(write_scores(tree, "main")).items()}
    suite = SUITES["toy"] / "suite.yaml"
    text = suite.read_text().replace("of: [one, two, three]", "of: [one, three]")
    suite.write_text(text)
    for cell in layout.RUNS.glob("main/*/*"):
        metrics = read_json(cell / "metrics.json")
        for seed in metrics["seeds"].values():
            seed["scores"]["avg"] = (seed["scores"]["one"] + seed["scores"]["three"]) / 2
        write_json(cell / "metrics.json", metrics)
    alone = lines(write_scores(tree, "main"))
    for name, line in with_two.items():
        for field in ("low", "high", "diff", "diff_low", "diff_high", "p"):
            assert line[field] == alone[name][field], (name, field)
        assert line["avg_of_2"] == alone[name]["avg"]


def test_page_latex_and_summary_say_what_was_not_run_and_why(tree: Params) -> None:
    for cell in cells("main", "random"):
        take_away(cell, "two")
    folder = write_scores(tree, "main")
    text = (folder / "table.md").read_text(encoding="utf-8")
    shown = {row["selection"]: row for row in table_after(text, "# Three")}
    assert shown["random"]["Two"] == NOT_RUN
    assert FEWER in shown["random"]
    assert "Average" not in shown["random"]
    [note] = [note for note in notes_below(text) if note.startswith("Not run")]
    assert note == (
        f"Not run: Two in random. Why: {WHY}. Afterwards, dvc repro -f -s evaluate fills them in, "
        "then make repro makes the table again. "
        f"{FEWER} is the mean of the columns that every row has: One, Three. Differences, "
        "intervals and p refer to it."
    )
    assert f"- {FEWER}: the mean of One, Three." in text
    tex = (folder / "table.tex").read_text(encoding="utf-8")
    assert f" & {NOT_RUN} & " in tex
    assert f" & {FEWER} & " in tex
    assert note in tex
    summary = read_json(folder.parent / "summary.json")
    assert summary["random"]["two"] == NOT_RUN
    assert next(iter(summary["random"])) == "avg_of_2"
    mean = statistics.fmean(by_hand("random", "one", "three"))
    assert summary["random"]["avg_of_2"] == round(mean, 2)


def test_one_seed_that_was_not_run_leaves_the_cell_out(tree: Params) -> None:
    (cell,) = [c for c in cells("main", "random") if c.name == "s2"]
    take_away(cell, "two")
    result = lines(write_scores(tree, "main"))
    assert result["random"]["two"] == NOT_RUN
    mean = statistics.fmean(by_hand("random", "one", "three"))
    assert float(result["random"]["avg_of_2"]) == pytest.approx(mean, abs=1e-4)


def test_without_a_column_that_every_row_has_there_is_no_headline(tree: Params) -> None:
    for cell in cells("main", "*"):
        take_away(cell, "one", "two", "three")
    folder = write_scores(tree, "main")
    result = lines(folder)
    assert {line["avg"] for line in result.values()} == {NOT_RUN}
    assert {line["diff"] + line["p"] for line in result.values()} == {""}
    text = (folder / "table.md").read_text(encoding="utf-8")
    assert "Not run: One in every row; Two in every row; Three in every row." in text
    assert "Average has no column that every row has: no row is compared." in text
    assert "- One: not run." in text
    assert read_json(folder.parent / "summary.json")["full"]["avg"] == NOT_RUN


def test_a_mean_without_a_shared_column_is_empty_in_every_row(tree: Params) -> None:
    """Rows over different columns do not compare, though some have all of theirs."""
    for cell in cells("main", "random"):
        take_away(cell, "one", "two", "three")
    folder = write_scores(tree, "main")
    result = lines(folder)
    assert {line["avg"] for line in result.values()} == {NOT_RUN}
    assert {line["diff"] + line["p"] for line in result.values()} == {""}
    assert float(result["full"]["one"])
    text = (folder / "table.md").read_text(encoding="utf-8")
    assert "Average has no column that every row has: no row is compared." in text
    assert "- Average: not run." in text
    suite = comparable(load_suite("toy"), [{"one": 50.0, "avg": 50.0}, {}])
    assert with_means(suite, {"one": 50.0, "avg": 50.0}) == {"one": 50.0}


@pytest.mark.parametrize("headline", ["avg", "share_of_right", "best_of_2"])
def test_the_headline_is_recognised_over_fewer_columns_too(tree: Params, headline: str) -> None:
    suite = load_suite("toy")
    columns = [c.model_copy(update={"name": headline}) if c.of else c for c in suite.columns]
    suite = suite.model_copy(update={"columns": columns, "headline": headline})
    fewer = comparable(suite, [{"one": 1.0, "two": 1.0}]).headline
    assert fewer == f"{headline}_of_2"
    assert is_headline(suite, headline)
    assert is_headline(suite, fewer)
    for other in ("one", "share", "best", f"{headline}_of_3", f"{headline}_of_right"):
        assert not is_headline(suite, other)


def test_the_best_row_is_still_bold(tree: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(QUALITY, "k_center", 30.0)
    for group in ("s0_1", "s2"):
        write_cell(tree, load_suite("toy"), tree.main_cell("k_center", group))
    for cell in cells("main", "*"):
        take_away(cell, "two")
    text = (write_scores(tree, "main") / "table.md").read_text(encoding="utf-8")
    assert [line.split()[1] for line in text.splitlines() if "**" in line] == ["k_center"]


def test_a_table_where_nothing_is_missing_has_no_note(tree: Params) -> None:
    text = (write_scores(tree, "main") / "table.md").read_text(encoding="utf-8")
    assert not [note for note in notes_below(text) if "run" in note.split()[:2]]
    suite = load_suite("toy")
    assert comparable(suite, [{"one": 1.0, "two": 1.0, "three": 1.0}]) == suite


def test_a_row_that_ran_unisolated_is_named_below_the_table(tree: Params) -> None:
    (cell,) = [c for c in cells("main", "random") if c.name == "s2"]
    metrics = read_json(cell / "metrics.json")
    metrics["seeds"]["2"]["unisolated"] = WHY
    write_json(cell / "metrics.json", metrics)
    folder = write_scores(tree, "main")
    text = (folder / "table.md").read_text(encoding="utf-8")
    [note] = [note for note in notes_below(text) if note.startswith("Programs")]
    assert note == (
        "Programs that models wrote ran without every wall of the sandbox "
        f"(evaluate.allow_unisolated) in random: {WHY}."
    )
    assert "(evaluate.allow\\_unisolated) in random" in (folder / "table.tex").read_text()
    assert float(lines(folder)["random"]["avg"])


def test_rows_cut_in_training_are_noted_below_the_table(tree: Params) -> None:
    for seed, (cut, dropped) in {0: (3, 0), 1: (1200, 2)}.items():
        path = layout.RUNS / f"main/random/s0_1/train/seed_{seed}.json"
        write_json(path, {**read_json(path), "truncated": cut, "dropped": dropped})
    text = (write_scores(tree, "main") / "table.md").read_text(encoding="utf-8")
    note = text.split("![scores]")[0].strip().splitlines()[-1]
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
        write_scores(tree, "main")


@pytest.mark.parametrize("preset", ["lab", "alpaca_cpu"])
def test_the_tables_in_results_keep_their_form(preset: str) -> None:
    """Numbers of the CSV are rounded already, so a last digit may differ from the page's."""
    params = load_params(preset_file(preset))
    folder = ROOT / "results" / preset / "main"
    numbers = pd.read_csv(folder / "table.csv").to_dict("records")
    judged = RowTable(Items.even(np.zeros(1, dtype=np.int64)), {}, None)
    baselines = {"random": "", "kmq": "_kmq"}
    suite = load_suite(params.evaluate.suite)
    weights = dict.fromkeys(suite.column(suite.headline).of or [], 1.0)  # there are some
    table = StudyTable("main", params, suite, [], numbers, judged, baselines, weights)
    assert csv_text(table.frame()) == (folder / "table.csv").read_text(encoding="utf-8")
    page = (folder / "table.md").read_text(encoding="utf-8")
    page = re.sub(r"\n## (Table \d|What the paper claims).*?(?=\n## )", "", page, flags=re.DOTALL)
    assert digits_left_out(score_page(table)) == digits_left_out(page)
    assert digits_left_out(latex(table)) == digits_left_out((folder / "table.tex").read_text())


def score_page(table: StudyTable) -> str:
    digits = digits_of(table.suite, table.suite.column(table.suite.headline))
    judged = [
        judgement_table(table.lines, digits, name, suffix)
        for name, suffix in table.baselines.items()
    ]
    return "\n".join(map(markdown_table, [main_table(table), fact_table(table), *judged]))


def digits_left_out(text: str) -> list[str]:
    """The lines of a page's tables, each run of digits with the space before it as 0."""
    lines = [line for line in text.splitlines() if line.startswith("|") or " & " in line]
    return [re.sub(r" *[0-9]+", "0", line) for line in lines]
