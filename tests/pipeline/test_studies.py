"""Studies as entries of params.yaml: each form of a cell runs, and only what is asked for runs."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.helpers.small_repo import commit, further, repro, run, selection, yaml

GROUP = "s0"
CELLS = {
    "forms_random": further("forms", "random", GROUP),
    "forms_random_10": further("forms", "random", GROUP, rows=10),
    "forms_k4": further("forms", "km_k4", GROUP),
    "forms_prompts": further("forms", "km_prompts", GROUP),
    "forms_few": further("forms", "km_few", GROUP),
    "forms_wide": further("forms", "random", GROUP, base="wide"),
    "other_random": further("other", "random", GROUP, rows=5),
}
STAGES = ("describe_further", "train_further", "evaluate_further")


def edit(repo: Path, **changes: Any) -> dict[str, Any]:  # noqa: ANN401
    """Replace whole sections of params.yaml; give what it holds."""
    path = repo / "params.yaml"
    values = yaml().load(path)
    values.update(changes)
    yaml().dump(values, path)
    return values


@pytest.fixture(scope="module")
def repo(small_runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository of two studies, nothing trained; the tests go on from each other."""
    folder = shutil.copytree(small_runs / "selected", tmp_path_factory.mktemp("repo") / "repo")
    base = yaml().load(folder / "params.yaml")["base_model"]
    edit(
        folder,
        scorers={"length": {"scorer": "length"}},
        embeddings={
            "minilm": {"model": "minilm", "text": "prompt_completion"},
            "prompts": {"model": "minilm", "text": "prompt"},
        },
        cluster={"k": [1, 4, 6], "seed": 42},
        base_models={"wide": {**base, "hidden": 48}},
        selections={
            "random": selection("random"),
            "km_k4": selection("km_random", k=4),
            "km_prompts": selection("km_random", k=4, embedding="prompts"),
            "km_few": selection("km_random", k=6, budget=12),
        },
        selections_scored={},
        seed_groups=[GROUP],
        table=["none", "random"],
        further=CELLS,
        studies={"forms": {"report": "scores"}, "other": {"report": "curves"}},
    )
    run(folder, "python", "-m", "pipeline.make.check")
    commit(folder, "two studies")
    return folder


def manifest(repo: Path, key: str, seed: int = 0) -> dict[str, Any]:
    return json.loads((repo / f"runs/forms/{key}/train/seed_{seed}.json").read_text())


def trained(repo: Path) -> dict[str, int]:
    """How many models there are, by how often their training was begun."""
    logs = (repo / ".store/scratch/train").glob("*/attempts.log")
    return {log.parent.name: len(log.read_text().splitlines()) for log in logs}


def test_a_study_makes_its_own_cells_and_no_other(repo: Path) -> None:
    ran = repro(repo, "report_study@forms")
    keys = [key for key in CELLS if key.startswith("forms")]
    assert {f"{stage}@{key}" for stage in STAGES for key in keys} <= set(ran)
    assert not [s for s in ran if "other" in s or s.startswith(("train@", "evaluate@", "report@"))]
    assert "base_model_further@wide" in ran
    assert "embed@prompts" in ran
    table = pd.read_csv(repo / "results/lab/forms/table.csv").set_index("selection")
    rows = {"random": 24, "random_10": 10, "km_k4": 24, "km_prompts": 24, "km_few": 12}
    assert table["rows"].to_dict() == {**rows, "random_wide": 24}
    assert set(trained(repo).values()) == {1}
    assert len(trained(repo)) == len(keys)


def test_each_form_is_what_it_says(repo: Path) -> None:
    subset = {
        name: pd.read_parquet(repo / f"data/subsets/{name}/{GROUP}/seed_0.parquet")["id"].tolist()
        for name in ("random", "km_k4", "km_prompts", "km_few")
    }
    # Another embedding and another budget choose anew; a first few rows are those of the whole.
    assert set(subset["km_k4"]) != set(subset["km_prompts"])
    assert subset["km_few"] != subset["km_k4"][:12]
    ids = pd.read_parquet(repo / "data/pool.parquet")["id"]
    picks = np.load(repo / "data/described/forms/forms_random_10/seed_0.npy")
    assert ids.iloc[picks].tolist() == subset["random"][:10]
    one, wide = manifest(repo, "forms_random"), manifest(repo, "forms_wide")
    assert one["subset_hash"] == wide["subset_hash"]
    assert one["base_hash"] != wide["base_hash"]


def test_a_new_row_runs_alone(repo: Path) -> None:
    before = trained(repo)
    edit(repo, further={**CELLS, "forms_random_15": further("forms", "random", GROUP, rows=15)})
    ran = repro(repo, "report_study@forms")
    assert set(ran) == {*(f"{s}@forms_random_15" for s in STAGES), "report_study@forms"}
    assert len(trained(repo)) == len(before) + 1
    assert set(trained(repo).values()) == {1}


def test_more_seeds_run_alone_and_join_their_row(repo: Path) -> None:
    values = edit(repo, further={**CELLS, "forms_random_s3": further("forms", "random", "s3")})
    values["selections"]["random"]["more_groups"] = ["s3"]
    edit(repo, selections=values["selections"])
    before = trained(repo)
    ran = repro(repo, "report_study@forms")
    new = {f"{stage}@forms_random_s3" for stage in STAGES}
    # describe reads what choosing cost, which is that of all seeds.
    assert {"select@random", "report_study@forms"} | new <= set(ran)
    assert not [s for s in ran if s.startswith(("train_", "evaluate_")) and s not in new]
    assert len(trained(repo)) == len(before) + 1
    table = pd.read_csv(repo / "results/lab/forms/table.csv").set_index("selection")
    assert table["seeds"].to_dict()["random"] == 2
    assert "random_15" not in table.index
    assert not (repo / "runs/forms/forms_random_15").exists()


def test_a_cell_equal_to_one_of_the_main_table_is_trained_once(repo: Path) -> None:
    before = trained(repo)
    ran = repro(repo, f"evaluate@random-{GROUP}")
    assert f"train@random-{GROUP}" in ran
    assert trained(repo) == before
    mine = json.loads((repo / f"runs/main/random/{GROUP}/train/seed_0.json").read_text())
    assert mine == manifest(repo, "forms_random")


def test_seeds_of_the_main_table_that_stand_in_further_enter_it(repo: Path) -> None:
    edit(repo, further={**CELLS, "more_random": further("main", "random", "s3")})
    ran = repro(repo, "report")
    assert "train_further@more_random" in ran
    assert not [s for s in ran if "forms" in s]
    table = pd.read_csv(repo / "results/lab/main/table.csv").set_index("selection")
    assert table["seeds"].to_dict() == {"none": 1, "random": 2}


def test_a_study_that_is_gone_takes_its_results_along(repo: Path) -> None:
    assert (repo / "results/lab/forms").is_dir()
    assert (repo / "runs/forms").is_dir()
    left = {key: item for key, item in CELLS.items() if key.startswith("other")}
    edit(repo, further=left, studies={"other": {"report": "curves"}})
    run(repo, "python", "-m", "pipeline.track")
    for folder in ("results/lab/forms", "runs/forms", "data/described/forms"):
        assert not (repo / folder).exists(), folder
    assert (repo / "results/lab/main/table.csv").is_file()


def test_tables_may_be_empty(repo: Path) -> None:
    edit(repo, further={}, studies={}, base_models={}, selections_scored={}, selections_rounds={})
    run(repo, "python", "-m", "pipeline.make.check")
    listed = run(repo, "dvc", "stage", "list", "--name-only").stdout.split()
    assert "report" in listed
    assert not [s for s in listed if "further" in s or "study" in s]
