"""The proofs and tables by round where not all rows were run on every column, or to the end."""

import csv
import statistics
from pathlib import Path

import pytest

from harness.common.errors import InputError
from harness.common.files import read_json, write_json
from harness.report.curves.write import write_curves
from harness.report.sensitivity.write import write_sensitivity
from harness.report.shared.study_table import NOT_RUN
from harness.suites import SUITES
from tests.helpers.build_runs import WHY, build_runs, cells, proofs_alone, take_away
from tests.helpers.by_round_tree import build_in, copy_of, table_after
from tests.helpers.not_run import FEWER, by_hand
from tests.helpers.toy_suite import write_toy_suite


def stop_early(cell: Path) -> None:
    """Leave a cell as it is after a trial."""
    for path in (cell / "train").glob("seed_*.json"):
        write_json(path, {**read_json(path), "whole_steps": 99})


def test_the_proofs_are_over_columns_that_every_row_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    params = build_runs(tmp_path, **proofs_alone())
    for cell in cells("sensitivity", "oracle"):
        take_away(cell, "two")
        stop_early(cell)
    folder = write_sensitivity(params, "sensitivity")
    with (folder / "table.csv").open(encoding="utf-8") as file:
        result = {line["name"]: line for line in csv.DictReader(file)}
    full_clean, none = (
        statistics.fmean(by_hand(name, "one", "three", study="sensitivity"))
        for name in ("full_clean", "none")
    )
    gain = full_clean - none
    assert float(result["gain"]["value"]) == pytest.approx(gain, abs=1e-4)
    assert result["none"]["what"] == "avg_of_2"
    text = (folder / "table.md").read_text(encoding="utf-8")
    again = "dvc repro -f -s evaluate_further fills them in, then dvc repro makes the table again"
    assert text.count(f"Not run: Two in oracle. Why: {WHY}. Afterwards, {again}.") == 2
    assert text.splitlines()[0].endswith(": A TRIAL, NOT A RESULT")
    assert "after 20 of 99 steps in oracle." in text
    assert FEWER in table_after(text, "## The rows")[0]
    for cell in cells("sensitivity", "oracle"):
        take_away(cell, "one", "three")
    with pytest.raises(InputError, match=f"Average of oracle was not run: {WHY}"):
        write_sensitivity(params, "sensitivity")


@pytest.fixture(scope="module")
def by_round(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_in(tmp_path_factory.mktemp("by_round"))


@pytest.mark.parametrize("study", ["scorers", "rounds"])
def test_tables_by_round_are_over_columns_that_every_row_has(
    by_round: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, study: str
) -> None:
    params = copy_of(by_round, tmp_path, monkeypatch)
    for cell in cells(study, "random_8"):
        take_away(cell, "two")
    folder = write_curves(params, study)
    with (folder / "table.csv").open(encoding="utf-8") as file:
        result = {line["row"]: line for line in csv.DictReader(file)}
    for name, line in result.items():
        seeds = [
            one["scores"]
            for cell in cells(study, name)
            for one in read_json(cell / "metrics.json")["seeds"].values()
        ]
        mean = statistics.fmean((one["one"] + one["three"]) / 2 for one in seeds)
        assert float(line["avg_of_2"]) == pytest.approx(mean, abs=1e-5)
        assert (line["two"] == NOT_RUN) is (name == "random_8")
    text = (folder / "table.md").read_text(encoding="utf-8")
    first = table_after(text, "# ")
    assert [row["Two"] for row in first].count(NOT_RUN) == 1
    tables = 3 if study == "scorers" else 2
    assert text.count(f"Not run: Two in random_8. Why: {WHY}.") == tables
    assert FEWER in table_after(text, "## What the loop cost")[0]
    without = cells(study, "random_8")
    for cell in cells(study, "*"):
        take_away(cell, "one", "three", *(["two"] if cell not in without else []))
    folder = write_curves(params, study)
    text = (folder / "table.md").read_text(encoding="utf-8")
    assert {row["Average"] for row in table_after(text, "# ")} == {NOT_RUN}
    assert {row["Average"] for row in table_after(text, "## What the loop cost")} == {NOT_RUN}


def test_a_trial_in_a_table_by_round(
    by_round: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    params = copy_of(by_round, tmp_path, monkeypatch)
    for cell in cells("scorers", "random_8"):
        stop_early(cell)
    text = (write_curves(params, "scorers") / "table.md").read_text(encoding="utf-8")
    assert text.splitlines()[0].endswith(": A TRIAL, NOT A RESULT")
    assert "after 20 of 99 steps in random_8." in text
    names = [row["selection"] for row in table_after(text, "# ")]
    assert names.count("random (trial)") == 1
    assert "Against as many random rows" not in text
