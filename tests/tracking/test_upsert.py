"""MLflow as a view of the files: complete, the same after a second look, never in the way."""

import csv
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from harness.common import layout
from harness.common.files import read_json, write_json
from harness.common.timings import read_timed
from harness.describing.files import FACTS
from harness.params.params import Params, load_params
from harness.report.scores.write import write_scores
from harness.tracking.upsert import connect, track
from harness.tracking.uri import tracking_uri
from pipeline.make.dvc_lock import recorded_params
from tests.helpers.build_runs import ROOT, build_runs, write_params
from tests.helpers.mlflow_runs import contents, runs
from tests.helpers.mlflow_table import study_table

# MLflow itself uses what SQLAlchemy deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

GRID: dict[str, Any] = {
    "preset": "alpaca_cpu",
    "seed_groups": ["s0_1"],
    "table": ["none", "random", "k_center"],
    "further": {},
    "studies": {},
    "evaluate": {"suite": "alpaca_cpu"},
}


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return build_runs(tmp_path, **GRID)


@pytest.fixture
def tracked(tree: Params, empty_store: Path) -> Params:
    shutil.copyfile(empty_store, "mlflow.db")
    return tree


def cell_folder(name: str) -> Path:
    return layout.RUNS / load_params().main_cell(name, "s0_1").path


def artifacts() -> dict[str, float]:
    return {p.as_posix(): p.stat().st_mtime for p in Path("mlartifacts").rglob("*") if p.is_file()}


def test_a_second_call_changes_nothing(tracked: Params, tmp_path: Path) -> None:
    write_scores(tracked, "main")
    first = track(tracked)
    assert first["created"] == first["runs"] == 5 + 3 + 1  # seeds, selections, the table
    before, files = contents(tmp_path / "mlflow.db"), artifacts()
    second = track(tracked)
    assert (second["created"], second["updated"], second["superseded"]) == (0, 0, 0)
    assert contents(tmp_path / "mlflow.db") == before
    assert artifacts() == files


def test_runs_hold_what_the_files_hold(tracked: Params) -> None:
    cell = cell_folder("k_center")
    path = cell / "train" / "seed_1.json"
    size = {"parameters": 937_216, "trainable_parameters": 12_288, "precision": "bfloat16"}
    cut_rows = {"truncated": 3, "dropped": 1}
    write_json(path, {**read_json(path), **cut_rows, **size, "whole_steps": 99})
    write_scores(tracked, "main")
    track(tracked)
    results = {run.info.run_name: run for run in runs(tracked)}
    run, client = results["k_center seed 1"], connect()
    assert run.data.tags["mlflow.parentRunId"] == results["k_center"].info.run_id
    scores = read_json(cell / "metrics.json")["seeds"]["1"]["scores"]
    manifest = read_timed(cell / "train" / "seed_1.json")
    assert {name: run.data.metrics[name] for name in scores} == pytest.approx(scores)
    curve = client.get_metric_history(run.info.run_id, "loss")
    assert [(m.step, m.value) for m in curve] == [
        (point["step"], point["loss"]) for point in manifest["loss_curve"]
    ]
    assert run.data.params["selection.sampler"] == "k_center"
    assert run.data.params["train.epochs"] == str(tracked.train.epochs)
    assert run.data.metrics["cost/train_seconds"] == manifest["seconds"]
    assert run.data.metrics["cost/train_flops"] == manifest["flops"] > 0
    spent = read_timed(layout.DESCRIBED / "main" / "k_center" / "s0_1" / FACTS)["seeds"]["1"][
        "cost"
    ]
    named = {"cost/select_seconds": "seconds", "cost/select_flops": "flops"}
    named |= {f"cost/{name}": name for name in ("shared_seconds", "shared_flops")}
    assert {n: run.data.metrics[n] for n in named} == {n: spent[key] for n, key in named.items()}
    cut = ("cost/train_truncated_rows", "cost/train_dropped_rows")
    assert [run.data.metrics[name] for name in cut] == [3.0, 1.0]
    assert run.data.tags["model_hash"] == manifest["model_hash"]
    assert run.data.tags["trial"] == "20 of 99 steps"
    assert "trial" not in results["k_center seed 0"].data.tags
    assert {name: run.data.params[f"trained.{name}"] for name in size} == {
        name: str(value) for name, value in size.items()
    }
    paths = {a.path for a in client.list_artifacts(run.info.run_id, "subset")}
    assert paths == {"subset/seed_1.parquet"}
    table = {a.path for a in client.list_artifacts(results["table: main"].info.run_id)}
    assert table >= {"table.csv", "table.md", "table.png", "provenance.json", "summary.json"}
    assert results["table: main"].data.tags["mlflow.note.content"].startswith("# Held-out")
    assert results["random"].data.metrics["seeds"] == 2


def test_the_table_from_search_runs_is_the_table_from_the_files(tracked: Params) -> None:
    folder = write_scores(tracked, "main")
    track(tracked)
    with (folder / "table.csv").open(encoding="utf-8") as file:
        wanted = list(csv.DictReader(file))
    result = study_table(tracked, "main").to_dict("records")
    assert [line["selection"] for line in result] == [line["selection"] for line in wanted]
    for line, other in zip(result, wanted, strict=True):
        assert line["seeds"] == int(other["seeds"])
        for name in set(line) - {"selection", "seeds"}:
            value = float(other[name]) if other[name] else float("nan")
            assert line[name] == pytest.approx(value, abs=1e-4, nan_ok=True), name


def test_a_run_made_anew_supersedes_the_old_one(tracked: Params) -> None:
    track(tracked)
    path = cell_folder("random") / "train" / "seed_0.json"
    old = read_json(path)
    write_json(path, {**old, "model_hash": "another"})
    again = track(tracked)
    # The run itself is new; its parent's means are looked at again.
    assert (again["created"], again["superseded"]) == (1, 1)
    mine = [run for run in runs(tracked) if run.data.tags["identity"] == "main/random/seed_0"]
    assert {run.data.tags["model_hash"]: run.data.tags["superseded"] for run in mine} == {
        old["model_hash"]: "true",
        "another": "false",
    }
    write_json(path, old)
    assert track(tracked)["created"] == 0
    mine = [run for run in runs(tracked) if run.data.tags["identity"] == "main/random/seed_0"]
    assert {run.data.tags["model_hash"]: run.data.tags["superseded"] for run in mine} == {
        old["model_hash"]: "false",
        "another": "true",
    }


@pytest.fixture
def reported_earlier(tracked: Params, monkeypatch: pytest.MonkeyPatch) -> Params:
    """A report of commit "then", in a repository that is at commit "now"."""
    here = {"commit": "now", "dirty": True}
    monkeypatch.setattr("harness.tracking.upsert.git_state", lambda: here)
    path = write_scores(tracked, "main") / "provenance.json"
    write_json(path, {**read_json(path), "git": {"commit": "then", "dirty": False}})
    return tracked


def test_pulled_runs_are_of_the_commit_of_their_report(reported_earlier: Params) -> None:
    track(reported_earlier)
    tags = [run.data.tags for run in runs(reported_earlier)]
    origins = {(own["mlflow.source.git.commit"], own["git_dirty"]) for own in tags}
    assert origins == {("then", "false")}


def test_a_run_made_after_the_report_is_of_the_commit_that_is_here(
    reported_earlier: Params,
) -> None:
    track(reported_earlier)
    path = cell_folder("random") / "train" / "seed_0.json"
    write_json(path, {**read_json(path), "model_hash": "another"})
    assert track(reported_earlier)["created"] == 1
    tags = [run.data.tags for run in runs(reported_earlier)]
    (new,) = (own for own in tags if own.get("model_hash") == "another")
    assert (new["mlflow.source.git.commit"], new["git_dirty"]) == ("now", "true")


def test_a_parent_sums_only_a_cost_that_every_seed_has(tracked: Params) -> None:
    for name, seeds in (("random", [1]), ("k_center", [0, 1])):
        for seed in seeds:
            path = cell_folder(name) / "train" / f"seed_{seed}.json"
            write_json(path, {**read_json(path), "flops": None})
    track(tracked)
    metrics = {run.info.run_name: run.data.metrics for run in runs(tracked)}
    for name in ("random", "k_center"):
        assert "cost/train_flops" not in metrics[name]
        seconds = [metrics[f"{name} seed {seed}"]["cost/train_seconds"] for seed in (0, 1)]
        assert metrics[name]["cost/train_seconds"] == pytest.approx(sum(seconds))


def test_whatever_there_is_is_tracked_and_completed_later(tracked: Params) -> None:
    path = cell_folder("random") / "metrics.json"
    kept = path.read_bytes()
    path.unlink()
    track(tracked)
    results = {run.info.run_name: run for run in runs(tracked)}
    assert "bpb" not in results["random seed 0"].data.metrics
    path.write_bytes(kept)
    again = track(tracked)
    assert (again["created"], again["updated"], again["superseded"]) == (0, 3, 0)
    results = {run.info.run_name: run for run in runs(tracked)}
    assert "bpb" in results["random seed 0"].data.metrics
    assert "bpb_sd" in results["random"].data.metrics


def test_params_are_those_dvc_recorded_not_edited_since(tracked: Params, tmp_path: Path) -> None:
    import yaml

    recorded = {**tracked.train.model_dump(mode="json"), "epochs": 3}
    stages = {
        f"train@{name}-s0_1": {
            "outs": [{"path": f"runs/main/{name}/s0_1/train"}],
            "params": {"params.yaml": {"train": recorded}},
        }
        for name in ("none", "random")
    }
    (tmp_path / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": stages}))
    edited = write_params(tmp_path, **GRID, train={"epochs": 9})
    track(edited, recorded_params())
    epochs = {run.info.run_name: run.data.params["train.epochs"] for run in runs(edited)}
    assert epochs["random seed 0"] == epochs["random"] == "3"
    assert epochs["k_center seed 0"] == "9"  # nothing recorded: the params as they are


def test_a_dead_server_is_one_warning(
    tree: Params, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    start = time.monotonic()
    result = track(tree)
    assert time.monotonic() - start < 20
    assert "failed" in result
    messages = [record for record in caplog.records if record.name.startswith("harness")]
    assert len(messages) == 1
    assert "was not brought up to date" in messages[0].getMessage()
    assert "secret" not in messages[0].getMessage() + str(result)


def test_two_processes_may_be_the_first(tree: Params) -> None:
    code = (
        "from harness.params.params import load_params\nfrom harness.tracking.upsert import track\n"
    )
    code += "print(sorted(track(load_params()).items()))"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    both = [
        subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    messages = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert not any("failed" in text for text in messages), messages
    assert sorted("('created', 8)" in text for text in messages) == [False, True]
    assert len(runs(tree)) == 8


def test_the_store_is_the_real_repositorys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / ".dvc" / "tmp" / "exps" / "standalone" / "x"
    copy.mkdir(parents=True)
    (copy / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(copy)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert tracking_uri() == f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://server:5000")
    assert tracking_uri() == "http://server:5000"
