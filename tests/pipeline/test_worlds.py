"""Other generated worlds as entries of params.yaml: each of `world_rows` is a cell there."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from dvc.repo import Repo
from networkx import descendants

from harness.check.check import check_params
from harness.common.errors import InputError
from harness.common.markdown import first_table
from harness.params.params import load_params
from pipeline.world_folder import inside_world
from tests.helpers.presets import preset_file
from tests.helpers.small_repo import ROOT, commit, edit_params, repro, run, small_repo, yaml

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
        worlds={"second": {"seed": 7}},
        world_rows=ROWS,
        world_reports={"worlds": {"baseline": "random"}},
    )
    values = yaml().load(folder / "params.yaml")
    values["scorers"] = {"length": {"scorer": "length"}}
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
    edit_params(repo, world_rows=[*ROWS, "none"])
    stages = ["world_row@second-none", "report_worlds@worlds"]
    assert repro(repo, "report_worlds@worlds") == stages
    text = (repo / "results/lab/worlds/table.md").read_text()
    assert first_table(text)[-1][0] == "none"
    # What a world's stages read is no dependency of the report.
    (repo / "worlds/second/params.yaml").write_text("{}")
    assert repro(repo, "report_worlds@worlds") == []


def test_a_row_or_world_that_is_gone_takes_its_results_along(repo: Path) -> None:
    edit_params(repo, world_rows=ROWS)
    run(repo, "python", "-m", "pipeline.track")
    assert not (repo / "worlds/second/runs/main/none").exists()
    assert not (repo / "worlds/second/data/subsets/none").exists()
    assert repro(repo, *(f"world_row@second-{row}" for row in ROWS)) == []
    edit_params(repo, worlds={}, world_reports={})
    run(repo, "python", "-m", "pipeline.track")
    assert not (repo / "worlds/second").exists()
    assert not (repo / "results/lab/worlds").exists()
    assert not [s for s in run(repo, "dvc", "stage", "list").stdout.split() if "world" in s]


def problems(tmp_path: Path, **changes: object) -> list[str]:
    values = yaml().load(preset_file("lab"))
    values.update(changes)
    yaml().dump(values, tmp_path / "params.yaml")
    return [line.removeprefix("params.yaml: ") for line in check_params(tmp_path / "params.yaml")]


def test_no_two_worlds_share_a_seed(tmp_path: Path) -> None:
    worlds = {"a": {"seed": 0}, "b": {"seed": 1}}
    lines = problems(tmp_path, worlds=worlds, prepare={"source": "alpaca"})
    assert "worlds.a: 0 is the seed of another world, too; choose one each" in lines
    rule = "they need `prepare.source: lab`, the pool that is generated; remove them"
    assert f"worlds: {rule}" in lines


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({}, None),
        ({"worlds": {}, "world_rows": [], "world_reports": {}}, None),
        (
            {"world_rows": ["random", "kmqq"]},
            "world_rows: no selection is called 'kmqq'; did you mean 'kmq'?",
        ),
        (
            {"world_rows": ["random", "random"]},
            "world_rows: 'random' is listed twice; remove one",
        ),
        (
            {"world_rows": [], "world_reports": {}},
            "world_rows: worlds are listed and no row is; add some of `table`",
        ),
        ({"worlds": {}}, "world_reports.worlds: there is no world; add some to `worlds`"),
        (
            {"world_rows": ["qdit", "noise_0"]},
            "world_reports.worlds.baseline: no selection of world_rows is called 'random'",
        ),
        (
            {"world_reports": {"subsets": {"baseline": "random"}}},
            "world_reports.subsets: another report is called so; rename one",
        ),
        (
            {"world_reports": {"a-b": {"baseline": "random"}}},
            "world_reports.a-b: names hold letters, digits and _ only",
        ),
    ],
)
def test_worlds_rows_and_reports_are_checked(
    tmp_path: Path, changes: dict[str, object], wanted: str | None
) -> None:
    lines = problems(tmp_path, **changes)
    assert len(lines) == (wanted is not None)
    assert wanted is None or lines[0].startswith(wanted)


def world_stages(folder: Path) -> list[str]:
    """The stages of worlds that DVC makes of a folder's dvc.yaml and params."""
    with Repo(str(folder)) as repo:
        names = [stage.addressing.rpartition(":")[2] for stage in repo.index.stages]
    return sorted(name for name in names if "world" in name)


def test_a_preset_without_worlds_has_no_stage_of_them(tmp_path: Path) -> None:
    Repo.init(str(tmp_path), no_scm=True).close()
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    shutil.copy(preset_file("own"), tmp_path / "params.yaml")
    assert world_stages(tmp_path) == []
    worlds = {"worlds": {"w1": {"seed": 1}}, "world_rows": ["random", "full"]}
    edit_params(tmp_path, **worlds)
    assert world_stages(tmp_path) == ["world@w1", "world_row@w1-full", "world_row@w1-random"]
    edit_params(tmp_path, world_reports={"worlds": {"baseline": "random"}})
    assert world_stages(tmp_path)[0] == "report_worlds@worlds"


@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # of pygtrie, in DVC
def test_make_repro_runs_no_world() -> None:
    with Repo(str(ROOT)) as repo:
        waits = repo.index.graph
        names = {stage.addressing: stage for stage in waits}
        assert "report_worlds@worlds" in names
        for target in ("report", "report_subsets"):
            needed = {stage.addressing for stage in descendants(waits, names[target])}
            assert "evaluate@random-s0_1_2" in needed or target == "report_subsets"
            assert not [name for name in needed if "world" in name]
        of_report = descendants(waits, names["report_worlds@worlds"])
        assert {stage.addressing.partition("@")[0] for stage in of_report} == {"world", "world_row"}


def test_a_world_has_a_pool_and_a_base_model_of_its_seed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "")
    shutil.copy(preset_file("lab"), tmp_path / "params.yaml")
    own = load_params()
    for world, item in own.worlds.items():
        with inside_world(world) as params:
            assert params.lab == own.lab.model_copy(update={"seed": item.seed})
            assert params.base_model == own.base_model.model_copy(update={"seed": item.seed})
            assert list(params.every_embedding) == ["minilm"], "what rows of worlds read"
    assert [item.seed for item in own.worlds.values()] == [1, 2, 3, 4, 5]


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
