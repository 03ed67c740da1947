"""What MLflow has besides runs: a model for each that was trained, its data, its answers."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.common import layout
from harness.common.files import file_hash, read_json, write_json
from harness.common.schemas import SAMPLES, read_frame
from harness.params.params import Params
from harness.tracking.models import ITEMS, known_models
from harness.tracking.upsert import connect, experiment_name, track
from tests.helpers.build_runs import SMALL, build_runs
from tests.helpers.mlflow_runs import runs

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def tracked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_store: Path) -> Params:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    params = build_runs(tmp_path, **SMALL)
    shutil.copyfile(empty_store, "mlflow.db")
    track(params)
    return params


def by_name(params: Params) -> dict[str, Any]:
    return {run.info.run_name: run for run in runs(params)}


def models(params: Params) -> dict[str, str]:
    client = connect()
    experiment = client.get_experiment_by_name(experiment_name(params))
    assert experiment is not None
    return known_models(client, experiment.experiment_id)


def test_a_model_that_was_trained_has_its_scores_and_its_run(tracked: Params) -> None:
    client, result = connect(), by_name(tracked)
    assert len(models(tracked)) == 2, "two seeds of random; none trains nothing"
    for seed in (0, 1):
        run = result[f"random seed {seed}"]
        (output,) = run.outputs.model_outputs
        model = client.get_logged_model(output.model_id)
        assert (model.name, str(model.status), model.source_run_id) == (
            f"random_seed_{seed}",
            "READY",
            run.info.run_id,
        )
        scores = read_json(layout.RUNS / "main/random/s0_1/metrics.json")["seeds"][str(seed)]
        linked = {one.key: one for one in model.metrics or []}
        assert {name: linked[name].value for name in scores["scores"]} == pytest.approx(
            scores["scores"]
        )
        assert {linked[name].dataset_name for name in scores["scores"]} == {"alpaca_cpu"}
        assert linked["cost/train_seconds"].dataset_name is None
    assert not result["none seed 0"].outputs.model_outputs


def test_a_run_names_the_data_behind_it(tracked: Params) -> None:
    result = by_name(tracked)
    inputs = {
        one.tags[0].value: one.dataset for one in result["random seed 0"].inputs.dataset_inputs
    }
    assert set(inputs) == {"selection", "training", "evaluation"}
    assert inputs["selection"].digest == file_hash(layout.POOL_FILE)[:36]
    assert inputs["training"].name == "random seed 0"
    assert json.loads(inputs["training"].profile) == {"num_rows": 6}
    columns = json.loads(inputs["selection"].schema)["mlflow_colspec"]
    pool = pd.read_parquet(layout.POOL_FILE)
    assert [one["name"] for one in columns] == list(pool.columns)
    (alone,) = result["none seed 0"].inputs.dataset_inputs
    assert alone.dataset.digest == inputs["evaluation"].digest, "all answer the same items"


def test_answers_are_a_table_of_the_interface(tracked: Params, tmp_path: Path) -> None:
    run, client = by_name(tracked)["random seed 1"], connect()
    shown = json.loads(run.data.tags["mlflow.loggedArtifacts"])
    assert shown == [{"path": ITEMS, "type": "table"}]
    # Not `load_table`, which asks the store of the process and not the client's.
    file = Path(client.download_artifacts(run.info.run_id, ITEMS, str(tmp_path)))
    table = pd.DataFrame(**read_json(file))
    samples = read_frame(layout.RUNS / "main/random/s0_1/samples.parquet", SAMPLES)
    own = samples.loc[samples["seed"] == 1].reset_index(drop=True)
    assert table["score"].tolist() == pytest.approx(own["score"].tolist())
    assert list(table)[:2] == ["question", "prediction"]
    assert table["question"].is_unique
    for name in ("task", "item", "prediction"):
        assert table[name].tolist() == own[name].tolist()


def test_a_run_written_again_keeps_its_model(tracked: Params) -> None:
    before = models(tracked)
    path = layout.RUNS / "main/random/s0_1/metrics.json"
    scores = read_json(path)
    column = next(iter(scores["seeds"]["0"]["scores"]))
    scores["seeds"]["0"]["scores"][column] += 1
    write_json(path, scores)
    assert track(tracked)["updated"] > 0
    assert models(tracked) == before
    run = by_name(tracked)["random seed 0"]
    (output,) = run.outputs.model_outputs
    model = connect().get_logged_model(output.model_id)
    newest = max(
        (one for one in model.metrics or [] if one.key == column), key=lambda m: m.timestamp
    )
    assert newest.value == pytest.approx(scores["seeds"]["0"]["scores"][column])


def test_the_model_of_a_superseded_run_is_marked_until_the_run_is_current(tracked: Params) -> None:
    def marks() -> dict[str, str | None]:
        client = connect()
        every = [client.get_logged_model(one) for one in models(tracked).values()]
        mine = [model.tags for model in every if model.name == "random_seed_0"]
        return {tags["model_hash"]: tags.get("superseded") for tags in mine}

    path = layout.RUNS / "main/random/s0_1/train/seed_0.json"
    old = read_json(path)
    first = old["model_hash"]
    assert marks() == {first: None}
    write_json(path, {**old, "model_hash": "another"})
    track(tracked)
    assert marks() == {first: "true", "another": None}
    write_json(path, old)
    track(tracked)
    assert marks() == {first: None, "another": "true"}
