"""MLflow's store: names that it refuses, runs that end half-way, a repository that moved."""

import logging
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.common import layout
from harness.common.files import read_json, write_json
from harness.params.params import Params
from harness.tracking.artifacts import bring
from harness.tracking.names import LONGEST_NAME, clean_name, clean_value
from harness.tracking.upsert import connect, experiment_name, track
from tests.helpers.build_runs import ROOT, SMALL, Caplog, build_runs
from tests.helpers.mlflow_table import study_table

# MLflow itself uses what SQLAlchemy deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

CELL = layout.RUNS / "main" / "random" / "s0_1"


@pytest.fixture
def tree(tmp_path: Path, empty_store: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    root = tmp_path / "first place"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copyfile(empty_store, "mlflow.db")
    return build_runs(root, **SMALL)


def runs(params: Params) -> dict[str, Any]:
    client = connect()
    experiment = client.get_experiment_by_name(experiment_name(params))
    assert experiment is not None
    result = client.search_runs([experiment.experiment_id])
    return {str(run.info.run_name): run for run in result}


REFUSED = [
    "acc%",
    "acc#",
    "",
    ".",
    "a/../b",
    "..a",
    "/a",
    "a//b",
    "a/./b",
    "a\n",
    "tab\there",
    "x" * 251,
    "x" * 252,
    "é" * 300,
    "\ud800",
]


def test_names_that_mlflow_refuses_are_cleaned_and_stay_distinct(tree: Params) -> None:
    kept = ["acc", "cost/train_seconds", "a.b-c d:e", "größe", "x" * LONGEST_NAME]
    assert [clean_name(name) for name in kept] == kept
    cleaned = [clean_name(name) for name in REFUSED]
    assert len({*cleaned, *kept}) == len(REFUSED) + len(kept)
    assert clean_name("acc%").startswith("acc__")
    client = connect()
    run = client.create_run(client.create_experiment("names"))
    for name in cleaned:
        assert len(name) <= LONGEST_NAME
        client.log_metric(run.info.run_id, name, 1.0)
        client.log_param(run.info.run_id, name, "v")
        client.set_tag(run.info.run_id, name, "v")
    assert set(client.get_run(run.info.run_id).data.metrics) == set(cleaned)


def test_values_too_long_or_no_text_are_cleaned_and_stay_distinct() -> None:
    long = [clean_value("x" * 7000 + end, 6000) for end in "ab"]
    assert [len(value) for value in long] == [6000, 6000]
    assert long[0] != long[1]
    assert clean_value("x" * 6000, 6000) == "x" * 6000
    assert clean_value("a\0\ud800", 50) == "a\\0\\ud800"


def test_a_suite_and_params_of_any_names_are_tracked(
    tree: Params, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from harness.suites import SUITES

    folder = tmp_path / "suite"
    shutil.copytree(SUITES["alpaca_cpu"], folder)
    text = (folder / "suite.yaml").read_text()
    (folder / "suite.yaml").write_text(text.replace("name: gsm8k", "name: 'GSM8K (%)'"))
    monkeypatch.setitem(SUITES, "alpaca_cpu", folder)
    for path in Path("runs").rglob("metrics.json"):
        path.write_text(path.read_text().replace('"gsm8k"', '"GSM8K (%)"'))
    result = read_json(CELL / "metrics.json")
    values = yaml.safe_load(Path("params.yaml").read_text())
    fields = {"the field?": "x" * 7000, "the field!": 1}
    values.setdefault("prepare", {"source": "lab"})["sources"] = {
        "s": {"path": "p", "where": fields}
    }
    params = Params.model_validate(values)
    assert "failed" not in track(params)
    table = study_table(params, "main").set_index("selection")
    wanted = [seed["scores"]["GSM8K (%)"] for seed in result["seeds"].values()]
    assert table.loc["random", "GSM8K (%)"] == pytest.approx(sum(wanted) / len(wanted))
    logged = runs(params)["random seed 0"].data.params
    where = "prepare.sources.s.where.the field_"
    assert sum(name.startswith(where) for name in logged) == len(fields)


def test_a_run_that_ends_half_way_is_not_current_until_complete(
    tree: Params, caplog: pytest.LogCaptureFixture
) -> None:
    Path("mlartifacts").write_text("a file where the artifacts' folder is to be")
    assert "failed" in track(tree)
    result = runs(tree)  # a selection without artifacts, and the first that has any
    assert set(result) == {"none", "none seed 0"}
    assert result["none seed 0"].data.tags["superseded"] == "unfinished"
    assert result["none seed 0"].info.status == "FAILED"
    assert study_table(tree, "main")["seeds"].tolist() == [0, 0]
    Path("mlartifacts").unlink()
    assert track(tree)["created"] == 3
    whole = study_table(tree, "main")
    assert whole["seeds"].tolist() == [1, 2]
    assert {run.info.status for run in runs(tree).values()} == {"FINISHED"}
    # One that is written anew and ends half-way is neither the old nor the new.
    path = CELL / "metrics.json"
    old = path.read_bytes()
    result = read_json(path)
    result["seeds"]["0"]["scores"]["bpb"] += 1
    write_json(path, result)
    shutil.move("mlartifacts", "aside")
    Path("mlartifacts").write_text("once more")
    assert "failed" in track(tree)
    random = study_table(tree, "main").set_index("selection").loc["random"]
    assert random["seeds"] == 1
    assert random["bpb"] == result["seeds"]["1"]["scores"]["bpb"]
    # Back to what it was before: written again all the same.
    path.write_bytes(old)
    Path("mlartifacts").unlink()
    shutil.move("aside", "mlartifacts")
    assert track(tree)["updated"] >= 1
    assert study_table(tree, "main").equals(whole)


@pytest.mark.parametrize("how", ["moved", "copied without its artifacts"])
def test_a_repository_elsewhere_has_its_artifacts_there(
    tree: Params, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: Caplog
) -> None:
    track(tree)
    first, second = Path.cwd(), tmp_path / "100% second_place"
    monkeypatch.chdir(tmp_path)
    if how == "moved":
        first.rename(second)
    else:
        shutil.copytree(first, second, ignore=shutil.ignore_patterns("mlartifacts"))
    before = {path: path.stat().st_mtime for path in first.rglob("*")}
    monkeypatch.chdir(second)
    result = read_json(CELL / "metrics.json")
    result["seeds"]["0"]["scores"]["bpb"] += 1
    write_json(CELL / "metrics.json", result)
    # In a process of its own: this one's MLflow has in mind where each run's artifacts were.
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pipeline.track"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert "created 0, updated 2" in done.stderr
    assert f"the repository was moved or copied from {first}; the artifacts of 5" in done.stderr
    client = connect()
    for run in runs(tree).values():
        assert run.info.artifact_uri.startswith(f"{second.as_uri()}/mlartifacts/alpaca_cpu/")
    for name in ("none seed 0", "random seed 0"):  # one as it was, one written again
        run_id = runs(tree)[name].info.run_id
        assert client.list_artifacts(run_id, "train")
        assert client.download_artifacts(run_id, "scores.csv", str(tmp_path))
        assert (second / "mlartifacts/alpaca_cpu" / run_id / "artifacts/train").is_dir()
    assert {path: path.stat().st_mtime for path in first.rglob("*")} == before
    caplog.set_level(logging.INFO)
    track(tree)
    assert "moved or copied" not in caplog.text


def test_artifacts_that_were_copied_in_part_are_copied_again(tmp_path: Path) -> None:
    old, own = tmp_path / "old", tmp_path / "own"
    (old / "run").mkdir(parents=True)
    (old / "run" / "a.txt").write_text("a")
    (old / "run" / "b.txt").symlink_to(tmp_path / "gone")
    with pytest.raises(shutil.Error):
        bring(old, own, ["run"])
    assert list(own.iterdir()) == []
    (tmp_path / "gone").write_text("b")
    bring(old, own, ["run"])
    assert [path.read_text() for path in sorted((own / "run").iterdir())] == ["a", "b"]
