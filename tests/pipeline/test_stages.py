"""Each stage answers --help at once, and bad values end it with one line and nothing written."""

import itertools
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from harness.common import layout
from harness.common.files import file_hash
from harness.common.schemas import POOL, SCORES, SUBSET, TRUTH, read_frame, write_frame
from tests.helpers.presets import preset_file
from tests.helpers.small_repo import ROOT, edit_params, environment, selection, yaml
from tests.helpers.stages import one_line, stage

STAGES = sorted(
    ".".join(path.relative_to(ROOT / "pipeline").with_suffix("").parts)
    for path in (ROOT / "pipeline").rglob("*.py")
    if 'if __name__ == "__main__"' in path.read_text()
)
HEAVY = ("torch", "transformers", "pandas", "sklearn", "mlflow", "lm_eval", "dvc")
DVC_ITSELF = "make.dvc_stage"


def test_every_stage_of_the_pipeline_is_there() -> None:
    words = (ROOT / "dvc.yaml").read_text().split()
    named = {b.removeprefix("pipeline.") for a, b in itertools.pairwise(words) if a == "-m"}
    assert len(named) >= 10
    assert named <= set(STAGES)


def test_a_stage_s_script_has_at_most_40_lines() -> None:
    modules = [path for path in (ROOT / "pipeline").glob("*.py") if path.stem in STAGES]
    lengths = {path.name: len(path.read_text().splitlines()) for path in modules}
    assert {name: lines for name, lines in lengths.items() if lines > 40} == {}


def test_durations_are_of_stages_that_there_are() -> None:
    stages = yaml().load(ROOT / "dvc.yaml")["stages"]
    for preset, seconds in json.loads((ROOT / "conf/durations.json").read_text()).items():
        for name in seconds:
            stage, _, cell = name.partition("@")
            assert stage in stages, (preset, name)
            assert bool(cell) == bool({"foreach", "matrix"} & set(stages[stage])), (preset, name)


@pytest.mark.parametrize("name", STAGES)
def test_help_answers_at_once(name: str, tmp_path: Path) -> None:
    heavy = tuple(one for one in HEAVY if (name, one) != (DVC_ITSELF, "dvc"))
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['pipeline.{name}', '--help']\n"
        "try:\n"
        f"    runpy.run_module('pipeline.{name}', run_name='__main__')\n"
        "except SystemExit as end:\n"
        f"    print('ended', end.code, [m for m in {heavy} if m in sys.modules])\n"
    )
    env = {**environment(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[0].startswith("usage: "), done.stderr
    assert done.stdout.splitlines()[-1] == "ended 0 []"


def test_select_writes_a_subset_a_seed(ready: Path) -> None:
    assert stage("select_subset", "random", folder=ready).returncode == 0
    folder = layout.subset_folder("random") / "s0_1"
    subsets = [read_frame(folder / f"seed_{seed}.parquet", SUBSET) for seed in (0, 1)]
    assert [len(subset) for subset in subsets] == [3, 3]
    assert list(subsets[0]["id"]) != list(subsets[1]["id"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"selections": {"random": selection("random", budget=31)}},
            "budget is 31; the whole pool is 30",
        ),
        ({"selections": {"random": selection("random", k=5)}}, "k_5/info.json: no such file"),
        (
            {"selections": {"random": selection("k_center", start="edge")}},
            "start is 'edge'; the choices are mean, random",
        ),
        (
            {"selections": {"random": selection("random", stat=1)}},
            "unexpected keyword argument 'stat'",
        ),
    ],
)
def test_a_selection_that_cannot_be(ready: Path, change: dict[str, object], message: str) -> None:
    stage("select_subset", "random", folder=ready)
    costs = layout.selection_folder("random") / "costs.json"
    before = sorted(ready.rglob("*.parquet")), file_hash(costs)
    edit_params(ready, **change)
    one_line(stage("select_subset", "random", folder=ready), message)
    after = sorted(ready.rglob("*.parquet")), file_hash(costs)
    assert before == after


def test_an_embedding_of_another_pool(ready: Path) -> None:
    pool = read_frame(layout.POOL_FILE, POOL)
    write_frame(layout.POOL_FILE, pool.iloc[:29], POOL)
    one_line(stage("select_subset", "random", folder=ready), "embeds another pool")
    one_line(stage("cluster", "minilm", "6", folder=ready), "dvc repro embed@minilm")


def test_scores_and_references(ready: Path) -> None:
    one_line(stage("score", folder=ready), "no such folder; dvc repro reward_model")
    values = yaml().load(ready / "params.yaml")
    values["scorers"] = {"length": {"scorer": "length"}}
    yaml().dump(values, ready / "params.yaml")
    assert stage("score", folder=ready).returncode == 0
    scores = read_frame(layout.SCORES_FILE, SCORES)
    assert scores["length"].tolist() == [2.0] * 10 + [3.0] * 20
    none = pd.DataFrame({name: pd.Series(dtype=kind) for name, kind in TRUTH.columns})
    write_frame(layout.TRUTH_FILE, none, TRUTH)
    references = {
        "full": {"rows": "full", "seeds": [0]},
        "full_clean": {"rows": "clean", "seeds": [0]},
    }
    edit_params(ready, references=references)
    assert stage("select_reference", "full", folder=ready).returncode == 0
    folder = layout.subset_folder("full") / "s0_1"
    assert sorted(path.name for path in folder.iterdir()) == ["files.json", "seed_0.parquet"]
    assert len(read_frame(folder / "seed_0.parquet", SUBSET)) == 30
    one_line(stage("select_reference", "full_clean", folder=ready), "lab")


def test_a_file_that_is_missing_names_its_stage(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(preset_file("lab").read_bytes())
    one_line(stage("score", folder=tmp_path), "data/pool.parquet: no such file")
    (tmp_path / "params.yaml").write_text("preset: [")
    one_line(stage("train", "random", "s0", folder=tmp_path), "params.yaml, line 1: not YAML")
