"""Other generated worlds as entries of params.yaml: each row of the main table is a cell there."""

import json
from pathlib import Path

import pandas as pd
import pytest

from harness.check.check import check_params
from harness.common.errors import InputError
from pipeline.world_folder import inside_world
from tests.helpers.presets import preset_file
from tests.helpers.small_repo import commit, edit_params, repro, run, small_repo, yaml

GROUP = "s0"
ROWS = ["random"]


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of one more world, nothing run; the tests go on from each other."""
    folder = small_repo(tmp_path_factory.mktemp("repo"))
    edit_params(
        folder,
        scorers={"length": {"scorer": "length"}},
        cluster={"k": [1, 4]},
        selections_scored={},
        seed_groups=[GROUP],
        table=ROWS,
    )
    values = yaml().load(folder / "params.yaml")
    values["scorers"] = {"length": {"scorer": "length"}}
    values["worlds"] = {"second": {"seed": 7}}
    yaml().dump(values, folder / "params.yaml")
    run(folder, "python", "-m", "pipeline.make.check")
    commit(folder, "two worlds")
    return folder


def metrics(folder: Path, row: str) -> dict[str, object]:
    return json.loads((folder / f"runs/main/{row}/{GROUP}/metrics.json").read_text())


def test_a_world_runs_each_row_in_a_folder_of_its_own(repo: Path) -> None:
    cells = [f"world_row@second-{row}" for row in ROWS]
    assert repro(repo, *cells) == ["world@second", *cells]
    world = repo / "worlds/second"
    pool = pd.read_parquet(world / "data/pool.parquet")
    assert not (repo / "data/pool.parquet").exists()
    for row in ROWS:
        subset = pd.read_parquet(world / f"data/subsets/{row}/{GROUP}/seed_0.parquet")
        assert len(subset) == round(0.1 * len(pool))
        assert set(subset["id"]) <= set(pool["id"])
        assert metrics(world, row)
        assert (world / f"data/described/main/{row}/{GROUP}").is_dir()
    assert repro(repo, *cells) == []
    run(repo, "python", "-m", "pipeline.prepare")
    assert not pd.read_parquet(repo / "data/pool.parquet").equals(pool)


def test_a_new_row_runs_alone(repo: Path) -> None:
    edit_params(repo, table=[*ROWS, "none"])
    cells = [f"world_row@second-{row}" for row in (*ROWS, "none")]
    assert repro(repo, *cells) == ["world_row@second-none"]


def test_a_row_or_world_that_is_gone_takes_its_results_along(repo: Path) -> None:
    edit_params(repo, table=ROWS)
    run(repo, "python", "-m", "pipeline.track")
    assert not (repo / "worlds/second/runs/main/none").exists()
    assert not (repo / "worlds/second/data/subsets/none").exists()
    assert repro(repo, *(f"world_row@second-{row}" for row in ROWS)) == []
    values = yaml().load(repo / "params.yaml")
    values["worlds"] = {}
    yaml().dump(values, repo / "params.yaml")
    run(repo, "python", "-m", "pipeline.track")
    assert not (repo / "worlds/second").exists()
    assert not [s for s in run(repo, "dvc", "stage", "list").stdout.split() if "world" in s]


def test_no_two_worlds_share_a_seed(repo: Path) -> None:
    values = yaml().load(repo / "params.yaml")
    values["worlds"] = {"a": {"seed": 0}, "b": {"seed": 1}}
    values["prepare"] = {"source": "alpaca"}
    yaml().dump(values, repo / "params.yaml")
    lines = check_params(repo / "params.yaml")
    assert "params.yaml: worlds.a: 0 is the seed of another world, too; choose one each" in lines
    needs = "params.yaml: worlds.b: needs `prepare.source: lab`, the pool that is generated"
    assert needs in lines


@pytest.mark.parametrize(
    ("row", "message", "wanted"),
    [
        ("", "dvc repro cluster@minilm-4", "dvc repro world@second"),
        ("kmq", "run dvc repro score", "run dvc repro world@second"),
        ("kmq", "dvc repro base_model gives it one", "dvc repro world@second gives it one"),
        ("kmq", "dvc repro select_scored@kmq", "dvc repro world_row@second-kmq"),
        ("kmq", "dvc repro -f -s train@kmq-s0; x", "dvc repro -f -s world_row@second-kmq; x"),
        ("kmq", "run the stage that writes it (dvc repro)", None),
        ("kmq", "dvc repro evaluates both on the same", None),
    ],
)
def test_an_error_in_a_world_names_its_stages(
    row: str, message: str, wanted: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "")
    values = yaml().load(preset_file("lab"))
    values["worlds"] = {"second": {"seed": 7}}
    yaml().dump(values, tmp_path / "params.yaml")
    with pytest.raises(InputError) as caught, inside_world("second", row):
        raise InputError(message)
    assert str(caught.value) == f"worlds/second: {wanted or message}"
    assert Path.cwd() == tmp_path
