"""MLflow and the results when params change, a server is dead, or DVC has run."""

import shutil
from pathlib import Path

import pytest
import yaml

from harness.common import layout
from harness.params.params import Params
from harness.report.scores.write import write_scores
from harness.tracking.runs import identities, records
from harness.tracking.upsert import connect, experiment_name, track
from pipeline import track as track_stage
from pipeline.make import repro
from pipeline.make.dvc_lock import read_stages
from pipeline.make.dvc_plan import Outputs
from tests.helpers.build_runs import build_runs, write_params
from tests.helpers.mlflow_runs import runs
from tests.helpers.small_repo import further, selection

# MLflow itself uses what SQLAlchemy deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SELECTIONS = ["none", "random", "k_center"]
LOCK = {
    "schema": "2.0",
    "stages": {"prepare": {"cmd": "true", "outs": [{"path": "data/pool.parquet", "md5": "a"}]}},
}


def grid(selections: list[str]) -> dict[str, object]:
    return {
        "preset": "alpaca_cpu",
        "seed_groups": ["s0_1"],
        "table": selections,
        "further": {},
        "studies": {},
        "evaluate": {"suite": "alpaca_cpu"},
    }


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return build_runs(tmp_path, **grid(SELECTIONS))


def superseded(params: Params) -> set[str]:
    """The names of the runs that are tagged as superseded."""
    client = connect()
    experiment = client.get_experiment_by_name(experiment_name(params))
    assert experiment is not None
    result = client.search_runs([experiment.experiment_id])
    return {str(r.info.run_name) for r in result if r.data.tags["superseded"] == "true"}


def test_runs_that_params_no_longer_name_are_superseded_until_they_do(
    tree: Params, tmp_path: Path
) -> None:
    track(tree)
    without = write_params(tmp_path, **grid(["none", "random"]))
    gone = {"k_center", "k_center seed 0", "k_center seed 1"}
    assert track(without)["superseded"] == len(gone)
    assert superseded(without) == gone
    assert track(without)["superseded"] == 0, "reported once"
    back = write_params(tmp_path, **grid(SELECTIONS))
    again = track(back)
    assert (again["created"], again["updated"]) == (0, 0)
    assert superseded(back) == set()
    # Files that are not here may be elsewhere: in a fresh clone, say, before `dvc pull`.
    shutil.rmtree(layout.RUNS / back.main_cell("k_center", "s0_1").path)
    assert track(back)["superseded"] == 0


def test_runs_of_a_version_with_other_params_stay(
    tree: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as older:
        older.setattr("harness.tracking.runs._logged_params", lambda params, cell: {"of": cell.of})
        old = track(tree)["created"]
    new = track(tree)
    assert (new["created"], new["updated"], new["superseded"]) == (old, 0, old)
    assert len(runs(tree)) == 2 * old
    assert {run.info.status for run in runs(tree)} == {"FINISHED"}
    again = track(tree)
    assert (again["created"], again["updated"], again["superseded"]) == (0, 0, 0)


def test_further_cells_are_runs_of_their_study_and_of_the_row_they_add_seeds_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    cells = {
        "first": further("sizes", "random", "s0_1", rows=4),
        "noisy": further("sizes", "noise_25", "s0_1"),
        "more": further("main", "random", "s3_4"),
    }
    studies = {"sizes": {"report": "scores"}}
    changes = {**grid(["none", "random"]), "further": cells, "studies": studies}
    params = build_runs(tmp_path, **changes)
    results = {record.identity: record for record in records(params)}
    tables = {f"{name}/table" for name in ("main", "sizes", "worlds")}
    assert set(results) == identities(params) - tables
    part, more = results["sizes/random_4/seed_1"], results["main/random/seed_3"]
    taken, others = (
        {one.context: one.rows for one in run.data}["training"] for run in (part, more)
    )
    assert (part.name, taken, part.metrics["subset/rows"]) == ("random_4 seed 1", 4, 4.0)
    assert (part.params["of"], part.params["rows"]) == ("random", "4")
    assert (others, more.parent) == (6, "main/random")
    assert next(iter(results["main/random"].metrics)) == next(iter(part.metrics)) == "bpb"
    assert results["main/random"].metrics["seeds"] == 4
    assert results["sizes/noise_25/seed_0"].params["selection.budget"] == "0.1"
    # The seeds that there are besides have not made a run: it stays the same one.
    changes["selections"] = {"random": selection("random", more_groups=["s3_4"])}
    again = {record.identity: record for record in records(write_params(tmp_path, **changes))}
    assert {name: one.key for name, one in again.items()} == {
        name: one.key for name, one in results.items()
    }


def test_a_table_over_worlds_is_a_run(tree: Params) -> None:
    folder = layout.report_folder(tree.preset, "worlds")
    folder.mkdir(parents=True)
    (folder / "table.md").write_text("# Over worlds\n")
    (table,) = [one for one in records(tree) if one.identity == "worlds/table"]
    assert table.tags["mlflow.note.content"] == "# Over worlds\n"


def test_make_repro_warns_of_a_dead_server(
    tree: Params, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    repro._track()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("warning: MLflow at http://127.0.0.1:9 was not brought up to date: ")


def test_the_lock_beside_the_results_is_dvc_s_once_the_report_is_recorded(
    tree: Params, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = layout.RESULTS / tree.preset / "dvc.lock"
    Path("dvc.lock").write_text(yaml.safe_dump(LOCK))
    write_scores(tree, "main")
    assert not copy.exists(), "the report's own stage is not in the lock yet"
    monkeypatch.delenv("DVC_STAGE", raising=False)
    track_stage.run()
    assert not copy.exists(), "make ui, which may come at any time"
    monkeypatch.setenv("DVC_STAGE", "track")
    track_stage.run()
    assert copy.read_bytes() == Path("dvc.lock").read_bytes()


def test_a_lock_is_read_and_a_half_written_one_counts_as_changed(tmp_path: Path) -> None:
    lock = tmp_path / "dvc.lock"
    assert read_stages(lock) == {}
    lock.write_text(yaml.safe_dump(LOCK))
    assert read_stages(lock) == LOCK["stages"]
    before = Outputs(lock)
    assert not before.changed("prepare")
    for half in ("schem", "stages:\n  prepare: [a", ""):
        lock.write_text(half)
        assert before.changed("prepare")
