"""Two experiments of DVC's queue, two workers and one MLflow store."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from tests.helpers.small_repo import run, wait_for, yaml

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of what MLflow imports


@pytest.fixture
def repo(small_runs: Path, tmp_path: Path) -> Iterator[Path]:
    """A repository in which everything has run; its workers are stopped at the end."""
    repo = shutil.copytree(small_runs / "whole", tmp_path / "repo")
    yield repo
    run(repo, "dvc", "queue", "stop", "--kill", check=False)


def states(repo: Path) -> dict[str, str]:
    """The state of each experiment of the queue: Queued, Running, Success or Failed."""
    rows = [line.split() for line in run(repo, "dvc", "queue", "status").stdout.splitlines()]
    return {row[1]: row[-1] for row in rows if len(row) > 3 and row[0] not in ("Task", "Worker")}


def test_queue_of_two_workers_logs_into_one_store(repo: Path) -> None:
    clusters = {"four": "4", "six": "6"}
    for name, k in clusters.items():
        knob = f"selections_scored.kmq.k={k}"
        run(repo, "dvc", "exp", "run", "--queue", "-n", name, "-S", knob, "track")
    assert states(repo) == dict.fromkeys(clusters, "Queued")
    run(repo, "dvc", "queue", "start", "-j", "2")
    wait_for(lambda: not {"Queued", "Running"} & set(states(repo).values()), seconds=400)
    assert states(repo) == dict.fromkeys(clusters, "Success")

    client = MlflowClient(tracking_uri=f"sqlite:///{repo / 'mlflow.db'}")
    (experiment,) = client.search_experiments(filter_string="name != 'Default'")
    for name, k in clusters.items():
        logged = client.search_runs(
            [experiment.experiment_id],
            f"tags.dvc_experiment = '{name}' and tags.selection = 'kmq'",
        )
        assert {entry.data.tags["kind"] for entry in logged} == {"seed", "selection"}
        assert {entry.data.params["selection.k"] for entry in logged} == {k}
        run(repo, "dvc", "exp", "apply", name)
        params = yaml().load(repo / "params.yaml")
        assert str(params["selections_scored"]["kmq"]["k"]) == k
        assert (repo / "results/lab/metrics.json").is_file()
