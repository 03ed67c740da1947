"""MLflow of runs whose columns a missing wall of the sandbox kept from running."""

import csv
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.common import layout
from harness.common.files import read_json, write_json
from harness.params.params import Params
from harness.report.scores.write import write_scores
from harness.report.shared.study_table import NOT_RUN
from harness.suites import SUITES
from harness.tracking.upsert import track
from tests.helpers.build_runs import WHY, build_runs, cells, take_away
from tests.helpers.mlflow_runs import contents, runs
from tests.helpers.mlflow_table import study_table
from tests.helpers.toy_suite import write_toy_suite

# MLflow itself uses what SQLAlchemy deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

GRID: dict[str, Any] = {
    "seed_groups": ["s0_1", "s2"],
    "table": ["none", "random", "k_center"],
    "further": {},
    "studies": {},
    "evaluate": {"suite": "toy"},
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> Params:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setitem(SUITES, "toy", write_toy_suite(tmp_path / "suite"))
    shutil.copyfile(empty_store, "mlflow.db")
    params = build_runs(tmp_path, **GRID)
    for cell in cells("main", "random"):
        take_away(cell, "two")
    path = layout.RUNS / params.main_cell("k_center", "s2").path / "metrics.json"
    metrics = read_json(path)
    metrics["seeds"]["2"]["unisolated"] = WHY
    write_json(path, metrics)
    return params


def test_runs_say_what_was_not_run_and_the_tables_agree(tree: Params, tmp_path: Path) -> None:
    folder = write_scores(tree, "main")
    track(tree)
    results = {run.info.run_name: run.data for run in runs(tree)}
    random, ours = results["random seed 0"], results["k_center seed 2"]
    assert random.tags["not_run"] == f"two, avg: {WHY}"
    assert results["random"].tags["not_run"] == random.tags["not_run"]
    assert ours.tags["unisolated"] == results["k_center"].tags["unisolated"] == WHY
    assert ours.tags["headline"] == "Average of 2: one, three"
    assert "unisolated" not in {**random.tags, **results["k_center seed 0"].tags}
    assert not {"two", "avg"} & {*random.metrics, *results["random"].metrics}
    mean = (random.metrics["one"] + random.metrics["three"]) / 2
    assert random.metrics["avg_of_2"] == pytest.approx(mean)
    assert ours.params["evaluate.allow_unisolated"] == "False"
    table = read_json(folder.parent / "summary.json")["random"]["avg_of_2"]
    assert results["table: main"].metrics["avg_of_2/random"] == table

    with (folder / "table.csv").open(encoding="utf-8") as file:
        wanted = list(csv.DictReader(file))
    for line, other in zip(study_table(tree, "main").to_dict("records"), wanted, strict=True):
        for name in set(line) - {"selection", "seeds"}:
            if other[str(name)] == NOT_RUN:
                assert (line[name], line["selection"]) == (NOT_RUN, "random")
            else:
                value = float(other[str(name)] or "nan")
                assert line[name] == pytest.approx(value, abs=1e-4, nan_ok=True), name
    before = contents(tmp_path / "mlflow.db")
    assert track(tree)["created"] == 0
    assert contents(tmp_path / "mlflow.db") == before


def test_evaluated_again_with_the_wall_it_is_another_run(tree: Params, tmp_path: Path) -> None:
    track(tree)
    built = tmp_path / "whole"
    built.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(built)
        build_runs(built, **GRID)
    for cell in cells("main", "random"):
        shutil.copytree(built / cell, cell, dirs_exist_ok=True)
    again = track(tree)
    # Every run of the study has another headline now, and so its selection; the table is not there.
    assert again["created"] == again["superseded"] == again["runs"] == 7 + 3
    current = [run.data for run in runs(tree) if run.data.tags["superseded"] == "false"]
    for data in current:
        assert "avg" in data.metrics
        assert not {"avg_of_2"} & {*data.metrics}
        assert not {"not_run", "headline"} & {*data.tags}
